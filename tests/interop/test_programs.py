"""The commands as scripts call them: pipes that end early, streams in the place of files, mistyped directories, and the
codes by which a script knows what went wrong.
"""

import shutil
import sqlite3
import subprocess
import time

import pytest

from hub import BINARY, Hub
from plain import Sender


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A data directory with 200,000 readings, whose hub runs."""
    with Hub(tmp_path_factory.mktemp("programs") / "data") as hub:
        start = time.time_ns() - 10**12
        with Sender(hub) as sender:
            for begin in range(0, 200_000, 20_000):
                sender.stored(
                    [
                        {"device": "d", "metric": "m", "value": i, "time": start + i}
                        for i in range(begin, begin + 20_000)
                    ]
                )
        yield hub


def piped(hub, words, into):
    """The exit code of the command, and what it and those behind it said."""
    line = f'"$0" {words} --data-dir "$1" | {into}; echo "code ${{PIPESTATUS[0]}}" >&2'
    done = subprocess.run(
        ["bash", "-c", line, BINARY, hub.data_dir], capture_output=True, text=True, timeout=120, env=hub.environ()
    )
    said, code = done.stderr.rsplit("code ", 1)
    return int(code), done.stdout, said


@pytest.mark.parametrize("runs", [True, False])
def test_an_export_into_a_reader_that_has_seen_enough_is_no_failure(filled, tmp_path, runs):
    hub = filled
    if not runs:
        copy = tmp_path / "data"
        shutil.copytree(filled.data_dir, copy, ignore=shutil.ignore_patterns("hub.sock"))
        hub = Hub(copy)
    code, out, said = piped(hub, "export --select '*/*'", "head -n 2")
    assert (code, said) == (0, "")
    assert out.startswith("device,metric,") and out.count("\n") == 2
    code, _, said = piped(hub, "export --select '*/*'", "cat > /dev/full")
    assert code == 0 and "No space left" in said  # cat's own words, as it ends
    words = [BINARY, "export", "--select", "*/*", "--data-dir", hub.data_dir]
    with open("/dev/full", "w") as disk:
        full = subprocess.run(words, stdout=disk, stderr=subprocess.PIPE, text=True, timeout=120)
    assert full.returncode == 1 and "cannot be written" in full.stderr


def test_an_import_of_a_stream_says_where_streams_go(filled):
    for runs, hub in [(True, filled), (False, Hub(filled.data_dir.parent / "none"))]:
        done = subprocess.run(
            [BINARY, "import", "/dev/stdin", "--format", "csv", "--data-dir", hub.data_dir],
            input="device,metric,time,value\nd,m,1700000000000000000,5\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1 and "POST /api/v1/import" in done.stderr, (runs, done.stderr)
    folder = filled.command("import", str(filled.data_dir), "--format", "csv")
    assert folder.returncode == 1 and "no regular file" in folder.stderr


READS = [
    ["export", "--select", "*/*"],
    ["delete", "--select", "*/*", "--from", "-1h", "--yes"],
    ["import", "FILE"],
    ["check"],
    ["stats"],
    ["backup", "COPY"],
]


@pytest.mark.parametrize("words", READS, ids=lambda words: words[0])
def test_a_mistyped_directory_does_not_become_a_new_one(tmp_path, words):
    (tmp_path / "in.csv").write_text(f"device,metric,time,value\nd,m,{time.time_ns()},5\n")
    words = [{"FILE": str(tmp_path / "in.csv"), "COPY": str(tmp_path / "copy")}.get(word, word) for word in words]
    there = tmp_path / "there"
    there.mkdir()
    (there / "letter.txt").write_text("not the hub's")
    missing = tmp_path / "not-there"
    for directory, why in ((there, "not a data directory of telltale"), (missing, "there is no data directory")):
        done = Hub(directory).command(*words)
        assert done.returncode == 1, done
        assert f"{directory}: {why}" in done.stderr
    assert [path.name for path in there.iterdir()] == ["letter.txt"]
    assert not missing.exists()


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """A catalog of a format that this build does not know."""
    hub = Hub(tmp_path_factory.mktemp("newer") / "data").start()
    hub.stop()
    catalog = sqlite3.connect(hub.data_dir / "catalog.sqlite")
    catalog.execute("pragma user_version = 999")
    catalog.close()
    return hub


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--listen", "127.0.0.1:0"],
        ["token", "list"],
        ["token", "create", "--role", "agent"],
        ["token", "revoke", "1"],
        *(words for words in READS if words != ["stats"]),  # looks into the store alone
    ],
    ids=lambda words: "-".join(words[:2]),
)
def test_data_of_a_newer_format_ends_each_command_with_its_code(newer, tmp_path, words):
    (tmp_path / "in.csv").write_text(f"device,metric,time,value\nd,m,{time.time_ns()},5\n")
    words = [{"FILE": str(tmp_path / "in.csv"), "COPY": str(tmp_path / "copy")}.get(word, word) for word in words]
    done = newer.command(*words)
    assert done.returncode == 78, done
    assert done.stdout == "" and "format 999" in done.stderr


def test_a_stop_ends_in_time_also_when_there_is_more_to_seal_than_that(tmp_path):
    """A reading on each day since 2000: a seal makes ten thousand files of them."""
    days = [(946_684_800 + day * 86_400) * 10**9 for day in range(9_800)]
    with Hub(tmp_path / "data") as hub:
        with Sender(hub) as sender:
            sender.stored([{"device": "d", "metric": "m", "value": n, "time": day} for n, day in enumerate(days)])
        began = time.monotonic()
        hub.stop()
        assert time.monotonic() - began > 5, "the seal took no time: this test shows nothing"
        hub.start()
        assert hub.history("d/m", "2000-01-01T00:00:00Z") == {("d", "m", ()): [[day, n] for n, day in enumerate(days)]}
        hub.kill()
