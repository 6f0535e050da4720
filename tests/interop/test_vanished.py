"""Viewers whose network vanished: no FIN, no RST, not a byte more in either direction. The hub lets go of each in the
time that LIVE.md says, and holds a bounded mailbox for it meanwhile.

The hub and its viewers run in a network of their own (`unshare --net`), whose one device is taken away. The test itself
asks over the hub's socket in its data directory.
"""

import subprocess
import sys
import time

import httpx
import pytest

from hub import Hub, eventually

pytestmark = pytest.mark.timeout(240)

# Of limits.rs: a comment to an idle stream within 5 s, a ping within 25 s, 60 s until a connection is given up, a sweep
# each 5 s.
STREAMS_END_WITHIN_S = 5 + 60 + 10
SOCKETS_END_WITHIN_S = 25 + 60 + 5 + 10
MAILBOX_BYTES = 1 << 20

# What `ip link set lo up` does, where there is no `ip`.
LOOPBACK = """
import fcntl, socket, struct, sys
device = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
flags = struct.unpack("16sh", fcntl.ioctl(device, 0x8913, struct.pack("16sh", b"lo", 0)))[1]
fcntl.ioctl(device, 0x8914, struct.pack("16sh", b"lo", flags | 1 if sys.argv[1] == "up" else flags & ~1))
"""
SERVE = LOOPBACK + "\nimport os\nos.execv(sys.argv[2], sys.argv[2:])\n"

SOCKET = """
import json, sys
from websockets.sync.client import connect
url, token, select = sys.argv[1:]
with connect(url, additional_headers={"Authorization": "Bearer " + token}, ping_interval=None) as viewer:
    viewer.send(json.dumps({"type": "subscribe", "id": "a", "select": [select], "max_hz": 60}))
    for message in viewer:
        print(json.loads(message)["type"], flush=True)
"""
STREAM = """
import sys, httpx
url, token, select = sys.argv[1:]
asked = {"select": select, "max_hz": 60}
headers = {"Authorization": "Bearer " + token}
with httpx.stream("GET", url, params=asked, headers=headers, timeout=None) as answer:
    for line in answer.iter_lines():
        if line.startswith("event: "):
            print(line.removeprefix("event: "), flush=True)
"""


class FarHub(Hub):
    """In a network that can be taken away."""

    def command_line(self):
        line = super().command_line()
        return ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", SERVE, "up", *line]

    def inside(self, script, *words):
        enter = ["nsenter", "--target", str(self.process.pid), "--user", "--net", "--preserve-credentials"]
        return subprocess.Popen([*enter, sys.executable, "-c", script, *words], stdout=subprocess.PIPE, text=True)

    def network(self, state):
        assert self.inside(LOOPBACK, state).wait(timeout=30) == 0

    def request(self, method, path, role=None, **kwargs):
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.data_dir / "hub.sock")), timeout=60) as client:
            return client.request(method, "http://localhost" + path, **kwargs)

    def put(self, rows=2000):
        now = time.time_ns()
        lines = "".join(f"m,device=d-{i % 100} value={now} {now + i}\n" for i in range(rows))
        answer = self.request("POST", "/api/v2/write?bucket=b", content=lines)
        assert answer.status_code == 204, answer.text


def test_viewers_whose_network_vanished_are_let_go_in_time(tmp_path):
    viewers = []
    with FarHub(tmp_path / "data") as hub:
        hub.put()
        for script, url in [(STREAM, hub.url + "/api/v1/live/sse"), (SOCKET, hub.ws("/api/v1/live"))]:
            for select in ["*/*", "nobody/*"]:
                viewers.append(hub.inside(script, url, hub.token("viewer"), select))
        try:
            for viewer in viewers:
                assert viewer.stdout.readline() == "snapshot\n"
            eventually(lambda: hub.metric("telltale_viewers_open"), 4)
            hub.network("down")
            began, weights = time.monotonic(), []
            while viewers_open := hub.metric("telltale_viewers_open"):
                gone_for_s = time.monotonic() - began
                assert gone_for_s < SOCKETS_END_WITHIN_S, f"{viewers_open} viewers are held after {gone_for_s:.0f} s"
                # Both streams and the socket that is sent something; the idle one is found by its ping.
                assert viewers_open < 4 or gone_for_s < STREAMS_END_WITHIN_S, f"all are held after {gone_for_s:.0f} s"
                hub.put()
                weights.append(hub.metric("telltale_live_mailbox_bytes"))
                time.sleep(0.1)
            assert time.monotonic() - began > 50, "a network may come back within a minute"
            assert max(weights) > MAILBOX_BYTES / 2, "something waited for them"
            assert max(weights) < 2 * 2 * MAILBOX_BYTES, f"{max(weights)} bytes waited for two busy viewers"
            eventually(lambda: hub.metric("telltale_live_mailbox_bytes"), 0)
            eventually(lambda: hub.metric("telltale_live_subscriptions"), 0)
        finally:
            for viewer in viewers:
                viewer.kill()
                viewer.wait()
                viewer.stdout.close()
