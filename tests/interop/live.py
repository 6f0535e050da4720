"""A viewer that keeps what the contract says a viewer holds: a map (series, time) -> value.

Over MessagePack every time is an integer of nanoseconds, so the map can be compared with history exactly.
"""

import json
import time
from contextlib import ExitStack

import msgpack
from websockets.sync.client import connect

MSGPACK = "telltale.live.v1.msgpack"


class Mirror:
    """What one subscription has told: applies snapshots, updates and patches, nothing else."""

    def __init__(self):
        self.points = {}  # series key -> {time: value}
        self.names = {}  # the subscription's number -> series key
        self.cursor = None
        self.recovered = None
        self.merged = 0
        self.messages = []
        self.begun = False  # a snapshot may come in parts; the first one starts anew

    def apply(self, message):
        self.messages.append(message["type"])
        kind = message["type"]
        if kind == "snapshot":
            if not self.begun:
                self.begun = True
                self.recovered = message["recovered"]
                self.names = {}
                if not message["recovered"]:
                    self.points = {}
            for described in message["series"]:
                self._describe(described)
            for forgotten in message.get("ranges", []):
                self._replace(forgotten)
            for described in message["series"]:
                self._put(described["series"], described.get("points", []))
        elif kind == "update":
            for described in message.get("series", []):
                self._describe(described)
                self._put(described["series"], described.get("points", []))
            for number, moment, value in message["points"]:
                self._put(number, [[moment, value]])
            self.merged += message.get("merged", 0)
        elif kind == "patch":
            for described in message.get("series", []):
                self._describe(described)
            for forgotten in message["ranges"]:
                self._replace(forgotten)
        self.cursor = message.get("cursor", self.cursor)

    def _describe(self, described):
        labels = tuple(sorted(described["labels"].items()))
        self.names[described["series"]] = (described["device"], described["metric"], labels)

    def _put(self, number, points):
        held = self.points.setdefault(self.names[number], {})
        for moment, value in points:
            held[moment] = value

    def _replace(self, forgotten):
        held = self.points.setdefault(self.names[forgotten["series"]], {})
        for moment in [t for t in held if forgotten["from"] <= t <= forgotten["to"]]:
            del held[moment]
        self._put(forgotten["series"], forgotten["points"])

    def as_history(self):
        return {key: [list(p) for p in sorted(held.items())] for key, held in self.points.items() if held}


class Viewer:
    """One live connection; messages are handed to the mirror of the id they name."""

    def __init__(self, hub, token=None, exact=True, **options):
        headers = {"Authorization": f"Bearer {token or hub.token('viewer')}"}
        self.exact = exact
        self.stack = ExitStack()
        connection = connect(
            hub.ws("/api/v1/live"),
            additional_headers=headers,
            subprotocols=[MSGPACK] if exact else None,
            compression=None,
            close_timeout=5,
            **options,
        )
        self.socket = self.stack.enter_context(connection)
        self.mirrors = {}
        self.states = {}

    def subscribe(self, select, id="s", mirror=None, **more):
        self.mirrors[id] = mirror or Mirror()
        self.mirrors[id].begun = False
        select = select if isinstance(select, list) else [select]
        self.tell({"type": "subscribe", "id": id, "select": select, **more})
        return self.mirrors[id]

    def tell(self, message):
        self.socket.send(msgpack.packb(message) if self.exact else json.dumps(message))

    def next(self, timeout=20):
        """Receives one message, applies it, returns it."""
        raw = self.socket.recv(timeout=timeout)
        message = msgpack.unpackb(raw) if self.exact else json.loads(raw)
        if message["type"] == "state":
            for state in message["devices"]:
                self.states[state["device"]] = state
        elif message["type"] in ("snapshot", "update", "patch"):
            self.mirrors[message["id"]].apply(message)
        return message

    def until(self, wanted, within_s=20):
        """Receives until `wanted(message)`; returns that message."""
        deadline = time.monotonic() + within_s
        while True:
            message = self.next(timeout=max(0.01, deadline - time.monotonic()))
            if wanted(message):
                return message

    def snapshot(self):
        """Receives up to the last part of a snapshot."""
        return self.until(lambda m: m["type"] == "snapshot" and not m.get("more"))

    def until_value(self, mirror, key, moment, value, within_s=20):
        """Receives until the map holds this point: the usual way to know that all sent before it has arrived."""
        deadline = time.monotonic() + within_s
        while mirror.points.get(key, {}).get(moment) != value:
            self.next(timeout=max(0.01, deadline - time.monotonic()))

    def __enter__(self):
        return self

    def close(self):
        self.stack.close()

    def __exit__(self, *_):
        self.close()
