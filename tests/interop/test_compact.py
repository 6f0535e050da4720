"""telltale.v1 by a client written from PROTOCOL.md alone: every way to write the same readings, limits at their very
bound, and connections that break.
"""

import contextlib
import json
import random
import re
import time
from itertools import pairwise

import pytest
from websockets.exceptions import ConnectionClosed

import compact
from compact import Agent, batch, define, definition, group
from hub import ROOT, eventually

SECOND = 10**9
GOLDEN = ROOT / "devices/wire/golden"
CODES = {
    number: code
    for number, code in re.findall(r"^\| (\d+) \| `(\w+)`", (GOLDEN.parent / "PROTOCOL.md").read_text(), re.M)
}


@pytest.fixture
def device(request):
    return re.sub(r"[^a-z0-9]+", "-", request.node.name).strip("-")


@pytest.fixture
def agent(shared_hub, device):
    with Agent(shared_hub, device) as agent:
        yield agent


def codes(rejected):
    return [(CODES[str(r["code"])], r["first"], r["count"], r["retry"]) for r in rejected]


def golden(kinds):
    for path in sorted(GOLDEN.glob("*.json")):
        said = json.loads(path.read_text())
        if said["frame"] in kinds:
            yield pytest.param(said, bytes.fromhex(path.with_suffix(".hex").read_text()), id=path.stem)


@pytest.mark.parametrize("said, raw", list(golden({"welcome", "ack", "retry", "slow_down", "closing"})))
def test_golden_frames_of_the_hub_are_read(said, raw):
    heard = compact.heard(raw)
    del said["about"]
    for name in ("hub_time_ns", "last_durable", "up_to", "stored", "duplicate", "seq"):
        if said.get(name) is not None:
            said[name] = int(said[name])
    for entry in said.get("rejected", []):
        places = entry.pop("places")
        entry |= {"seq": int(entry["seq"])} | (places if places != "all" else {"first": 0, "count": 0})
    assert heard == said


@pytest.mark.parametrize("said, raw", list(golden({"hello", "define", "goodbye"})))
def test_golden_frames_of_an_agent_are_written(said, raw):
    types = {"number": compact.NUMBER, "bool": compact.BOOL, "text": compact.TEXT}
    match said["frame"]:
        case "hello":
            written = compact.hello(
                said["agent"], int(said["boot"]), int(said["clock_ns"]), said["program"], said["attributes"]
            )
        case "define":
            written = define(*(definition(**d | {"value_type": types[d["value_type"]]}) for d in said["definitions"]))
        case "goodbye":
            written = compact.goodbye(said["reason"])
    assert written == raw


# ---------------------------------------------------------------- every way to write it


class Chance(random.Random):
    def floats(self, count):
        match self.randrange(5):
            case 0:
                return [self.randrange(-1000, 1000) / 10 for _ in range(count)]
            case 1:
                return [compact.as_f32(self.uniform(-1e3, 1e3)) for _ in range(count)]
            case 2:
                return [self.choice([0.0, -0.0, 5e-324, 1.7976931348623157e308, -1e15, 0.1]) for _ in range(count)]
            case 3:
                return [self.uniform(-1, 1) * 10.0 ** self.randrange(-300, 300) for _ in range(count)]
        return [self.uniform(-1, 1)] * count

    def ints(self, count):
        match self.randrange(3):
            case 0:
                return [self.randrange(-(2**63), 2**63) for _ in range(count)]
            case 1:
                return [self.choice([2**63 - 1, -(2**63), 0, -1]) for _ in range(count)]
        return [self.randrange(100)] * count if self.random() < 0.3 else [self.randrange(100) for _ in range(count)]

    def texts(self, count):
        words = ["", "läuft", "x" * self.randrange(300), "\U0001f6a8", 'a"b\\\n', "\x00"]
        return [self.choice(words)] * count if self.random() < 0.3 else [self.choice(words) for _ in range(count)]

    def values(self, kind, count):
        match kind:
            case "float":
                values = self.floats(count)
            case "int":
                values = self.ints(count)
            case "mixed":
                values = [self.choice(pair) for pair in zip(self.floats(count), self.ints(count), strict=True)]
            case "bool":
                values = (
                    [self.random() < 0.5] * count
                    if self.random() < 0.3
                    else [self.random() < 0.5 for _ in range(count)]
                )
            case "text":
                values = self.texts(count)
        if count > 1 and self.random() < 0.4:
            keep = self.randrange(count)
            values = [v if i == keep or self.random() < 0.7 else None for i, v in enumerate(values)]
        return values

    def times(self, count, around):
        """Times, and the unit that divides them from the base."""
        unit = self.randrange(4)
        step = compact.UNITS[unit]
        match self.randrange(3):
            case 0:
                every = self.choice([0, 1, 7, -3])
                times = [around + i * every * step for i in range(count)]
            case 1:
                times = [around + self.randrange(-50, 50) * step for _ in range(count)]  # some of them alike
            case 2:
                times = [around + (i * 100 + self.randrange(30)) * step for i in range(count)]
        steps = {b - a for a, b in pairwise(times)}
        modes = [1, 2] if count > 1 else [0]
        return times, unit, self.choice(modes + [0] * (len(steps) <= 1))


