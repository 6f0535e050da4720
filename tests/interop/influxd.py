"""A real influxd as a child process: set up on a free port, written to, asked by Flux, ended by pid."""

import csv
import io
import itertools
import os
import socket
import subprocess

import httpx

from hub import eventually

ORG, BUCKET, TOKEN = "o", "b", "a-token-of-the-test"
# What Flux calls the types of line protocol. A time is asked for as an integer: a client's datetime has no nanoseconds.
TYPES = {"long": int, "unsignedLong": int, "double": float, "boolean": lambda text: text == "true", "string": str}
OF_FLUX = ("_measurement", "_field", "_start", "_stop")


def binary():
    path = os.environ.get("INFLUXD")
    assert path, "INFLUXD names no binary: run `make interop`, or set it to what tests/peers/influxd.sh prints"
    return path


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Influxd:
    def __init__(self, folder):
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process = None

    def __enter__(self):
        self.folder.mkdir(parents=True)
        words = [binary(), "run", "--reporting-disabled", "--http-bind-address", self.url.removeprefix("http://")]
        for name in ("bolt", "engine", "sqlite"):
            words += [f"--{name}-path", self.folder / name]
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            eventually(self._is_up, within_s=60)
            setup = {"username": "u", "password": "password1", "org": ORG, "bucket": BUCKET, "token": TOKEN}
            assert httpx.post(f"{self.url}/api/v2/setup", json=setup).status_code == 201
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(timeout=30)

    def _is_up(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()[-4000:]
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def hub_config(self):
        """What makes it the store of a hub."""
        return f"""
[store]
kind = "influxdb"

[store.influxdb]
url = "{self.url}"
org = "{ORG}"
bucket = "{BUCKET}"
token = "{TOKEN}"
"""

    def rows(self, start_ns, stop_ns):
        """{(measurement, tags as sorted pairs, field): {time: value}} of the whole bucket in [start, stop)."""
        times = f"start: time(v: {start_ns}), stop: time(v: {stop_ns})"
        query = f'from(bucket: "{BUCKET}") |> range({times}) |> map(fn: (r) => ({{r with _time: int(v: r._time)}}))'
        body = {"query": query, "dialect": {"annotations": ["datatype", "group"]}}
        answer = httpx.post(
            f"{self.url}/api/v2/query?org={ORG}", json=body, headers={"Authorization": f"Token {TOKEN}"}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        return tables(answer.text)


def tables(text):
    """Annotated CSV: tables of one header each, parted by empty lines; the tags are what a table is grouped by."""
    rows = {}
    # A text may hold newlines, so the empty lines are those that the reader of CSV finds.
    lines_of_all = csv.reader(io.StringIO(text.replace("\r\n", "\n"), newline=""))
    for is_empty, block in itertools.groupby(lines_of_all, key=lambda line: not line):
        if is_empty:
            continue
        types, groups, header, *lines = block
        assert types[0] == "#datatype" and groups[0] == "#group", (types, groups)
        type_of = dict(zip(header, types, strict=True))
        is_group = dict(zip(header, groups, strict=True))
        names = [name for name in header if is_group[name] == "true" and name not in OF_FLUX]
        read = TYPES[type_of["_value"]]
        for line in lines:
            row = dict(zip(header, line, strict=True))
            # A table of several series has columns for all of their tags.
            tags = tuple(sorted((name, row[name]) for name in names if row[name]))
            points = rows.setdefault((row["_measurement"], tags, row["_field"]), {})
            time = int(row["_time"])
            assert time not in points, (row, "a time twice")
            points[time] = read(row["_value"])
    return rows
