"""Telegraf's outputs.websocket with this machine's CPU, memory, disk and net values, read back by history.

The same run writes every metric to a file as well; history must hold exactly what the file holds.
"""

import json
import os
import re
import signal
import subprocess

import pytest

from hub import ROOT, eventually

CONFIG = """
[agent]
  interval = "500ms"
  flush_interval = "500ms"
  round_interval = false
  precision = "1ns"
  hostname = "telegraf-host"
  omit_hostname = false

[[inputs.cpu]]
  percpu = true
  totalcpu = true
[[inputs.mem]]
[[inputs.disk]]
[[inputs.net]]
  ignore_protocol_stats = true

{output}

[[outputs.file]]
  files = ["{file}"]
  data_format = "json"
  json_timestamp_units = "1ns"
"""
COLLECTIONS = 5


@pytest.fixture
def telegraf():
    path = os.environ.get("TELEGRAF")
    assert path, "TELEGRAF names no binary: run `make interop`, or set it to what tests/peers/telegraf.sh prints"
    return path


def written(file):
    """{series key: {time: value}} of what Telegraf wrote to its file, mapped by the contract's rules."""
    expected = {}
    for line in file.read_text().splitlines():
        metric = json.loads(line)
        tags = {("tag_device" if k == "device" else k): v for k, v in metric["tags"].items() if k != "host"}
        for field, value in metric["fields"].items():
            key = (metric["tags"]["host"], f"{metric['name']}.{field}", tuple(sorted(tags.items())))
            expected.setdefault(key, {})[metric["timestamp"]] = value
    return expected


def readme_snippet(hub):
    """What the README tells a user of Telegraf to write, with this hub's address and token."""
    readme = (ROOT / "README.md").read_text()
    (snippet,) = [block for block in re.findall(r"```toml\n(.*?)```", readme, re.S) if "outputs.websocket" in block]
    assert "ws://127.0.0.1:8080/" in snippet and "TOKEN" in snippet
    return snippet.replace("ws://127.0.0.1:8080", hub.ws("")).replace("TOKEN", hub.token("agent"))


def run_telegraf(telegraf, folder, output, half_way=None):
    """Runs it for a few collections, ends it by SIGTERM (which flushes its outputs); returns what it wrote."""
    file = folder / "metrics.json"
    config = folder / "telegraf.conf"
    config.write_text(CONFIG.format(output=output, file=file))

    def collected():
        return file.read_text().count('"name":"mem"') if file.exists() else 0

    with open(folder / "telegraf.log", "wb") as log:
        process = subprocess.Popen([telegraf, "--config", config], stderr=log, stdout=log)
        try:
            if half_way:
                eventually(lambda: collected() >= COLLECTIONS // 2, within_s=60)
                half_way()
            eventually(lambda: collected() >= COLLECTIONS, within_s=60)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
    assert half_way or "E!" not in (folder / "telegraf.log").read_text()
    return written(file)


def test_history_holds_every_field_that_telegraf_wrote(hub, telegraf, tmp_path):
    expected = run_telegraf(telegraf, tmp_path, readme_snippet(hub))
    names = {metric.split(".")[0] for _, metric, _ in expected}
    assert names == {"cpu", "mem", "disk", "net"}
    count = sum(len(p) for p in expected.values())
    assert count > 50 * COLLECTIONS

    # It waits for no answer, so the last frame may still be on its way when it ends.
    eventually(lambda: sum(len(p) for p in hub.history("telegraf-host/*").values()), count)
    kept = {key: dict(map(tuple, points)) for key, points in hub.history("telegraf-host/*").items()}
    assert kept == expected

    memory = kept[("telegraf-host", "mem.total", ())]
    assert set(memory.values()) == {machine_memory()}
    assert {type(v) for v in memory.values()} == {int}


def test_last_and_devices_know_the_host(hub, telegraf, tmp_path):
    expected = run_telegraf(telegraf, tmp_path, readme_snippet(hub))
    count = sum(len(p) for p in expected.values())
    eventually(lambda: sum(len(p) for p in hub.history("telegraf-host/*").values()), count)
    last = {
        (s["metric"], tuple(sorted(s["labels"].items()))): s["value"]
        for s in hub.api("last", select="telegraf-host/*")["series"]
    }
    newest = {(metric, labels): points[max(points)] for (_, metric, labels), points in expected.items()}
    assert last == newest
    assert [d["device"] for d in hub.api("devices")["devices"]] == ["telegraf-host"]


def machine_memory():
    with open("/proc/meminfo") as lines:
        (kib,) = [int(line.split()[1]) for line in lines if line.startswith("MemTotal:")]
    return kib * 1024
