"""Live with Python's `websockets`: snapshot, update, patch, resume, and the rule that the map is exact."""

import contextlib
import random
import re
import time

import pytest

from hub import eventually
from live import Viewer
from plain import Sender

SECOND = 10**9


@pytest.fixture
def device(request):
    return re.sub(r"[^a-z0-9]+", "-", request.node.name)


@pytest.fixture
def sender(shared_hub):
    with Sender(shared_hub) as sender:
        yield sender


def reading(device, value, moment, metric="m", **more):
    return {"device": device, "metric": metric, "value": value, "time": moment, **more}


def mark(sender, viewer, mirror, device):
    """A last reading whose arrival shows that everything committed before it has been sent."""
    moment = time.time_ns()
    sender.stored([reading(device, moment, moment, "mark")])
    viewer.until_value(mirror, (device, "mark", ()), moment, moment)


def test_without_history_the_snapshot_holds_the_last_known_values(shared_hub, sender, device):
    now = time.time_ns()
    sender.stored([reading(device, i, now + i) for i in range(5)])
    with Viewer(shared_hub) as viewer:
        mirror = viewer.subscribe(f"{device}/*")
        first = viewer.next()
        assert first["type"] == "snapshot" and first["recovered"] is False and first["cursor"]
        assert mirror.as_history() == {(device, "m", ()): [[now + 4, 4]]}
        state = viewer.next()
        assert state["type"] == "state"
        assert [d["state"] for d in state["devices"] if d["device"] == device] == ["online"]


def test_a_new_series_is_described_where_it_first_appears(shared_hub, sender, device):
    with Viewer(shared_hub) as viewer:
        mirror = viewer.subscribe(f"{device}/*")
        assert viewer.next()["series"] == []
        now = time.time_ns()
        sender.stored([reading(device, 7, now, labels={"a": "b"}, unit="W")])
        update = viewer.until(lambda m: m["type"] == "update")
        (described,) = update["series"]
        assert (described["device"], described["metric"], described["labels"]) == (device, "m", {"a": "b"})
        assert described["unit"] == "W"
        assert mirror.as_history() == {(device, "m", (("a", "b"),)): [[now, 7]]}


def test_a_late_reading_and_a_rewritten_one_are_patches(shared_hub, sender, device):
    now = time.time_ns()
    sender.stored([reading(device, 1, now)])
    with Viewer(shared_hub) as viewer:
        mirror = viewer.subscribe(f"{device}/m", history="10m")
        viewer.snapshot()
        sender.stored([reading(device, 0, now - SECOND)])
        viewer.until(lambda m: m["type"] == "patch")
        sender.stored([reading(device, 5, now)])
        viewer.until(lambda m: m["type"] == "patch")
        assert mirror.as_history() == shared_hub.history(f"{device}/m")
        assert mirror.as_history() == {(device, "m", ()): [[now - SECOND, 0], [now, 5]]}


def test_a_duplicate_is_not_sent(shared_hub, sender, device):
    now = time.time_ns()
    sender.stored([reading(device, 1, now)])
    with Viewer(shared_hub) as viewer:
        mirror = viewer.subscribe(f"{device}/*", history="10m")
        viewer.snapshot()
        assert sender.batch([reading(device, 1, now)])["duplicate"] == 1
        mark(sender, viewer, mirror, device)
        assert mirror.messages.count("patch") == 0
        assert mirror.messages.count("update") == 1


def test_two_subscriptions_of_one_connection_are_apart(shared_hub, sender, device):
    now = time.time_ns()
    sender.stored([reading(device, 1, now, "a"), reading(device, 2, now, "b")])
    with Viewer(shared_hub) as viewer:
        a = viewer.subscribe(f"{device}/a", id="a")
        b = viewer.subscribe([f"{device}/b", f"{device}/a"], id="b")
        viewer.snapshot()
        viewer.snapshot()
        assert a.as_history() == {(device, "a", ()): [[now, 1]]}
        assert b.as_history() == {(device, "a", ()): [[now, 1]], (device, "b", ()): [[now, 2]]}
        viewer.tell({"type": "unsubscribe", "id": "a"})
        sender.stored([reading(device, 3, now + 1, "a")])
        viewer.until_value(b, (device, "a", ()), now + 1, 3)
        assert a.as_history() == {(device, "a", ()): [[now, 1]]}


