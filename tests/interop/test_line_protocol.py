"""Line protocol by those who speak it: InfluxDB's own Python client, Telegraf's outputs.influxdb_v2, and curl."""

import gzip
import json
import os
import re
import socket
import subprocess
import time

import pytest
from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from hub import ROOT, eventually
from test_telegraf import run_telegraf, telegraf  # noqa: F401  (a fixture)


@pytest.fixture
def client(hub):
    with InfluxDBClient(url=hub.url, token=hub.token("agent"), org="any") as client:
        yield client


def test_the_official_client_writes_every_type(hub, client):
    now = time.time_ns()
    point = (
        Point("weather station")
        .tag("host", "roof 1")
        .tag("side", "north,west=cold")
        .field("temperature", 21.25)
        .field("count", 9007199254740993)
        .field("raining", True)
        .field("sky", 'grey, "low"\\clouds\nand rain')
        .time(now, WritePrecision.NS)
    )
    client.write_api(write_options=SYNCHRONOUS).write("any", record=point)
    labels = (("side", "north,west=cold"),)
    assert hub.history("*/*") == {
        ("roof 1", "weather station.temperature", labels): [[now, 21.25]],
        ("roof 1", "weather station.count", labels): [[now, 9007199254740993]],
        ("roof 1", "weather station.raining", labels): [[now, True]],
        ("roof 1", "weather station.sky", labels): [[now, 'grey, "low"\\clouds\nand rain']],
    }


@pytest.mark.parametrize("precision", [WritePrecision.NS, WritePrecision.US, WritePrecision.MS, WritePrecision.S])
def test_the_official_client_chooses_a_precision(hub, client, precision):
    unit = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}[precision]
    count = time.time_ns() // unit
    api = client.write_api(write_options=SYNCHRONOUS)
    api.write("any", record=f"m,host=h v=1i {count}", write_precision=precision)
    assert hub.history("h/m.v") == {("h", "m.v", ()): [[count * unit, 1]]}


def test_the_official_client_batches_and_zips(hub):
    options = WriteOptions(batch_size=500, flush_interval=200)
    start = time.time_ns() - 10**10
    client = InfluxDBClient(url=hub.url, token=hub.token("agent"), org="any", enable_gzip=True)
    with client, client.write_api(write_options=options) as api:
        for n in range(5000):
            api.write("any", record=f"m,host=h,n={n % 7} v={n}i {start + n}")
    kept = hub.history("h/m.v")
    assert sorted(value for points in kept.values() for _, value in points) == list(range(5000))
    assert len(kept) == 7


def test_the_official_client_hears_what_was_refused(hub, client):
    api = client.write_api(write_options=SYNCHRONOUS)
    api.write("any", record="m,host=h v=1")
    with pytest.raises(ApiException) as refused:
        api.write("any", record=['m,host=h v="text"', "m,host=h w=1"])
    assert refused.value.status == 422
    assert "field type conflict" in refused.value.message and refused.value.message.endswith("dropped=1")
    with pytest.raises(ApiException) as refused:
        api.write("any", record=["m,host=h x=1", "m,host=h v="])
    assert refused.value.status == 400 and "missing field value" in refused.value.message
    assert {metric for _, metric, _ in hub.history("*/*")} == {"m.v", "m.w", "m.x"}
    viewer = InfluxDBClient(url=hub.url, token=hub.token("viewer"), org="any")
    with viewer, pytest.raises(ApiException) as refused:
        viewer.write_api(write_options=SYNCHRONOUS).write("any", record="m,host=h v=1")
    assert refused.value.status == 403


def test_clients_find_the_hub_well(hub, client):
    assert client.ping()
    assert (client.version(), client.build()) == ("v2.7.12", "Telltale")
    assert hub.request("GET", "/health", role=None).json()["status"] == "pass"


def readme_snippet(hub):
    readme = (ROOT / "README.md").read_text()
    (snippet,) = [block for block in re.findall(r"```toml\n(.*?)```", readme, re.S) if "outputs.influxdb_v2" in block]
    assert "http://127.0.0.1:8080" in snippet and "TOKEN" in snippet
    return snippet.replace("http://127.0.0.1:8080", hub.url).replace("TOKEN", hub.token("agent"))


def test_history_holds_every_field_that_telegraf_wrote(hub, telegraf, tmp_path):  # noqa: F811
    expected = run_telegraf(telegraf, tmp_path, readme_snippet(hub))
    kept = {key: dict(map(tuple, points)) for key, points in hub.history("telegraf-host/*").items()}
    assert kept == expected


def test_telegraf_goes_on_after_a_hub_that_was_away(hub, telegraf, tmp_path):  # noqa: F811
    port = hub.address[1]

    def outage():
        hub.kill()
        # Until Telegraf has noticed.
        eventually(lambda: "E!" in (tmp_path / "telegraf.log").read_text())
        hub.start(port)

    expected = run_telegraf(telegraf, tmp_path, readme_snippet(hub), half_way=outage)
    kept = {key: dict(map(tuple, points)) for key, points in hub.history("telegraf-host/*").items()}
    assert kept == expected


def test_curl_writes_what_the_readme_says(hub, tmp_path):
    readme = (ROOT / "README.md").read_text()
    (command,) = [line for line in readme.splitlines() if line.startswith("curl") and "/api/v2/write" in line]
    command = command.replace("http://127.0.0.1:8080", hub.url)
    done = subprocess.run(
        ["bash", "-euc", command],
        env=os.environ | {"TELLTALE_TOKEN": hub.token("agent")},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0 and done.stdout == "", (done.stdout, done.stderr)
    (points,) = hub.history("greenhouse-1/*").values()
    assert len(points) == 1


def test_a_large_file_by_curl_is_stored_whole(hub, tmp_path):
    rows, start = 400_000, time.time_ns() - 10**12
    lines = "".join(f"m,host=h,n={n % 20} v={n}i {start + n}\n" for n in range(rows))
    (tmp_path / "lines.gz").write_bytes(gzip.compress(lines.encode(), 1))
    (tmp_path / "lines").write_text(lines)
    for name, header in [("lines", "Content-Type: text/plain"), ("lines.gz", "Content-Encoding: gzip")]:
        command = ["curl", "-sS", "-o", "-", "-w", "%{http_code}", "-X", "POST", f"{hub.url}/write?db=any&precision=n"]
        command += ["-u", f"any:{hub.token('agent')}", "-H", header, "--data-binary", f"@{tmp_path / name}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (done.stdout, done.returncode) == ("204", 0), done.stderr
    assert hub.metric("telltale_readings_stored_total") == rows
    assert hub.metric("telltale_readings_duplicate_total") == rows
    counts = hub.api("history", select="h/m.v", **{"from": "-1h", "agg": "count,sum"})
    assert sum(s["points"][0][1] for s in counts["series"]) == rows
    assert sum(s["points"][0][2] for s in counts["series"]) == rows * (rows - 1) // 2


def test_a_client_that_breaks_off_leaves_only_whole_lines(hub):
    token = hub.token("agent")
    head = f"POST /api/v2/write HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\nContent-Length: 99\r\n\r\n"
    with socket.create_connection(hub.address) as sender:
        sender.sendall(head.encode() + b"m,host=h v=1\nm,host=h w=12")
    with socket.create_connection(hub.address) as sender:
        sender.sendall(head.encode() + b"m,host=h v=")
        eventually(lambda: hub.metric("telltale_bodies_received_total"), 2.0)
    assert hub.is_well()
    stored = hub.api("last", select="*/*")["series"]
    assert all(series["metric"] == "m.v" for series in stored), json.dumps(stored)
