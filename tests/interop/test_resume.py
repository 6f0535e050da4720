"""Cursors at every position, and viewers beside writers that meet at the same times: whoever breaks off, wherever and
however often, and whatever becomes of the hub meanwhile, ends with the map that history has.
"""

import contextlib
import copy
import random
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed

from hub import eventually
from live import Mirror, Viewer
from plain import Sender

SECOND = 10**9
COMMITS = 60


def held(points):
    """A series of which everything was deleted is listed by history, without points."""
    return {key: values for key, values in points.items() if values}


def reading(metric, moment, value, **more):
    return {"device": "d", "metric": metric, "time": moment, "value": value} | more


def commit(hub, sender, chance, n, base):
    """One of each kind there is: new, late, rewritten, twice in a batch, of a new series, of a new unit, deleted."""
    match chance.randrange(7):
        case 0 | 1:
            sender.stored([reading("a", base + n * 1000 + i, n + i) for i in range(3)])
        case 2:
            sender.batch([reading("a", base + chance.randrange(n) * 1000, chance.choice([n, 0.5, "text"]))])
        case 3:
            sender.stored([reading("b", base + n * 1000, f"t{n}"), reading("c", base + n * 1000, n % 2 == 0)])
        case 4:
            sender.stored([reading("new", base + n * 1000, n, labels={"n": str(n)}, unit=f"u{n}")])
        case 5:
            sender.batch([reading("a", base + n * 1000, v) for v in (1, 2)] + [reading("a", base - n * 1000, 3)])
        case 6:
            start = base + chance.randrange(n) * 1000
            params = {"from": f"{start}ns", "to": f"{start + 9000}ns", "dry_run": "false"}
            select = chance.choice(["d/a", "d/*"])
            done = hub.request("DELETE", "/api/v1/history", "admin", params=params | {"select": select})
            assert done.status_code == 200, done.text


def test_a_viewer_resumes_at_every_cursor_it_ever_had(hub):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    base, kept = time.time_ns() - 600 * SECOND, []
    with Sender(hub) as sender, Viewer(hub) as viewer:
        sender.stored([reading("a", base, 0)])
        mirror = viewer.subscribe("d/*", history="1h", max_hz=60)
        viewer.snapshot()
        for n in range(1, COMMITS):
            kept.append((mirror.cursor, copy.deepcopy(mirror.points)))
            commit(hub, sender, chance, n, base)
            with contextlib.suppress(TimeoutError):
                while mirror.cursor == kept[-1][0]:
                    viewer.next(timeout=0.2)
    assert len({cursor for cursor, _ in kept}) > COMMITS // 2

    for stop in (None, hub.kill, hub.stop):
        if stop:
            stop()
            hub.start()
        truth = held(hub.history("d/*", "-2h"))
        with Viewer(hub) as viewer:
            mirrors = []
            for n, (cursor, points) in enumerate(kept):
                mirror = Mirror()
                mirror.points = copy.deepcopy(points)
                mirrors.append(viewer.subscribe("d/*", id=str(n), history="1h", cursor=cursor, mirror=mirror))
            for _ in kept:
                viewer.snapshot()
            for n, mirror in enumerate(mirrors):
                assert mirror.recovered is True, (stop, n)
                assert mirror.as_history() == truth, (stop, n, kept[n][0])


class Part(threading.Thread):
    """A client that goes on after each break until it is told to stop."""

    def __init__(self, hub, over, seed):
        super().__init__()
        self.hub, self.over, self.chance, self.trouble = hub, over, random.Random(seed), None

    def run(self):
        while not self.over.is_set() and self.trouble is None:
            try:
                self.once()
            except (ConnectionClosed, OSError):
                self.over.wait(0.05)  # the hub is away
            except Exception as trouble:
                self.trouble = trouble


class Writer(Part):
    """Writes to times that the others write to as well: whose value stands is decided by the hub alone."""

    def __init__(self, hub, over, seed, base):
        super().__init__(hub, over, seed)
        self.base, self.acked = base, []

    def once(self):
        with Sender(self.hub) as sender:
            sent = []
            while not self.over.is_set():
                while len(sent) < 4:
                    sent.append([self.reading() for _ in range(self.chance.choice([1, 20]))])
                    sender.post(sent[-1])
                answer = sender.answer()
                if "ack" not in answer:
                    return
                assert answer["rejected"] == []
                self.acked.append(sent.pop(0))

    def reading(self):
        moment = self.base + self.chance.randrange(2000) * 1000
        return reading(self.chance.choice("ab"), moment, self.chance.choice([self.chance.random(), 7]))


class Watcher(Part):
    def __init__(self, hub, over, seed, max_hz):
        super().__init__(hub, over, seed)
        self.max_hz, self.mirror, self.snapshots = max_hz, Mirror(), []

    def once(self):
        with Viewer(self.hub) as viewer:
            viewer.subscribe("d/*", history="1h", max_hz=self.max_hz, cursor=self.mirror.cursor, mirror=self.mirror)
            viewer.snapshot()
            self.snapshots.append(self.mirror.recovered)
            leaves_at = time.monotonic() + self.chance.uniform(0.1, 2)
            while not self.over.is_set() and time.monotonic() < leaves_at:
                with contextlib.suppress(TimeoutError):
                    viewer.next(timeout=0.2)


@pytest.mark.timeout(240)
def test_beside_writers_that_meet_and_a_hub_that_dies_each_map_is_history(hub):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance, over, base = random.Random(seed), threading.Event(), time.time_ns() - 600 * SECOND
    hub.token("agent"), hub.token("viewer")
    writers = [Writer(hub, over, chance.random(), base) for _ in range(3)]
    watchers = [Watcher(hub, over, chance.random(), max_hz) for max_hz in (60, 10, 1)]
    port = hub.address[1]
    try:
        for part in writers + watchers:
            part.start()
        for stop in (hub.kill, hub.stop, hub.kill):
            before = sum(len(writer.acked) for writer in writers)
            eventually(lambda: all(w.snapshots for w in watchers) and sum(len(w.acked) for w in writers) > before + 30)  # noqa: B023
            stop()
            hub.start(port)
        eventually(lambda: all(len(watcher.snapshots) > 3 for watcher in watchers))
    finally:
        over.set()
        for part in writers + watchers:
            part.join(timeout=60)
    assert [part.trouble for part in writers + watchers] == [None] * 6
    truth = held(hub.history("d/*", "-2h"))
    for watcher in watchers:
        assert watcher.snapshots == [False] + [True] * (len(watcher.snapshots) - 1)
        assert watcher.mirror.merged == 0
        with Viewer(hub) as viewer:
            viewer.subscribe("d/*", history="1h", cursor=watcher.mirror.cursor, mirror=watcher.mirror)
            viewer.snapshot()
        assert watcher.mirror.as_history() == truth, watcher.max_hz
    stored = {(key[1], moment) for key, points in truth.items() for moment, _ in points}
    acked = {(r["metric"], r["time"]) for writer in writers for batch in writer.acked for r in batch}
    assert acked <= stored
