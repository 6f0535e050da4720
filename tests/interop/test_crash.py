"""kill -9 at random instants under load: every acked reading is there once with its value, and nothing that was not
sent; a retry of everything is all duplicates.

CRASH_SEED repeats a run (the seed is in pytest's header), CRASH_RUNS says how many times the hub is killed.
"""

import collections
import os
import random
import subprocess
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed

from hub import Hub, series_key
from plain import Sender

SEED = int(os.environ.get("CRASH_SEED") or time.time_ns() % 2**32)
RUNS = int(os.environ.get("CRASH_RUNS", 30))
SENDERS = 3
IN_FLIGHT = 8

pytestmark = [pytest.mark.crash, pytest.mark.timeout(1500)]


class Load(threading.Thread):
    """One sender that keeps up to eight batches unanswered until the hub dies. What it sent stands in `sent` in
    order, with what the hub had acked when it died."""

    def __init__(self, hub, device, chance):
        super().__init__()
        self.hub, self.device, self.chance = hub, device, chance
        self.sent = []  # [readings]
        self.acked = 0  # the first so many of them
        self.trouble = None

    def run(self):
        try:
            with Sender(self.hub) as sender:
                while True:
                    while len(self.sent) - self.acked < IN_FLIGHT:
                        self.sent.append(self.batch())
                        sender.post(self.sent[-1], seq=len(self.sent))
                    answer = sender.answer()
                    assert answer.get("ack") == self.acked + 1, answer
                    assert answer["rejected"] == [], answer
                    self.acked += 1
        except (ConnectionClosed, OSError):
            pass  # the kill
        except Exception as trouble:
            self.trouble = trouble

    def batch(self):
        # Batches are made faster than their times pass: what is left over by 1000 tells neighbours apart.
        now = time.time_ns() // 1000 * 1000 + len(self.sent) % 1000
        size = self.chance.choice([1, 10, 300])
        if self.chance.random() < 0.2:  # late: up to an hour old
            now -= self.chance.randrange(3600 * 10**6) * 1000
        rows = [
            {"device": self.device, "metric": self.chance.choice("abc"), "value": self.value(), "time": now + i * 1000}
            for i in range(size)
        ]
        if self.chance.random() < 0.3:  # a text too, so that a torn one would show
            rows.append({"device": self.device, "metric": "text", "value": "v" * size + str(now), "time": now})
        # A place in time that is written again and again: the last acked value or a later one must be there.
        rows.append({"device": self.device + "-again", "metric": "m", "value": len(self.sent), "time": 10**18})
        return rows

    def value(self):
        return self.chance.choice([self.chance.random(), self.chance.randrange(10**6)])


def keyed(batches):
    return {(r["device"], r["metric"], r["time"]): r["value"] for batch in batches for r in batch}


def held(hub, device_glob):
    """{(device, metric, time): value} by history; fails on a reading that is listed twice."""
    answer = hub.api("history", select=f"{device_glob}/*", **{"from": "2001-01-01T00:00:00Z", "time": "ns"})
    found = {}
    for series in answer["series"]:
        device, metric, labels = series_key(series)
        assert labels == ()
        assert len({t for t, _ in series["points"]}) == len(series["points"]), f"a time twice in {device}/{metric}"
        found |= {(device, metric, t): v for t, v in series["points"]}
    return found


def check(hub, load):
    """The promise of an ack, reading by reading."""
    found = held(hub, load.device)
    sent = keyed(load.sent)
    assert found == {key: sent.get(key, "never sent") for key in found}
    for key, value in keyed(load.sent[: load.acked]).items():
        if key[0] == load.device:
            assert found.get(key, "nothing") == value, f"acked, not there: {key}"
    again = list(held(hub, load.device + "-again").values())
    allowed = range(load.acked - 1, len(load.sent)) if load.acked else range(len(load.sent))
    assert all(value in allowed for value in again) and len(again) <= 1, (again, allowed)
    assert again or not load.acked


def retry(hub, load):
    """The agent's way: everything again, in order. What was acked is a duplicate; then all of it is."""
    base = [[r for r in batch if not r["device"].endswith("-again")] for batch in load.sent]
    with Sender(hub) as sender:
        for number, answer in enumerate(answers(sender, base)):
            assert answer["stored"] + answer["duplicate"] == len(base[number]), answer
            assert answer["stored"] == 0 or number >= load.acked, (number, answer)
        for number, answer in enumerate(answers(sender, base)):
            assert answer["duplicate"] == len(base[number]), (number, answer)


def answers(sender, batches):
    """The answers to the batches in order, with a few of them under way."""
    for number, batch in enumerate(batches):
        sender.post(batch)
        if number >= IN_FLIGHT:
            yield sender.answer()
    for _ in batches[:IN_FLIGHT]:
        yield sender.answer()


def kill_while_starting(hub, chance):
    """A second crash during recovery must lose nothing either."""
    words = [*hub.command_line(), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=hub.environ())
    time.sleep(chance.random() * 0.1)  # the random instant itself, nothing waits on it
    process.kill()
    process.wait()


def test_every_acked_reading_survives_kill_minus_nine(tmp_path):
    chance = random.Random(SEED)
    hub = Hub(tmp_path / "data")
    totals = collections.Counter()
    for run in range(RUNS):
        hub.start()
        loads = [Load(hub, f"run{run}-{n}", random.Random(chance.random())) for n in range(SENDERS)]
        hub.token("agent")
        for load in loads:
            load.start()
        time.sleep(0.02 + chance.random() * 0.5)  # the random instant itself
        hub.kill()
        for load in loads:
            load.join(timeout=60)
            assert load.trouble is None, load.trouble
        if chance.random() < 0.25:
            kill_while_starting(hub, chance)
            totals["killed while starting"] += 1
        hub.start()
        for load in loads:
            check(hub, load)
            retry(hub, load)
            totals["batches acked"] += load.acked
            totals["batches sent"] += len(load.sent)
        if chance.random() < 0.5:
            hub.kill()
        else:
            hub.stop()
    assert totals["batches acked"] > RUNS
    with hub:
        # Everything of all runs, after the last start.
        total = len(held(hub, "run*"))
    print(f"\nseed {SEED}: {RUNS} kills, {dict(totals)}, {total} readings held")


def test_a_second_hub_on_the_same_data_is_refused(tmp_path):
    with Hub(tmp_path / "data") as hub:
        words = [*hub.command_line(), "--listen", "127.0.0.1:0"]
        second = subprocess.run(words, capture_output=True, text=True, timeout=30, env=hub.environ())
        assert second.returncode == 75
        assert str(hub.data_dir) in second.stderr
        assert hub.is_well()
        hub.kill()
        hub.start()  # the lock is free after kill -9