def test_json_gives_milliseconds_with_a_fraction(shared_hub, sender, device):
    moment = time.time_ns() // SECOND * SECOND + 123_456_000
    sender.stored([reading(device, 1, moment)])
    with Viewer(shared_hub, exact=False) as viewer:
        mirror = viewer.subscribe(f"{device}/*")
        viewer.snapshot()
        ((got, value),) = mirror.points[(device, "m", ())].items()
        assert got == pytest.approx(moment / 10**6, abs=0.0005) and value == 1


def test_a_cursor_resumes_with_only_what_came_after(shared_hub, sender, device):
    now = time.time_ns()
    sender.stored([reading(device, i, now + i) for i in range(100)])
    with Viewer(shared_hub) as viewer:
        mirror = viewer.subscribe(f"{device}/*", history="10m")
        viewer.snapshot()
    held = mirror.as_history()
    sender.stored([reading(device, -1, now - SECOND), reading(device, 50.5, now + 50), reading(device, 100, now + 100)])
    with Viewer(shared_hub) as viewer:
        viewer.subscribe(f"{device}/*", history="10m", cursor=mirror.cursor, mirror=mirror)
        snapshot = viewer.snapshot()
        assert snapshot["recovered"] is True
        assert sum(len(s.get("points", [])) for s in snapshot["series"]) <= 3
        assert mirror.as_history() != held
        assert mirror.as_history() == shared_hub.history(f"{device}/*")


def test_a_cursor_of_another_hub_gets_the_full_history(shared_hub, sender, device):
    now = time.time_ns()
    sender.stored([reading(device, i, now + i) for i in range(10)])
    with Viewer(shared_hub) as viewer:
        viewer.subscribe(f"{device}/*", id="a")
        cursor = viewer.snapshot()["cursor"]
        other = re.sub(r"[0-9a-f]", lambda m: "0" if m[0] != "0" else "1", cursor, count=1)
        mirror = viewer.subscribe(f"{device}/*", id="b", history="10m", cursor=other)
        assert viewer.until(lambda m: m["type"] == "snapshot" and m["id"] == "b")["recovered"] is False
        assert mirror.as_history() == shared_hub.history(f"{device}/*")


def test_a_cursor_survives_a_restart(hub):
    now = time.time_ns()
    with Sender(hub) as sender, Viewer(hub) as viewer:
        sender.stored([reading("d", i, now + i) for i in range(10)])
        mirror = viewer.subscribe("d/*", history="10m")
        viewer.snapshot()
    for stop in (hub.stop, hub.kill):
        stop()
        hub.start()
        with Sender(hub) as sender, Viewer(hub) as viewer:
            sender.stored([reading("d", 99, time.time_ns())])
            viewer.subscribe("d/*", history="10m", cursor=mirror.cursor, mirror=mirror)
            assert viewer.snapshot()["recovered"] is True
            assert mirror.as_history() == hub.history("d/*")


def test_a_large_snapshot_comes_in_parts_a_default_client_can_take(shared_hub, sender, device):
    now = time.time_ns()
    for start in range(0, 40_000, 10_000):
        sender.stored([reading(device, i * 1.1, now + i) for i in range(start, start + 10_000)])
    with Viewer(shared_hub, max_size=256 * 1024 + 4096) as viewer:
        mirror = viewer.subscribe(f"{device}/*", history="10m")
        parts = [viewer.next()]
        while parts[-1].get("more"):
            parts.append(viewer.next())
        assert len(parts) > 1
        assert all(p["type"] == "snapshot" for p in parts)
        assert [bool(p.get("cursor")) for p in parts] == [False] * (len(parts) - 1) + [True]
        assert mirror.as_history() == shared_hub.history(f"{device}/*")


