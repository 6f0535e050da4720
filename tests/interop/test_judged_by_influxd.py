"""Line protocol, judged by the original: each line goes to a real influxd and to the hub, in a request of its own. Both
take it or both refuse it, and what both took is read back equal. Where the hub decides otherwise is named here, and
stands in src/ingest/LINE_PROTOCOL.md.
"""

import os
import random
import re
import time

import httpx
import pytest

from hub import Hub
from influxd import TOKEN, Influxd

# `M` stands for a measurement that no other line has, `@` for a time of now.
LINES = [
    "M v=1 @",
    "M v=1",
    "  M v=1 @  ",
    "\tM v=1 @",
    "M   v=1   @",
    "M v=1\t@",
    "# M v=1 @",
    "  # M v=1 @",
    "M v=1 @ # no comment",
    "M,t=a v=1 @",
    "M,b=2,a=1 v=1 @",
    "M,a=1,a=2 v=1 @",
    "M,a=1,b=2,a=1 v=1 @",
    "M, v=1 @",
    "M,a v=1 @",
    "M,a= v=1 @",
    "M,=a v=1 @",
    "M,a=b=c v=1 @",
    r"M,a=b\=c v=1 @",
    r"M\ n\,o,t\ a\=g=v\,a\ l v\ a\,l\=u=1 @",
    r"M,path=C:\\x v=1 @",
    r"M,path=C:\ v=1 @",
    r"M,a=\ v=1 @",
    'M,"t"="a b v=1 @',
    'M,"t"="a" "v"=1 @',
    "M,ort=Köln 温度=21.5 @",
    "M v=1,w=2,x=3 @",
    "M v=1,v=2 @",
    "M v=1, w=2 @",
    "M v=1,w @",
    "M v=1, @",
    "M v=1,,w=2 @",
    "M v @",
    "M =1 @",
    "M v= @",
    "M v=,w=1 @",
    "M",
    "M @",
    ",a=1 v=1 @",
    "M v=1.5e-3,w=.5,x=-1.,y=-.5 @",
    "M v=1E+3,w=-2e0,x=1e5 @",
    "M v=1e @",
    "M v=e5 @",
    "M v=+1 @",
    "M v=-1 @",
    "M v=- @",
    "M v=. @",
    "M v=1.1.1 @",
    "M v=0x1F @",
    "M v=1_000 @",
    "M v=NaN @",
    "M v=nan @",
    "M v=Inf @",
    "M v=-Infinity @",
    "M v=1e400 @",
    "M v=5e-324,w=1.7976931348623157e308,x=0.1 @",
    "M v=0i,w=-9223372036854775808i,x=9223372036854775807i @",
    "M v=9223372036854775808i @",
    "M v=1.0i @",
    "M v=1i2 @",
    "M v=i @",
    "M v=-i @",
    "M v=1I @",
    "M v=0u,w=9223372036854775807u @",
    "M v=-1u @",
    "M v=1ui @",
    "M v=t,w=T,x=true,y=True,z=TRUE @",
    "M v=f,w=F,x=false,y=False,z=FALSE @",
    "M v=tRUE @",
    "M v=tr @",
    "M v=yes @",
    "M v='x' @",
    'M s="" @',
    'M s="a b,c=d" @',
    r'M s="a \"b\" \\c\\" @',
    r'M s="a\nb\tc\d" @',
    'M s="two\nlines" @',
    'M s="two\n# lines",v=1 @',
    'M s="x @',
    'M s=x" @',
    'M s="a",t="b" @',
    'M s="überhitzt 🔥" @',
    "M v=1 @5",
    "M v=1 @.5",
    "M v=1 @i",
    "M v=1 -",
    "M v=1 +@",
    "M v=1 2026-11-30T10:00:00Z",
    "M v=1 99999999999999999999",
    "M v=1 @ @",
    "\n\nM v=1 @\n\n",
    "M v=1 @\nM w=2 @",
    "",
    "\n",
    " ",
]
# What the hub takes and influxd does not.
LENIENT = [
    # Lines as on Windows.
    "M v=1 @\r\nM w=t\r\n",
    # Names that InfluxDB keeps for itself: tags are renamed, and a field is part of a metric.
    "M,time=a v=1 @",
    "M,_field=a v=1 @",
    "M,_measurement=a v=1 @",
    "M time=1 @",
]
# What influxd takes and the hub does not.
STRICT = [
    # 64 bits with a sign are what an integer is here.
    "M v=18446744073709551615u @",
    # 1970, and the year 2262.
    "M v=1 5",
    "M v=1 -5",
    "M v=1 -@",
    "M v=1 9223372036854775806",
    # Which of them would be the one?
    "M v=1\nM v=2",
    # What follows a text is not guessed at: influxd keeps `x` and forgets the rest.
    'M s="x"y @',
]
# Taken by both, and lost by influxd 2.7.12: no query finds a measurement with a backslash before `=` or `"`.
LOST = [r"M\=n,t=a v=1 @", r"M\"n,t=a v=1 @"]
LETTERS = [",", "=", " ", "\\", '"', "t", "a", "v", "1", "1.5", "-", "2i", "3u", "true", "e5"]
PIECES = [*LETTERS, " @", ",t=a", " v=1", ",w=2", '="x"']
# A random line may run into these, which are the hub's own: most stand in `STRICT`.
RULES = (
    ": value_range: ",
    ": bad_time: ",
    ": time_ahead: ",
    ": time_required: ",
    ": bad_label: ",
    "invalid field format",
)
# Another one: JUDGE_SEED=... .
SEED = int(os.environ.get("JUDGE_SEED", 9))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    with Influxd(folder / "influxd") as influxd, Hub(folder / "data") as hub:
        yield Both(influxd, hub)


