"""Ten minutes of a machine's CPU, memory, disk and net, recorded by Telegraf itself (`record.sh` makes it anew), and
what must be read back of them.

The parser of line protocol here is its own: it shares nothing with the hub, Telegraf or InfluxDB. Floats are read as
Python reads them, so they are compared to the last bit.
"""

import gzip
import re

from hub import ROOT

FILE = ROOT / "tests/interop/telegraf.lp.gz"


QUOTED = r'"(?:\\.|[^"\\])*"|'


def parted(text, mark, quoted=""):
    """Parts at a mark that is not escaped, nor within a quoted text where there may be one."""
    return re.findall(rf"(?:\\.|{quoted}[^{mark}\\])+", text)


def name(text):
    """Of a measurement, tag or field."""
    return re.sub(r"\\([,= ])", r"\1", text)


def value(text):
    if text[0] == '"':
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if text[0] in "tTfF":
        return text[0] in "tT"
    return int(text[:-1]) if text[-1] in "iu" else float(text)


def parse(line):
    """(measurement, tags, fields, time)"""
    (head, *_) = parted(line, " ")
    fields, time = parted(line[len(head) + 1 :], " ", QUOTED)
    measurement, *tags = (parted(part, "=") for part in parted(head, ","))
    pairs = (parted(part, "=", QUOTED) for part in parted(fields, ",", QUOTED))
    return (
        name(*measurement),
        {name(tag): name(text) for tag, text in tags},
        {name(field): value(text) for field, text in pairs},
        int(time),
    )


def unzipped():
    return gzip.decompress(FILE.read_bytes())


def lines():
    return [parse(line) for line in unzipped().decode().splitlines()]


def of_influxdb():
    """{(measurement, tags as sorted pairs, field): {time: value}}: what InfluxDB makes of it."""
    rows = {}
    for measurement, tags, fields, time in lines():
        for field, read in fields.items():
            rows.setdefault((measurement, tuple(sorted(tags.items())), field), {})[time] = read
    return rows


def of_hub():
    """{series key: {time: value}}: the same under the names that the contract maps them to."""
    series = {}
    for (measurement, tags, field), points in of_influxdb().items():
        labels = {("tag_device" if tag == "device" else tag): text for tag, text in tags if tag != "host"}
        series[(dict(tags)["host"], f"{measurement}.{field}", tuple(sorted(labels.items())))] = points
    return series


def span(rows):
    """The first time, and the one after the last."""
    times = [time for points in rows.values() for time in points]
    return min(times), max(times) + 1


def count(rows):
    return sum(len(points) for points in rows.values())


def differences(found, expected):
    """The first few places where two {key: {time: value}} are not equal; a value of another type is another value."""
    wrong = []
    for key in sorted(found.keys() | expected.keys()):
        have, want = found.get(key, {}), expected.get(key, {})
        for time in sorted(have.keys() | want.keys()):
            one, other = have.get(time), want.get(time)
            if (type(one), one) != (type(other), other):
                wrong.append(f"{key} at {time}: {one!r}, expected {other!r}")
    return wrong[:5]
