"""A recording of Telegraf, sent by every way to every store: each field, tag and time is read back equal.

Telegraf plays it back through its own parser and outputs. Of InfluxDB as the store, numbers come back as floats
(contract, "Series, values, time"); what is sent to influxd directly is the reference.
"""

import contextlib
import subprocess

import pytest

import recording
import test_line_protocol
import test_telegraf
from hub import Hub, eventually
from influxd import BUCKET, ORG, TOKEN, Influxd
from test_telegraf import telegraf  # noqa: F401  (a fixture)

PLAYER = """
[agent]
  precision = "1ns"
  omit_hostname = true

[[inputs.file]]
  files = ["{file}"]
  data_format = "influx"

{output}
"""
TO_INFLUXD = """
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
"""


def play(telegraf, folder, output):  # noqa: F811
    """Reads the recording once, sends it and ends."""
    file, config = folder / "telegraf.lp", folder / "telegraf.conf"
    file.write_bytes(recording.unzipped())
    config.write_text(PLAYER.format(file=file, output=output))
    done = subprocess.run([telegraf, "--once", "--config", config], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "E!" not in done.stderr, done.stderr


def by_websocket(hub, telegraf, folder):  # noqa: F811
    play(telegraf, folder, test_telegraf.readme_snippet(hub))


def by_line_protocol(hub, telegraf, folder):  # noqa: F811
    play(telegraf, folder, test_line_protocol.readme_snippet(hub))


def by_curl(hub, *_):
    command = [
        "curl",
        "-sS",
        "-o",
        "-",
        "-w",
        "%{http_code}",
        f"{hub.url}/api/v2/write",
        "-H",
        "Content-Encoding: gzip",
    ]
    command += ["-H", f"Authorization: Token {hub.token('agent')}", "--data-binary", f"@{recording.FILE}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("204", 0), (done.stdout, done.stderr)


@contextlib.contextmanager
def embedded(folder):
    """The settings of a hub with this store, and the types in which values come back."""
    yield None, lambda value: value


@contextlib.contextmanager
def influxdb(folder):
    with Influxd(folder / "influxd") as influxd:
        yield influxd.hub_config(), float


def assert_equal(hub, expected):
    first, end = recording.span(expected)
    kept = hub.history("*/*", start=f"{first}ns", to=f"{end}ns")
    assert all(len({time for time, _ in points}) == len(points) for points in kept.values()), "a time twice"
    kept = {key: dict(map(tuple, points)) for key, points in kept.items()}
    assert recording.differences(kept, expected) == []


@pytest.mark.parametrize("way", [by_websocket, by_line_protocol, by_curl])
@pytest.mark.parametrize("store", [embedded, influxdb])
def test_history_holds_every_field_tag_and_time(store, way, telegraf, tmp_path):  # noqa: F811
    with store(tmp_path) as (config, as_kept), Hub(tmp_path / "data", config) as hub:
        expected = {
            key: {time: as_kept(value) for time, value in points.items()} for key, points in recording.of_hub().items()
        }
        way(hub, telegraf, tmp_path)
        # By WebSocket nothing is answered, so the last frame may still be on its way.
        eventually(lambda: hub.metric("telltale_readings_stored_total"), recording.count(expected))
        assert hub.metric("telltale_readings_refused_total") == 0
        assert_equal(hub, expected)
        # The same out of the store alone.
        hub.stop()
        hub.start()
        eventually(lambda: hub.api("status", role="admin")["head_points"] == 0)
        assert_equal(hub, expected)


def test_influxd_itself_holds_every_field_tag_and_time(telegraf, tmp_path):  # noqa: F811
    expected = recording.of_influxdb()
    with Influxd(tmp_path / "influxd") as influxd:
        play(telegraf, tmp_path, TO_INFLUXD.format(url=influxd.url, token=TOKEN, org=ORG, bucket=BUCKET))
        assert recording.differences(influxd.rows(*recording.span(expected)), expected) == []


def test_the_recording_is_ten_minutes_of_four_inputs():
    rows = recording.of_influxdb()
    first, end = recording.span(rows)
    assert end - first > 580 * 10**9
    assert {measurement for measurement, _, _ in rows} == {"cpu", "mem", "disk", "net"}
    assert {type(value) for points in rows.values() for value in points.values()} == {int, float}
    assert any(time % 10**9 for points in rows.values() for time in points), "times are of nanoseconds"
    assert recording.count(rows) > 4000


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("m v=1 5", ("m", {}, {"v": 1.0}, 5)),
        (r"a\ b\,c,t\=1=x\ y\,z v=-1i,w=2u,y=F 5", ("a b,c", {"t=1": "x y,z"}, {"v": -1, "w": 2, "y": False}, 5)),
        (r'm,t="one v="a \", =\\",w=t 5', ("m", {"t": '"one'}, {"v": 'a ", =\\', "w": True}, 5)),
    ],
)
def test_the_parser_reads_line_protocol(line, parsed):
    assert recording.parse(line) == parsed
