"""Live as server-sent events, with nothing but http.client: the same map as history, also over breaks."""

import http.client
import json
import random
import re
import time
from urllib.parse import urlencode

import pytest

from live import Mirror
from plain import Sender

MS = 10**6


class Events:
    """One stream, read as a browser reads it. Messages go to the mirror; `last_id` is what a browser would send."""

    def __init__(self, hub, mirror, last_id=None, role="viewer", **question):
        self.mirror, self.last_id = mirror, last_id
        mirror.begun = False
        self.connection = http.client.HTTPConnection(*hub.address, timeout=20)
        headers = hub.bearer(role) | ({"Last-Event-ID": last_id} if last_id else {})
        self.connection.request("GET", "/api/v1/live/sse?" + urlencode(question), headers=headers)
        self.answer = self.connection.getresponse()

    def next(self):
        """The next event as (type, id, message); None at the end."""
        fields = {}
        while line := self.answer.readline():
            line = line.decode().removesuffix("\n")
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "data" in fields:
                self.last_id = fields.get("id", self.last_id)
                message = json.loads(fields["data"])
                assert message["type"] == fields["event"]
                if message["type"] in ("snapshot", "update", "patch"):
                    self.mirror.apply(message)
                return fields["event"], fields.get("id"), message
            else:
                fields = {}
        return None

    def until(self, kind):
        while event := self.next():
            if event[0] == kind:
                return event
        raise AssertionError(f"the stream ended before {kind}")

    def until_value(self, key, moment, value):
        while self.mirror.points.get(key, {}).get(moment) != value:
            assert self.next(), f"the stream ended before {value}"

    def __enter__(self):
        assert self.answer.status == 200, self.answer.read()
        return self

    def __exit__(self, *_):
        # The answer holds the socket too, as long as it is not read to its end.
        self.answer.close()
        self.connection.close()


@pytest.fixture
def device(request):
    return re.sub(r"[^a-z0-9]+", "-", request.node.name)


@pytest.fixture
def sender(shared_hub):
    with Sender(shared_hub) as sender:
        yield sender


def now_ms():
    """Times that JSON tells exactly."""
    return time.time_ns() // MS


def reading(device, moment, value, metric="m"):
    return {"device": device, "metric": metric, "value": value, "time": moment * MS}


def test_a_snapshot_and_then_every_change(shared_hub, sender, device):
    start = now_ms()
    sender.stored([reading(device, start, 1)])
    with Events(shared_hub, Mirror(), select=f"{device}/*") as events:
        assert events.answer.headers["content-type"] == "text/event-stream"
        assert events.answer.headers["cache-control"] == "no-store"
        assert events.answer.headers["x-accel-buffering"] == "no"
        kind, id, snapshot = events.next()
        assert (kind, id, snapshot["recovered"]) == ("snapshot", snapshot["cursor"], False)
        assert events.next()[0] == "state"
        for i in range(1, 6):
            sender.stored([reading(device, start + i, i)])
            kind, id, update = events.next()
            assert (kind, id, update["points"]) == ("update", update["cursor"], [[0, start + i, i]])
        sender.stored([reading(device, start + 3, 33)])
        kind, id, patch = events.next()
        assert (kind, id, patch["ranges"][0]["points"]) == ("patch", patch["cursor"], [[start + 3, 33]])


def test_over_breaks_the_map_is_what_history_says(shared_hub, sender, device):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    start, key = now_ms(), (device, "m", ())
    mirror, last_id, resumed = Mirror(), None, 0
    question = {"select": f"{device}/m", "history": "1h", "max_hz": 60}
    newest = 0
    for round in range(20):
        with Events(shared_hub, mirror, last_id, **question) as events:
            # Late and rewritten readings, some of them while nobody watches.
            events.until("snapshot")
            resumed += mirror.recovered
            assert mirror.recovered == (round > 0)
            for _ in range(rng.randrange(5)):
                newest += 1
                late = start - rng.randrange(1000)
                sender.stored([reading(device, late, rng.random()), reading(device, start + newest, rng.random())])
            if rng.random() < 0.5:
                newest += 1
                sender.stored([reading(device, start + newest, newest)])
                events.until_value(key, start + newest, newest)
            last_id = events.last_id
        for _ in range(rng.randrange(3)):
            sender.stored([reading(device, start - rng.randrange(1000), rng.random())])
    assert resumed == 19
    with Events(shared_hub, mirror, last_id, **question) as events:
        sender.stored([reading(device, start + newest + 1, -1)])
        events.until_value(key, start + newest + 1, -1)
        events_seen = {k: [[t * MS, v] for t, v in points] for k, points in mirror.as_history().items()}
    assert events_seen == shared_hub.history(f"{device}/m", "-2h")


@pytest.mark.parametrize(
    "question, role, status, code",
    [
        ({"select": "nothing"}, "viewer", 400, "bad_selector"),
        ({}, "viewer", 400, "bad_parameter"),
        ({"select": "*/*", "max_hz": "1000"}, "viewer", 400, "bad_parameter"),
        ({"select": "*/*"}, "agent", 403, "forbidden"),
    ],
)
def test_a_refusal_is_an_answer_of_its_own(shared_hub, question, role, status, code):
    events = Events(shared_hub, Mirror(), role=role, **question)
    assert events.answer.status == status
    assert json.loads(events.answer.read())["error"]["code"] == code
    events.connection.close()


def test_a_hub_that_stops_says_so_and_ends_the_stream(hub):
    with Events(hub, Mirror(), select="*/*") as events:
        events.until("snapshot")
        hub.process.terminate()
        _, _, closing = events.until("closing")
        assert (closing["code"], closing["retry_after_ms"]) == (1001, 1000)
        assert events.next() is None
    hub.stop()