KINDS = {
    "float": compact.NUMBER,
    "int": compact.NUMBER,
    "mixed": compact.NUMBER,
    "bool": compact.BOOL,
    "text": compact.TEXT,
}


def test_readings_written_in_any_form_are_those_of_history(shared_hub, agent, device):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = Chance(seed)
    metrics = [(f"{kind}{i}", kind) for kind in KINDS for i in range(3)]
    agent.send(define(*(definition(n, device, m, (("l", "ü"),), KINDS[kind]) for n, (m, kind) in enumerate(metrics))))
    wanted, used, sent = {}, set(), 0
    now = time.time_ns() - 6 * 3600 * SECOND
    for seq in range(1, 301):
        base = now + chance.randrange(-(10**9), 10**9)
        groups = []
        for _ in range(chance.randrange(1, 4)):
            count = chance.choice([1, 1, 2, 3, 8, 9, 40])
            times, unit, mode = chance.times(count, base + chance.randrange(60) * SECOND)
            columns = []
            for alias in chance.sample(range(len(metrics)), chance.randrange(1, 5)):
                values = chance.values(metrics[alias][1], count)
                form = chance.choice(compact.forms_of(values))
                used.add(form)
                columns.append((alias, form, values))
                for moment, value in zip(times, values, strict=True):
                    if value is not None:
                        sent += 1
                        wanted.setdefault(metrics[alias][0], {})[moment] = value
            groups.append(group(base, times, columns, unit, mode))
        agent.send(batch(seq * 3, base, *groups))
    stored, duplicate, rejected = agent.acked(900)
    assert (stored + duplicate, rejected) == (sent, [])
    assert used == set(range(10))
    kept = {key[1]: dict(map(tuple, points)) for key, points in shared_hub.history(f"{device}/*", "-8h").items()}
    for metric, points in wanted.items():
        assert kept[metric] == points, metric
        # Equal is not alike: an integer stays an integer. (0.0 and -0.0 are one value, so the first of them is kept.)
        assert {t: type(v) for t, v in kept[metric].items()} == {
            t: type(v) for t, v in points.items()
        } or "mixed" in metric


def test_refused_readings_are_named_by_their_places(agent, device):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = Chance(seed)
    agent.send(define(*(definition(alias, device, f"m{alias}") for alias in range(4)), definition(4, device, "a/b")))
    base = time.time_ns() - 60 * SECOND
    for seq in range(1, 51):
        groups, wanted, place = [], set(), 0
        for _ in range(3):
            count = chance.randrange(1, 20)
            columns = []
            for alias in chance.sample(range(5), 3):
                values = [chance.choice([1.5, 2.5, None, float("nan"), float("inf")]) for _ in range(count)]
                values[chance.randrange(count)] = 3.5
                columns.append((alias, 4, values))
                for value in values:
                    if value is not None:
                        if value - value != 0:
                            wanted.add((place, "not_finite"))
                        elif alias == 4:
                            wanted.add((place, "bad_metric"))
                        place += 1
            groups.append(group(base, [base + seq * SECOND + i for i in range(count)], columns))
        stored, duplicate, rejected = agent.exchange(batch(seq, base, *groups), seq)
        found = {(entry["first"] + i, CODES[str(entry["code"])]) for entry in rejected for i in range(entry["count"])}
        assert found == wanted
        assert stored + duplicate + len(wanted) == place
        assert all(entry["seq"] == seq and entry["message"] and not entry["retry"] for entry in rejected)


