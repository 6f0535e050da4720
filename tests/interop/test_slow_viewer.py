"""A viewer that never reads, beside a hundred that do: it costs the others nothing and the hub a bounded mailbox.

The bounds are generous on purpose: this shows that nobody waits for a stuck viewer, not how fast the hub is.
"""

import asyncio
import json
import statistics
import threading
import time

import pytest
import websockets

import raw
from plain import Sender
from raw import RawSocket

VIEWERS = 100
BATCHES = 400
ROWS = 500
SECOND = 10**9

pytestmark = pytest.mark.timeout(600)


class StuckViewer(RawSocket):
    """Subscribes to everything as fast as can be asked for, then never reads a byte."""

    @classmethod
    def watching(cls, hub):
        stuck = cls.upgraded(hub, "/api/v1/live", "viewer")
        message = {"type": "subscribe", "id": "all", "select": ["*/*"], "max_hz": 60}
        stuck.send_frame(raw.TEXT, json.dumps(message).encode())
        return stuck


class Phase:
    """One measured stretch: readings in as fast as they are acked, probes to a hundred viewers meanwhile."""

    def __init__(self, hub, name):
        self.hub, self.name = hub, name
        self.latencies_s = []
        self.done = threading.Event()

    def run(self):
        before = self.hub.rss_kib()
        flood, probe = threading.Thread(target=self._flood), threading.Thread(target=self._probe)
        asyncio.run(self._watch([flood, probe]))
        self.grown_kib = self.hub.rss_kib() - before
        return self

    def _flood(self):
        begun = time.monotonic()
        with Sender(self.hub) as sender:
            for _ in range(BATCHES):
                now = time.time_ns()
                values = {f"m{i}": i for i in range(10)}
                sender.stored([{"device": "flood", "time": now + i, "values": values} for i in range(ROWS // 10)])
        self.readings_per_s = BATCHES * ROWS / (time.monotonic() - begun)
        self.done.set()

    def _probe(self):
        with Sender(self.hub) as sender:
            while not self.done.is_set():
                now = time.time_ns()
                sender.stored([{"device": "probe", "metric": self.name, "value": now, "time": now}])
                self.done.wait(0.05)  # a pace, not a synchronisation
            sender.stored([{"device": "probe", "metric": self.name, "value": -1, "time": time.time_ns()}])

    async def _watch(self, threads):
        ready = asyncio.Barrier(VIEWERS + 1)
        viewers = [asyncio.create_task(self._viewer(ready)) for _ in range(VIEWERS)]
        await ready.wait()
        for thread in threads:
            thread.start()
        await asyncio.wait_for(asyncio.gather(*viewers), timeout=240)
        for thread in threads:
            thread.join()

    async def _viewer(self, ready):
        headers = self.hub.bearer("viewer")
        async with websockets.connect(
            self.hub.ws("/api/v1/live"), additional_headers=headers, compression=None
        ) as viewer:
            select = [f"probe/{self.name}"]
            await viewer.send(json.dumps({"type": "subscribe", "id": "p", "select": select, "max_hz": 20}))
            assert json.loads(await viewer.recv())["type"] == "snapshot"
            await ready.wait()
            async for text in viewer:
                message = json.loads(text)
                if message["type"] != "update":
                    continue
                for _, _, value in message["points"]:
                    if value == -1:
                        return
                    self.latencies_s.append((time.time_ns() - value) / SECOND)


def test_a_stuck_viewer_costs_the_others_nothing(hub):
    hub.token("agent"), hub.token("viewer")
    Phase(hub, "warm").run()
    free = Phase(hub, "free").run()
    stuck = [StuckViewer.watching(hub) for _ in range(3)]
    beside = Phase(hub, "beside").run()

    def median_s(phase):
        return statistics.median(phase.latencies_s)

    print(
        f"\nfree: {free.readings_per_s:.0f} readings/s, {median_s(free) * 1000:.0f} ms, {free.grown_kib} KiB"
        f"\nbeside: {beside.readings_per_s:.0f} readings/s, {median_s(beside) * 1000:.0f} ms, {beside.grown_kib} KiB"
    )
    assert len(free.latencies_s) > VIEWERS and len(beside.latencies_s) > VIEWERS
    assert beside.readings_per_s > free.readings_per_s / 3
    assert median_s(beside) < median_s(free) * 3 + 0.5
    # What is stored grows alike in both; three stuck viewers may add their mailboxes and socket buffers.
    assert beside.grown_kib - free.grown_kib < 48 * 1024

    # It was merged, not cut off: once it reads, it gets the newest values.
    reader = stuck[0]
    wanted = json.dumps(hub.api("last", select="probe/beside")["series"][0]["value"])
    deadline = time.monotonic() + 60
    seen = False
    while not seen:
        assert time.monotonic() < deadline
        opcode, payload = reader.read_frame()
        if opcode == raw.PING:
            reader.send_frame(raw.PONG, payload)
        assert opcode != raw.CLOSE, payload
        if opcode == raw.TEXT:
            message = json.loads(payload)
            seen = any(str(p[2]) == wanted for p in message.get("points", []))
    for one in stuck:
        one.tcp.close()
    assert hub.is_well()