class Both:
    def __init__(self, influxd, hub):
        self.influxd, self.hub, self.client = influxd, hub, httpx.Client(timeout=60)
        # Lines without a device are this one's.
        self.token = hub.token("agent", "--devices", "d")
        self.begun, self.count = time.time_ns(), 0

    def post(self, line):
        """What each says to it, and the number of its measurement."""
        number, self.count = self.count, self.count + 1
        body = line.replace("M", f"m{number}x").replace("@", str(self.begun + number)).encode()
        write = "/api/v2/write?org=o&bucket=b&precision=ns"
        theirs = self.client.post(self.influxd.url + write, content=body, headers={"Authorization": f"Token {TOKEN}"})
        ours = self.client.post(self.hub.url + write, content=body, headers={"Authorization": f"Token {self.token}"})
        for answer in (theirs, ours):
            assert answer.status_code in (204, 400, 422), (line, answer.text)
            assert answer.status_code == 204 or {"code", "message"} <= answer.json().keys(), (line, answer.text)
        return theirs, ours, number

    def kept(self):
        """Sorted points by the number in the name of the measurement; without a time that was theirs to give."""
        theirs, ours = {}, {}
        for (name, _, _), points in self.influxd.rows(self.begun - 10**9, time.time_ns() + 10**9).items():
            add(theirs, name, points.items(), self)
        for (_, name, _), points in self.hub.history("*/*", start="-2h").items():
            add(ours, name, points, self)
        return [{number: sorted(points, key=repr) for number, points in of.items()} for of in (theirs, ours)]


def add(kept, name, points, both):
    if found := re.match(r"m(\d+)x", name):
        number = int(found[1])
        timed = [(at if at == both.begun + number else None, value) for at, value in points]
        kept.setdefault(number, []).extend(timed)


def same(both, lines, rules=()):
    taken, differ = {}, []
    for line in lines:
        theirs, ours, number = both.post(line)
        if any(rule in ours.text for rule in rules):
            continue
        if (theirs.status_code == 204) != (ours.status_code == 204):
            differ.append((line, theirs.text, ours.text))
        elif ours.status_code == 204:
            taken[number] = line
    theirs, ours = both.kept()
    differ += [(line, theirs.get(n), ours.get(n)) for n, line in taken.items() if theirs.get(n) != ours.get(n)]
    assert differ == [], "line, influxd, hub"
    return taken


def test_each_line_is_judged_alike(both):
    taken = same(both, LINES)
    assert 30 < len(taken) < len(LINES) - 30


@pytest.mark.parametrize("line", LOST)
def test_a_measurement_that_influxd_loses_is_kept(both, line):
    theirs, ours, number = both.post(line)
    assert (theirs.status_code, ours.status_code) == (204, 204)
    theirs, ours = both.kept()
    assert number not in theirs and [value for _, value in ours[number]] == [1]


def test_random_lines_are_judged_alike(both):
    print(f"JUDGE_SEED={SEED}")
    rng = random.Random(SEED)
    lines = ["M" + "".join(rng.choices(PIECES, k=rng.randint(1, 9))) for _ in range(600)]
    # More of those that are nearly good.
    heads = ["M v=", "M,t=a v=", "M v=1,w=", 'M s="']
    lines += [rng.choice(heads) + "".join(rng.choices(PIECES, k=rng.randint(1, 4))) for _ in range(600)]
    lost = re.compile(r'(?:\\[, ]|[^, ])*\\[="]')
    taken = same(both, [line for line in lines if not lost.match(line)], RULES)
    assert len(taken) > 20, "some are lines"


@pytest.mark.parametrize("line", LENIENT)
def test_the_hub_takes_what_influxd_does_not(both, line):
    theirs, ours, number = both.post(line)
    assert (theirs.status_code >= 400, ours.status_code) == (True, 204), (theirs.text, ours.text)
    assert both.kept()[1][number]


@pytest.mark.parametrize("line", STRICT)
def test_the_hub_refuses_what_influxd_takes(both, line):
    theirs, ours, _ = both.post(line)
    assert (theirs.status_code, ours.status_code in (400, 422)) == (204, True), (theirs.text, ours.text)