# ---------------------------------------------------------------- limits, at the bound and one beyond


def one(seq, alias=0, value=1.0, form=4, rows=1):
    now = time.time_ns() - SECOND
    return batch(seq, now, group(now, [now + i for i in range(rows)], [(alias, form, [value] * rows)]))


def test_a_batch_holds_as_many_readings_as_the_welcome_says(agent, device):
    most = agent.welcome["limits"]["batch_readings"]
    agent.send(define(definition(0, device, "m")))
    assert agent.exchange(one(1, rows=most), 1) == (most, 0, [])
    stored, duplicate, rejected = agent.exchange(one(2, rows=most + 1), 2)
    assert (stored, duplicate, codes(rejected)) == (0, 0, [("limit_batch", 0, 0, False)])
    assert agent.exchange(one(3), 3)[0] == 1


def test_names_and_texts_may_be_as_long_as_the_welcome_says(shared_hub, agent):
    limits = agent.welcome["limits"]
    name, value, text = limits["name_bytes"], limits["label_value_bytes"], limits["text_bytes"]
    labels = tuple((f"l{i:03}", "x") for i in range(limits["label_count"] + 1))
    device = ("ü" * name)[: name // 2]
    rows = [
        (definition(0, device, "m" * name), None),
        (definition(1, device + "x", "m"), "limit_name"),
        (definition(2, device, "m" * (name + 1)), "limit_name"),
        (definition(3, device, "m", labels[:-1]), None),
        (definition(4, device, "m", labels), "limit_labels"),
        (definition(5, device, "m", (("l", "v" * value),)), None),
        (definition(6, device, "m", (("l", "v" * (value + 1)),)), "limit_name"),
        (definition(7, device, "m", (("l" * name, "v"),)), None),
        (definition(8, device, "m", (("l" * (name + 1), "v"),)), "limit_name"),
        (definition(9, device, "u", unit="u" * name), None),
        (definition(10, device, "u", unit="u" * (name + 1)), "limit_name"),
        (definition(11, device, "e", (("l", ""),)), None),
        (definition(12, device, "e"), "duplicate"),
        (definition(13, "", "m"), "bad_device"),
        (definition(14, device, ""), "bad_metric"),
        (definition(15, device, "m", (("_l", "v"),)), "bad_label"),
        (definition(16, device, "m", (("l", "v\\"),)), "bad_label"),
        (definition(17, device, "k", kind="text"), "bad_kind"),
    ]
    agent.send(define(*(row for row, _ in rows)))
    base = time.time_ns() - SECOND
    for alias, (_, code) in enumerate(rows):
        seq = alias + 1
        stored, duplicate, rejected = agent.exchange(batch(seq, base, group(base, [base], [(alias, 4, [1.5])])), seq)
        told = codes(rejected)[0][0] if rejected else "duplicate" if duplicate else None
        assert (alias, told) == (alias, code)
        assert stored + duplicate + len(rejected) == 1
    assert len(shared_hub.history(f"{device}/*")) == 6

    agent.send(define(definition(20, device, "text", value_type=compact.TEXT)))
    assert agent.exchange(one(30, 20, "x" * text, 7), 30) == (1, 0, [])
    assert codes(agent.exchange(one(31, 20, "x" * (text + 1), 7), 31)[2]) == [("limit_text", 0, 1, False)]
    # A constant counts once for every reading it stands for.
    most = limits["frame_bytes"] // text
    assert agent.exchange(one(32, 20, "y" * text, 8, most), 32) == (most, 0, [])
    assert codes(agent.exchange(one(33, 20, "y" * text, 8, most + 1), 33)[2]) == [("limit_batch", 0, 0, False)]


def closed(agent):
    """What the hub says before it closes, and the code of the close frame."""
    last = None
    try:
        while True:
            last = agent.hear()
    except ConnectionClosed as ended:
        assert last and last["frame"] == "closing" and last["reason"], last
        assert ended.rcvd.code == last["code"]
        return last["code"]


def test_an_alias_is_below_the_limit(shared_hub, device):
    for beyond, code in [(0, None), (1, 1008)]:
        with Agent(shared_hub, device, boot=beyond) as agent:
            alias = agent.welcome["limits"]["aliases"] - 1 + beyond
            agent.send(define(definition(alias, device, "m")))
            if code:
                assert closed(agent) == code
            else:
                assert agent.exchange(one(1, alias), 1)[0] == 1


def test_a_frame_of_the_very_limit_is_taken_and_one_byte_more_is_not(shared_hub, device):
    with Agent(shared_hub, device) as agent:
        limit, rows = agent.welcome["limits"]["frame_bytes"], 260
        agent.send(define(definition(0, device, "t", value_type=compact.TEXT)))
        base = time.time_ns() - SECOND

        def sized(seq, total):
            def made(lengths):
                texts = ["x" * n for n in lengths]
                return batch(seq, base, group(base, [base + seq * rows + i for i in range(rows)], [(0, 7, texts)]))

            lengths = [16_000] * rows
            over = len(made(lengths)) - total
            lengths[: rows // 2] = [n - over // (rows // 2) - 1 for n in lengths[: rows // 2]]
            lengths[-1] += total - len(made(lengths))
            assert len(made(lengths)) == total
            return made(lengths)

        assert agent.exchange(sized(1, limit), 1) == (rows, 0, [])
        with pytest.raises(ConnectionClosed) as ended:
            agent.send(sized(2, limit + 1))
            while True:
                agent.hear()
        assert ended.value.rcvd.code == 1009


BROKEN = {
    "a batch before hello": (False, lambda d: [one(1)], 1002),
    "a second hello": (True, lambda d: [compact.hello(d, 1, 0)], 1002),
    "an alias that is not defined": (True, lambda d: [one(1)], 1002),
    "a number again": (True, lambda d: [define(definition(0, d, "m")), one(2), one(2)], 1002),
    "a number that goes back": (True, lambda d: [define(definition(0, d, "m")), one(2), one(1)], 1002),
    "an unknown frame": (True, lambda d: [b"\x7f"], 1002),
    "a frame of the hub": (True, lambda d: [b"\x82\x01\x00\x00\x00"], 1002),
    "an empty frame": (True, lambda d: [b""], 1002),
    "bytes after a goodbye": (True, lambda d: [compact.goodbye("x") + b"\0"], 1002),
    "an agent without a name": (False, lambda d: [compact.hello("", 1, 0)], 1008),
    "a name of 257 bytes": (False, lambda d: [compact.hello("x" * 257, 1, 0)], 1008),
    "33 attributes": (False, lambda d: [compact.hello(d, 1, 0, attributes=[(f"a{i}", "x") for i in range(33)])], 1008),
    "an attribute without form": (False, lambda d: [compact.hello(d, 1, 0, attributes=[("a b", "x")])], 1008),
    "an attribute given twice": (False, lambda d: [compact.hello(d, 1, 0, attributes=[("a", "x"), ("a", "y")])], 1008),
    "a text frame": (True, lambda d: ["text"], 1003),
    "a goodbye": (True, lambda d: [compact.goodbye("done")], 1000),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_ends_a_connection_says_so_by_code(shared_hub, device, case):
    greet, frames, code = BROKEN[case]
    with Agent(shared_hub, device, greet=greet) as agent:
        with contextlib.suppress(ConnectionClosed):
            for frame in frames(device):
                agent.send(frame)
        assert closed(agent) == code


def test_hello_of_a_later_version_is_read(shared_hub, device):
    with Agent(shared_hub, device, greet=False) as agent:
        agent.send(compact.hello(device, 7, 0) + b"\x05later")
        assert agent.hear()["frame"] == "welcome"
        agent.send(define(definition(0, device, "m")))
        assert agent.exchange(one(1), 1)[0] == 1


# ---------------------------------------------------------------- breaks


def test_the_same_agent_elsewhere_ends_the_first_and_another_boot_does_not(shared_hub, device):
    with Agent(shared_hub, device, boot=1) as first, Agent(shared_hub, device, boot=2) as other:
        first.send(define(definition(0, device, "m")))
        assert first.exchange(one(5), 5)[0] == 1
        with Agent(shared_hub, device, boot=1) as second:
            assert second.welcome["last_durable"] == 5
            assert closed(first) == 4409
            # What the first had defined was its own.
            second.send(one(6))
            assert closed(second) == 1002
        other.send(define(definition(0, device, "m")))
        assert other.exchange(one(1), 1)[0] == 1


def test_what_was_not_acked_before_a_kill_comes_again_once(hub):
    """The agent's own way over kills of the hub: number, keep, send again from the first that is not acked."""
    base, held, acked = time.time_ns() - 600 * SECOND, {}, 0
    for round in range(6):
        with contextlib.suppress(ConnectionClosed), Agent(hub, "gw", boot=9) as agent:
            assert (agent.welcome["last_durable"] or 0) <= max(held, default=0)
            agent.send(define(definition(0, "gw", "m"), definition(1, "gw", "n", (("a", "b"),))))
            for seq in range(acked + 1, acked + 41):
                times = [base + seq * SECOND + i for i in range(50)]
                held[seq] = times
                agent.send(batch(seq, base, group(base, times, [(0, 1, [seq] * 50), (1, 8, [seq + 0.5] * 50)])))
            stop_at = acked + 25 if round < 5 else acked + 40
            while agent.up_to < stop_at:
                agent.hear()
            acked = agent.up_to
            assert agent.rejected == []
            if round < 5:  # with fifteen batches under way
                hub.kill()
        if hub.process is None:
            hub.start()
    kept = hub.history("gw/*")
    for key, add in [(("gw", "m", ()), 0), (("gw", "n", (("a", "b"),)), 0.5)]:
        points = {t: v for t, v in kept[key]}
        assert len(points) == len(kept[key])
        for seq, times in held.items():
            if seq <= acked:
                assert [points.get(t) for t in times] == [seq + add] * 50, seq
    with Agent(hub, "gw", boot=9) as again:
        again.send(define(definition(0, "gw", "m")))
        for seq in range(1, acked + 1):
            again.send(batch(seq, base, group(base, held[seq], [(0, 0, [seq] * 50)])))
        assert again.acked(acked) == (0, acked * 50, [])


def test_an_alias_given_anew_holds_from_the_next_batch_on(shared_hub, agent, device):
    for seq, metric in enumerate("abacab", start=1):
        agent.send(define(definition(3, device, metric)))
        base = time.time_ns() - 60 * SECOND
        agent.send(batch(seq, base, group(base, [base + seq], [(3, 0, [seq])])))
    assert agent.acked(6) == (6, 0, [])
    kept = {key[1]: [v for _, v in points] for key, points in shared_hub.history(f"{device}/*").items()}
    assert kept == {"a": [1, 3, 5], "b": [2, 6], "c": [4]}


def test_four_boots_of_an_agent_are_remembered(shared_hub, device):
    for boot in range(1, 6):
        with Agent(shared_hub, device, boot=boot) as agent:
            assert agent.welcome["last_durable"] is None
            agent.send(define(definition(0, device, "m")))
            assert agent.exchange(one(boot * 10), boot * 10)[0] == 1
    found = []
    for boot in range(1, 6):
        with Agent(shared_hub, device, boot=boot) as agent:
            found.append(agent.welcome["last_durable"])
    assert found == [None, 20, 30, 40, 50]


def test_attributes_of_a_hello_describe_the_gateway_once(shared_hub, device):
    def attributes():
        rows = shared_hub.api("devices", limit=10_000)["devices"]
        return next((row["attributes"] for row in rows if row["device"] == device), None)

    with Agent(shared_hub, device, attributes=[("site", "Köln"), ("rack", "b2")]):
        eventually(attributes, {"site": "Köln", "rack": "b2"})
    edit = shared_hub.request("PATCH", f"/api/v1/devices/{device}", "admin", json={"attributes": {"site": "Bonn"}})
    assert edit.status_code == 200, edit.text
    with Agent(shared_hub, device, attributes=[("site", "Köln"), ("floor", "2")]):
        eventually(lambda: (attributes() or {}).get("floor"), "2")
        assert attributes()["site"] == "Bonn"
