"""Plain ingest with Python's `websockets` and `msgpack`: every form of the contract, read back by history."""

import datetime
import re
import struct
import time

import msgpack
import pytest

from hub import Hub, eventually
from plain import Sender

INT_MAX = 2**63 - 1


@pytest.fixture
def device(request):
    """A device of the test's own, so that tests can share a hub."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name)


@pytest.fixture
def sender(shared_hub):
    with Sender(shared_hub) as sender:
        yield sender


def points(hub, device, metric="m", labels=(), **params):
    return hub.history(f"{device}/*", **params).get((device, metric, tuple(labels)), [])


def refusals(answer):
    return [(r["index"], r.get("metric"), r["code"], r["retry"]) for r in answer["rejected"]]


def test_a_reading_and_a_row_are_acked_once_stored(shared_hub, sender, device):
    now = time.time_ns()
    answer = sender.batch(
        [
            {"device": device, "metric": "m", "value": 1.5, "time": now},
            {"device": device, "time": now + 1, "values": {"m": 2.5, "n": True}},
        ],
        seq=41,
    )
    assert answer == {"ack": 41, "stored": 3, "duplicate": 0, "rejected": []}
    assert points(shared_hub, device) == [[now, 1.5], [now + 1, 2.5]]
    assert points(shared_hub, device, "n") == [[now + 1, True]]


def test_batches_are_answered_in_their_order(shared_hub, sender, device):
    now = time.time_ns()
    seqs = [9, 3, 3, 70000, 2**63 - 1, 0]
    for i, seq in enumerate(seqs):
        sender.post([{"device": device, "metric": "m", "value": i, "time": now + i}], seq=seq)
    assert [sender.answer()["ack"] for _ in seqs] == seqs
    assert points(shared_hub, device) == [[now + i, i] for i in range(len(seqs))]


def test_the_same_value_again_is_a_duplicate_and_another_is_stored(shared_hub, sender, device):
    now = time.time_ns()
    first = {"device": device, "metric": "m", "value": 1, "time": now}
    assert sender.batch([first])["stored"] == 1
    again = sender.batch([first, first | {"value": 1.0}])
    assert (again["stored"], again["duplicate"]) == (0, 2)
    changed = sender.batch([first | {"value": 2}])
    assert (changed["stored"], changed["duplicate"]) == (1, 0)
    assert points(shared_hub, device) == [[now, 2]]


def test_a_bad_reading_is_refused_alone_and_by_place(shared_hub, sender, device):
    now = time.time_ns()
    good = {"device": device, "metric": "m", "value": 1, "time": now}
    answer = sender.batch(
        [
            good,
            {"device": device, "metric": "m", "value": float("nan"), "time": now + 1},
            {"device": "", "metric": "m", "value": 1, "time": now},
            {"device": device, "time": now, "values": {"x": 1, "y": float("inf"), "z": 3}},
            {"device": device, "time": now + 3_600_000_000_000, "values": {"x": 1, "y": 2}},
        ]
    )
    assert (answer["stored"], answer["duplicate"]) == (3, 0)
    assert sorted(refusals(answer), key=str) == sorted(
        [
            (1, "m", "not_finite", False),
            (2, "m", "bad_device", False),
            (3, "y", "not_finite", False),
            (4, "x", "time_ahead", True),
            (4, "y", "time_ahead", True),
        ],
        key=str,
    )
    assert all(r["message"] for r in answer["rejected"])
    assert points(shared_hub, device, "x") == [[now, 1]]
    assert points(shared_hub, device, "z") == [[now, 3]]


def test_stored_duplicate_and_rejected_add_up_to_what_was_sent(shared_hub, sender, device):
    now = time.time_ns()
    row = {"device": device, "time": now, "values": {f"m{i}": i for i in range(10)}}
    answer = sender.batch([row, row, row | {"device": "a\x00b"}])
    assert answer["stored"] == 10
    assert answer["duplicate"] == 10
    assert len(answer["rejected"]) == 10
    assert {r["index"] for r in answer["rejected"]} == {2}
    assert {r["metric"] for r in answer["rejected"]} == set(row["values"])


def test_a_frame_without_seq_gets_no_ack_and_its_refusals_by_frame(shared_hub, sender, device):
    now = time.time_ns()
    good = {"device": device, "metric": "m", "value": 1, "time": now}
    sender.send(good)
    sender.send(good | {"time": now + 1}, [good | {"time": now + 2}, good | {"metric": ""}], good | {"time": now + 3})
    answer = sender.answer()
    assert answer["frame"] == 2
    # The place counts through the array: 0, then 1 and 2 inside it, then 3.
    assert refusals(answer) == [(2, "", "bad_metric", False)] or refusals(answer) == [(2, None, "bad_metric", False)]
    eventually(lambda: points(shared_hub, device), [[now + i, 1] for i in range(4)])
    assert sender.batch([good])["duplicate"] == 1  # nothing else was answered in between


def test_every_kind_of_value_comes_back_as_it_was_sent(shared_hub, sender, device):
    now = time.time_ns()
    sent = {
        "int": [0, 1, -1, INT_MAX, -INT_MAX - 1, 2**53 + 1],
        "float": [0.1, -0.0, 1e308, 5e-324, 1.0],
        "mixed": [1, 2.5, 3],
        "bool": [True, False],
        "text": ["", "grün ✓", "a\nb", "x" * 1000],
    }
    rows = [
        {"device": device, "metric": m, "value": v, "time": now + i} for m, vs in sent.items() for i, v in enumerate(vs)
    ]
    sender.stored(rows)
    for metric, values in sent.items():
        got = points(shared_hub, device, metric)
        assert got == [[now + i, v] for i, v in enumerate(values)]
        assert [type(v) for _, v in got] == [type(v) for v in values] or metric in ("float", "mixed")


def test_float32_is_widened_exactly(shared_hub, sender, device):
    now = time.time_ns()
    packed = msgpack.Packer(use_single_float=True).pack([{"device": device, "metric": "m", "value": 0.1, "time": now}])
    sender.raw(msgpack.packb({"seq": 1}).replace(b"\x81", b"\x82", 1) + msgpack.packb("readings") + packed)
    assert sender.answer()["stored"] == 1
    assert points(shared_hub, device) == [[now, struct.unpack("f", struct.pack("f", 0.1))[0]]]


TIME_FORMS = {
    "nanoseconds": lambda t: t,
    "RFC 3339 in UTC": lambda t: rfc3339(t, "Z"),
    "RFC 3339 with an offset": lambda t: rfc3339(t + 5400 * 10**9, "+01:30"),
}


def rfc3339(nanoseconds, offset):
    seconds, rest = divmod(nanoseconds, 10**9)
    whole = datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:09d}{offset}"


@pytest.mark.parametrize("form", TIME_FORMS)
def test_each_form_of_time_means_the_same_nanosecond(shared_hub, sender, device, form):
    now = time.time_ns()
    sender.stored([{"device": device, "metric": "m", "value": 1, "time": TIME_FORMS[form](now)}])
    assert points(shared_hub, device) == [[now, 1]]


# MessagePack's own time has three lengths; a packer chooses the shortest, so each is spelled out here.
TIMESTAMPS = {
    "32 bits": lambda seconds, ns: b"\xd6\xff" + struct.pack(">I", seconds),
    "64 bits": lambda seconds, ns: b"\xd7\xff" + struct.pack(">Q", ns << 34 | seconds),
    "96 bits": lambda seconds, ns: b"\xc7\x0c\xff" + struct.pack(">Iq", ns, seconds),
}


@pytest.mark.parametrize("form", TIMESTAMPS)
def test_each_length_of_timestamp_is_read(shared_hub, sender, device, form):
    seconds, ns = divmod(time.time_ns(), 10**9)
    if form == "32 bits":
        ns = 0
    row = msgpack.packb({"device": device, "metric": "m", "value": 1})
    assert row[0] == 0x83
    sender.raw(b"\x84" + row[1:] + msgpack.packb("time") + TIMESTAMPS[form](seconds, ns))
    eventually(lambda: points(shared_hub, device), [[seconds * 10**9 + ns, 1]])


def test_without_a_time_the_frame_has_one(shared_hub, sender, device):
    before = time.time_ns()
    answer = sender.batch(
        [
            {"device": device, "metric": "m", "value": 1},
            {"device": device, "metric": "n", "value": 2},
            {"device": device, "metric": "m", "value": 3},
        ]
    )
    after = time.time_ns()
    assert refusals(answer) == [(2, "m", "time_required", False)]
    [[m_time, m]], [[n_time, n]] = points(shared_hub, device), points(shared_hub, device, "n")
    assert (m, n) == (1, 2)
    assert m_time == n_time
    assert before - 10**6 <= m_time <= after + 10**6


def test_unit_kind_and_labels_belong_to_the_series(shared_hub, sender, device):
    now = time.time_ns()
    sender.stored(
        [
            {
                "device": device,
                "metric": "bytes",
                "value": 5,
                "time": now,
                "labels": {"if": "eth0", "gone": ""},
                "unit": "B",
                "kind": "counter",
            },
            {"device": device, "time": now, "values": {"t": 20.5}, "units": {"t": "°C"}, "labels": {"if": "eth0"}},
            {"device": device, "metric": "bytes", "value": 6, "time": now, "labels": {"if": "eth1"}},
        ]
    )
    answer = shared_hub.api("history", select=f"{device}/*", **{"from": "-1h"})
    described = [(s["metric"], s["labels"], s["unit"], s["kind"]) for s in answer["series"]]
    assert described[0] == ("bytes", {"if": "eth0"}, "B", "counter")
    assert described[1][:2] == ("bytes", {"if": "eth1"}) and described[1][3] == "gauge"
    assert described[2] == ("t", {"if": "eth0"}, "°C", "gauge")
    # A label is part of the identity, and of the selector.
    only = shared_hub.history(device + '/bytes{if="eth1"}')
    assert list(only) == [(device, "bytes", (("if", "eth1"),))]


def test_an_unknown_key_names_the_nearest_known_one(shared_hub, sender, device):
    answer = sender.batch([{"device": device, "metric": "m", "valeu": 1}])
    (refusal,) = answer["rejected"]
    assert refusal["code"] == "unknown_field"
    assert "valeu" in refusal["message"] and "value" in refusal["message"]


def test_a_series_keeps_the_type_of_its_first_reading(shared_hub, sender, device):
    now = time.time_ns()
    sender.stored([{"device": device, "metric": "m", "value": 1, "time": now}])
    answer = sender.batch(
        [
            {"device": device, "metric": "m", "value": "one", "time": now + 1},
            {"device": device, "metric": "m", "value": 2, "time": now + 2},
            {"device": device, "metric": "m", "value": True, "time": now + 3},
        ]
    )
    assert refusals(answer) == [(0, "m", "type_changed", False), (2, "m", "type_changed", False)]
    assert points(shared_hub, device) == [[now, 1], [now + 2, 2]]


def test_telegraf_maps_find_their_device_and_name_their_metrics(shared_hub, sender, device):
    now = time.time_ns()
    metric = {
        "name": "disk",
        "time": msgpack.Timestamp.from_unix_nano(now),
        "tags": {"host": device, "device": "vda", "path": "/", "@odd name": "x\\"},
        "fields": {"free": 7, "used/percent": 12.5},
    }
    sender.stored([metric])
    kept = shared_hub.history(f"{device}/*")
    labels = (("path", "/"), ("tag__odd_name", "x"), ("tag_device", "vda"))
    names = {k[1] for k in kept}
    assert names == {"disk.free", "disk.used.percent"}
    assert {k[2] for k in kept} == {labels}
    assert sorted(p[0][1] for p in kept.values()) == [7, 12.5]

    by_id = metric | {"tags": metric["tags"] | {"device_id": device + "-child"}}
    sender.stored([by_id])
    kept = shared_hub.history(f"{device}-child/disk.free")
    ((_, _, labels),) = kept
    assert "host" not in dict(labels) and "device_id" not in dict(labels)


def test_last_write_wins_across_connections_and_restarts(hub):
    now = time.time_ns()
    reading = {"device": "d", "metric": "m", "value": 1, "time": now}
    with Sender(hub) as first, Sender(hub) as second:
        first.stored([reading])
        second.stored([reading | {"value": 2}])
    hub.stop()
    hub.start()
    assert hub.history("d/m") == {("d", "m", ()): [[now, 2]]}
    with Sender(hub) as third:
        assert third.batch([reading | {"value": 2}])["duplicate"] == 1


def test_a_reading_that_is_refused_changes_nothing_of_its_series(shared_hub, sender, device):
    now = time.time_ns()
    told = {"device": device, "metric": "m", "time": now}

    def described():
        (row,) = shared_hub.api("last", select=f"{device}/*")["series"]
        return row["unit"], row["kind"]

    sender.stored([told | {"value": 1}])
    for refused in [
        {"value": "x", "unit": "a", "kind": "text"},
        {"value": True, "unit": "b", "kind": "state"},
        {"value": float("nan"), "unit": "c", "kind": "counter"},
        {"value": 1, "time": now + 3600 * 10**9, "unit": "d", "kind": "counter"},
        {"value": 1, "unit": "e", "kind": "thermometer"},
    ]:
        assert len(sender.batch([told | refused])["rejected"]) == 1
        assert described() == (None, "gauge"), refused
    # Beside one that is taken: the same unit, and the first of them is not of the type.
    answer = sender.batch([told | {"value": "x", "unit": "V"}, told | {"value": 2, "unit": "V", "kind": "counter"}])
    assert (answer["stored"], len(answer["rejected"])) == (1, 1)
    assert described() == ("V", "counter")


def test_the_rules_for_a_metric_hold_after_a_refused_reading_too(tmp_path):
    rule = '[[metric]]\nmatch = "*energy"\nkind = "counter"\nunit = "kWh"\n'
    with Hub(tmp_path / "data", config=rule) as hub:
        with Sender(hub) as first:
            first.stored([{"device": "d", "metric": "energy", "value": 1, "unit": "J", "kind": "gauge"}])
        with Sender(hub) as second:
            bad, good = ({"device": "d", "metric": "energy", "value": value} for value in ("off", 5))
            assert second.batch([bad])["rejected"][0]["code"] == "type_changed"
            (row,) = hub.api("last", select="d/*")["series"]
            assert (row["unit"], row["kind"]) == ("J", "gauge")
            second.stored([good])
            (row,) = hub.api("last", select="d/*")["series"]
            assert (row["unit"], row["kind"]) == ("kWh", "counter")
