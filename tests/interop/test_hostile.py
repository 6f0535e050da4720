"""Every row of hostile.toml gets its named refusal, and the hub goes on serving others."""

import json
import subprocess
import time
import tomllib
from pathlib import Path

import msgpack
import pytest
from websockets.sync.client import connect

from hub import BINARY, Hub
from plain import Sender
from raw import RawSocket

TABLE = tomllib.loads((Path(__file__).parent / "hostile.toml").read_text())


def rows(kind):
    return [pytest.param(row, id=row["name"]) for row in TABLE[kind]]


def test_the_table_is_long_enough():
    names = [(kind, row["name"]) for kind, table in TABLE.items() for row in table]
    assert len(names) == len(set(names)) >= 40


# What TOML cannot hold or should not spell out.
STAND_INS = {
    "@long@": lambda: "x" * 100_000,
    "@huge@": lambda: "x" * 3_000_000,
    "@nil@": lambda: None,
    "@u64@": lambda: 2**64 - 1,
    "@now@": lambda: msgpack.Timestamp.from_unix_nano(time.time_ns()),
    "@hour-ahead@": lambda: time.time_ns() + 3600 * 10**9,
    "@thousand@": lambda: {f"l{i}": "x" for i in range(1000)},
    "@hundred-thousand@": lambda: [{"device": "hostile", "metric": "m", "value": 1, "time": i} for i in range(100_000)],
}


def filled(value):
    if isinstance(value, dict):
        return {k: filled(v) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(v) for v in value]
    return STAND_INS[value]() if isinstance(value, str) and value in STAND_INS else value


def any_of(expected):
    return expected if isinstance(expected, list) else [expected]


def says(row, text):
    for word in row.get("says", []):
        assert word in text, f"{text!r} does not say {word!r}"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A hub with an honest sender whose every reading must be taken, before and after each hostile row."""
    with Hub(tmp_path_factory.mktemp("hostile") / "data") as hub, Sender(hub) as honest:
        hub.honest = honest
        yield hub
        kept = hub.history("honest/m")[("honest", "m", ())]
        assert [v for _, v in kept] == list(range(1, honest.seq + 1))
        assert hub.history("hostile*/*") == {}


@pytest.fixture(autouse=True)
def others_are_served(request):
    yield
    if "served" in request.fixturenames:
        hub = request.getfixturevalue("served")
        reading = {"device": "honest", "metric": "m", "value": hub.honest.seq + 1, "time": time.time_ns()}
        hub.honest.stored([reading])
        assert hub.is_well()


def payload_of(row):
    if "hex" in row:
        return bytes.fromhex(row["hex"])
    if "fill" in row:
        unit, times, end = row["fill"]
        return bytes.fromhex(unit) * times + bytes.fromhex(end)
    return msgpack.packb(filled(row["value"]))


@pytest.mark.parametrize("row", rows("frame"))
def test_frame(served, row):
    with Sender(served) as sender:
        sender.raw(payload_of(row))
        answer = sender.answer()
        if "row" in row:
            (refusal,) = answer["rejected"]
            assert answer["stored"] == answer["duplicate"] == 0
            assert refusal["code"] in any_of(row["row"]), refusal
            assert refusal["retry"] == row.get("retry", False)
            says(row, refusal["message"])
        else:
            assert answer["frame"] == 1
            assert answer["error"]["code"] in any_of(row["code"]), answer
            assert answer["error"]["message"]
            says(row, answer["error"]["message"])
        # The connection stays.
        sender.raw(msgpack.packb({"seq": 5, "readings": []}))
        assert sender.answer()["ack"] == 5


@pytest.mark.parametrize("row", rows("message"))
def test_message(served, row):
    text = row.get("text") or row["fill"][0] * row["fill"][1] + row["fill"][2] * row["fill"][1]
    with connect(served.ws("/api/v1/live"), additional_headers=served.bearer("viewer")) as viewer:
        viewer.send(text)
        answer = json.loads(viewer.recv(timeout=20))
        assert answer["type"] == "error", answer
        assert answer["error"]["code"] in any_of(row["code"]), answer
        assert answer["error"]["message"]
        says(row, json.dumps(answer, ensure_ascii=False))
        # The connection stays, and the same id may be used in a better message.
        viewer.send(json.dumps({"type": "subscribe", "id": "a", "select": ["nobody/*"]}))
        assert json.loads(viewer.recv(timeout=20))["type"] == "snapshot"


@pytest.mark.parametrize("row", rows("query"))
def test_query(served, row):
    path = row["path"].replace("@16k@", "x" * 16_000)
    answer = served.request("GET", "/api/v1/" + path)
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
    error = answer.json()["error"]
    assert error["code"] in any_of(row["code"]), error
    assert error["message"]
    says(row, json.dumps(error, ensure_ascii=False))


@pytest.mark.parametrize("row", rows("header"))
def test_header(served, row):
    def spelled(text):
        for role in ("agent", "viewer"):
            text = text.replace(f"@{role}@", served.token(role))
        return text.replace("@half-mebibyte@", "x" * 524_288)

    headers = {k: spelled(v) or None for k, v in row.get("headers", {}).items()}
    with RawSocket(served) as peer:
        if row.get("upgrade"):
            upgrade = {
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version": "13",
            }
            headers = upgrade | headers
        status, _ = peer.ask(spelled(row["request"]), {"Host": peer.host} | headers)
        assert status in row["status"]
        if "lacks" in row:
            assert row["lacks"].encode() not in peer.rest()


@pytest.mark.parametrize("row", rows("config"))
def test_config(tmp_path, row):
    hub = Hub(tmp_path / "data", env=row.get("env"))
    words = [BINARY, "serve", "--data-dir", hub.data_dir, *row.get("flags", ["--listen", "127.0.0.1:0"])]
    if "text" in row:
        file = tmp_path / "hub.toml"
        file.write_text(row["text"])
        words += ["--config", file]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, env=hub.environ())
    assert done.returncode == 64, (done.returncode, done.stderr)
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for name in row["names"]:
        assert name in done.stderr, f"{done.stderr!r} does not name {name!r}"
    assert not hub.data_dir.exists(), "refused before any file is touched"
