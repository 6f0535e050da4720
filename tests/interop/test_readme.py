"""The README's examples, run as they stand against a real hub."""

import json
import os
import re
import subprocess
import sys
import threading

from hub import BINARY, ROOT

README = (ROOT / "README.md").read_text()


def block(language, word):
    """The one example in this language that holds this word."""
    (found,) = [b for b in re.findall(rf"```{language}\n(.*?)```", README, re.S) if word in b]
    return found


def run_python(hub):
    env = os.environ | {"TELLTALE_URL": hub.ws(""), "TELLTALE_TOKEN": hub.token("agent")}
    example = block("python", "websockets")
    done = subprocess.run([sys.executable, "-c", example], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [eval(line, {"__builtins__": {}}) for line in done.stdout.splitlines()]


def test_the_python_example_sends_and_is_acked(hub):
    assert len(block("python", "websockets").strip().splitlines()) <= 10
    answers = run_python(hub)
    assert [a["ack"] for a in answers] == list(range(10))
    assert all((a["stored"], a["duplicate"], a["rejected"]) == (2, 0, []) for a in answers)
    kept = hub.history("greenhouse-1/*")
    assert [v for _, v in kept[("greenhouse-1", "temperature", ())]] == [20 + n / 10 for n in range(10)]
    assert [v for _, v in kept[("greenhouse-1", "door_open", ())]] == [False] * 10


def test_the_curl_example_of_live_follows_what_comes_in(hub):
    script = block("sh", "/api/v1/live/sse").replace("http://127.0.0.1:8080", hub.url)
    env = os.environ | {"TOKEN": hub.token("viewer")}
    # `exec`, so that the process to be ended is curl itself.
    command = ["bash", "-euc", "exec " + script]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as curl:
        too_long = threading.Timer(60, curl.kill)
        too_long.start()
        try:
            lines = iter(curl.stdout.readline, "")
            assert any(line == "event: snapshot\n" for line in lines)
            run_python(hub)
            assert any(line.startswith("data: ") and "20.9" in line for line in lines)
        finally:
            too_long.cancel()
            curl.kill()


def test_the_curl_examples_answer_what_the_python_example_sent(hub):
    run_python(hub)
    script = block("sh", "/api/v1/history").replace("http://127.0.0.1:8080", hub.url)
    script = script.replace("curl ", "curl -sS -w '\\n' ")
    path = f"{BINARY.parent}:{os.environ['PATH']}"
    env = hub.environ() | {"PATH": path, "TELLTALE_DATA__DIR": str(hub.data_dir)}
    done = subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    raw, buckets, last = [json.loads(line) for line in done.stdout.splitlines()]
    (series,) = raw["series"]
    assert len(series["points"]) == 10
    assert buckets["series"][0]["columns"] == ["time", "min", "mean", "max"]
    assert {(s["metric"], s["value"]) for s in last["series"]} == {("temperature", 20.9), ("door_open", False)}


def test_the_export_example_comes_back_as_duplicates(hub, tmp_path):
    run_python(hub)
    env = hub.environ() | {"PATH": f"{BINARY.parent}:{os.environ['PATH']}", "TELLTALE_DATA__DIR": str(hub.data_dir)}
    files = tmp_path / "files"
    files.mkdir()
    script = ["bash", "-euc", block("sh", "telltale export")]
    done = subprocess.run(script, env=env, cwd=files, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["20 readings in greenhouse.csv", "0 stored, 20 there already, 0 refused"]
    assert [p.name for p in files.iterdir()] == ["greenhouse.csv"]