def test_a_token_of_one_device_sees_no_other(shared_hub, sender, device):
    now = time.time_ns()
    sender.stored([reading(device, 1, now), reading(device + "-secret", 2, now)])
    token = shared_hub.token("viewer", "--devices", device)
    with Viewer(shared_hub, token=token) as viewer:
        mirror = viewer.subscribe("*/*", history="10m")
        viewer.snapshot()
        sender.stored([reading(device + "-secret", 3, now + 1), reading(device, 3, now + 1)])
        viewer.until_value(mirror, (device, "m", ()), now + 1, 3)
        assert set(mirror.points) == {(device, "m", ())}
        assert {d for d in viewer.states} <= {device}


def test_revoking_a_token_closes_its_sockets_within_a_second(hub):
    made = hub.command("token", "create", "--role", "viewer", "--name", "guest")
    with Viewer(hub, token=made.stdout.strip()) as viewer:
        viewer.subscribe("*/*")
        viewer.snapshot()
        tokens = hub.api("tokens", role="admin")["tokens"]
        (ident,) = [t["id"] for t in tokens if t["name"] == "guest"]
        done = hub.command("token", "revoke", str(ident))
        assert done.returncode == 0, done.stderr
        asked = time.monotonic()

        def closed():
            try:
                viewer.next(timeout=5)
            except Exception:
                return viewer.socket.close_code
            return None

        assert eventually(closed, 4401, within_s=5)
        assert time.monotonic() - asked < 3


def differences(mirror, truth):
    """(metric, time, what the viewer holds, what history says) wherever the two are not the same."""
    found = []
    for key in truth.keys() | mirror.points.keys():
        held, kept = mirror.points.get(key, {}), dict(map(tuple, truth.get(key, [])))
        times = sorted(t for t in held.keys() | kept.keys() if held.get(t) != kept.get(t))
        found += [(key[1], t, held.get(t), kept.get(t)) for t in times]
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_map_is_exact_with_late_readings_and_breaks_mixed_in(shared_hub, device, seed):
    """Two viewers watch a random sender; one of them breaks and resumes. Both maps must equal history at the end."""
    chance = random.Random(seed)
    start = time.time_ns()
    with Sender(shared_hub) as sender:
        sender.stored([reading(device, 0, start)])
        steady_viewer = Viewer(shared_hub)
        steady = steady_viewer.subscribe(f"{device}/*", history="1h", max_hz=60)
        steady_viewer.snapshot()
        breaking_viewer = Viewer(shared_hub)
        breaking = breaking_viewer.subscribe(f"{device}/*", history="1h", max_hz=20)
        breaking_viewer.snapshot()
        for _ in range(150):
            batch = []
            for _ in range(chance.randint(1, 30)):
                late = chance.choice([0, 0, 0, chance.randrange(60 * SECOND)])
                moment = time.time_ns() - late
                if chance.random() < 0.2:
                    moment = start + chance.randrange(5)  # collides: rewritten or duplicate
                metric = chance.choice("abc")
                batch.append(reading(device, chance.choice([chance.random(), chance.randrange(3)]), moment, metric))
            sender.stored(batch)
            if chance.random() < 0.05:
                breaking_viewer.close()
                if chance.random() < 0.5:
                    sender.stored([reading(device, chance.random(), start + chance.randrange(5), "a")])
                breaking_viewer = Viewer(shared_hub)
                breaking_viewer.subscribe(
                    f"{device}/*", history="1h", max_hz=20, cursor=breaking.cursor, mirror=breaking
                )
                breaking_viewer.snapshot()
                assert breaking.recovered is True
        # A frame of one tick may come in parts, of which the last carries the new cursor: so read on until all are in.
        truth = shared_hub.history(f"{device}/*")
        for viewer, mirror in [(steady_viewer, steady), (breaking_viewer, breaking)]:
            deadline = time.monotonic() + 20
            while differences(mirror, truth) and time.monotonic() < deadline:
                with contextlib.suppress(TimeoutError):
                    viewer.next(timeout=1)
        assert sum(len(p) for p in truth.values()) > 1000
        assert steady.merged == breaking.merged == 0
        assert differences(steady, truth) == []
        assert differences(breaking, truth) == []
        steady_viewer.close()
        breaking_viewer.close()
