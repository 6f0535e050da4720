"""A real hub as a child process: started on a free port, asked by REST, stopped by pid.

What a test may rely on: `Hub.start` returns when the hub answers, `Hub.stop` sends SIGTERM and checks that the hub
ends by itself with code 0 in the time the contract gives it, and no hub is left behind when the test ends.
"""

import os
import re
import selectors
import signal
import subprocess
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
BINARY = Path(os.environ.get("TELLTALE_BIN", ROOT / "target/debug/telltale"))
STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 15


def eventually(read, expected=None, within_s=20.0, every_s=0.02):
    """Polls until `read()` is what is expected (or true, when nothing is named); fails with the last value."""
    deadline = time.monotonic() + within_s
    while True:
        value = read()
        if (value == expected) if expected is not None else value:
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s, expected {expected!r}"
        time.sleep(every_s)


class Hub:
    def __init__(self, data_dir, config=None, env=None, flags=()):
        self.data_dir = Path(data_dir)
        self.config = config
        self.env = env or {}
        self.flags = list(flags)
        self.process = None
        self.url = None
        self.tokens = {}

    def command(self, *words):
        return subprocess.run(
            [BINARY, *words, "--data-dir", self.data_dir],
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environ(),
        )

    def environ(self):
        clean = {k: v for k, v in os.environ.items() if not (k.startswith("TELLTALE_") and "__" in k)}
        return clean | self.env

    def command_line(self):
        return [BINARY, "serve", "--data-dir", self.data_dir, *self.flags]

    def start(self, port=0):
        self.data_dir.mkdir(parents=True, exist_ok=True)
        words = [*self.command_line(), "--listen", f"127.0.0.1:{port}"]
        if self.config is not None:
            path = self.data_dir / "test-hub.toml"
            path.write_text(self.config)
            words += ["--config", path]
        with open(self.data_dir / "test-hub.log", "ab") as log:
            self.process = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True, env=self.environ()
            )
        self.url = self._read_address()
        return self

    def _read_address(self):
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            if not selector.select(timeout=0.2):
                if self.process.poll() is not None:
                    break
                continue
            line = self.process.stdout.readline()
            if not line:
                break
            if match := re.fullmatch(r"listening on (http://\S+)\n", line):
                return match[1]
        raise AssertionError(f"the hub did not start (exit code {self.process.poll()}):\n{self.log_text()}")

    def log_text(self):
        return (self.data_dir / "test-hub.log").read_text(errors="replace")[-4000:]

    @property
    def address(self):
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    def ws(self, path):
        return self.url.replace("http://", "ws://") + path

    def token(self, role, *more):
        """One token per role and restriction, made by the program's own command."""
        key = (role, *more)
        if key not in self.tokens:
            done = self.command("token", "create", "--role", role, *more)
            assert done.returncode == 0, done.stderr
            self.tokens[key] = done.stdout.strip()
        return self.tokens[key]

    def bearer(self, role, *more):
        return {"Authorization": f"Bearer {self.token(role, *more)}"}

    def request(self, method, path, role="viewer", **kwargs):
        headers = (self.bearer(role) if role else {}) | kwargs.pop("headers", {})
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **kwargs)

    def api(self, path, role="viewer", **params):
        answer = self.request("GET", "/api/v1/" + path, role, params=params)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def history(self, select, start="-1h", **params):
        """{(device, metric, labels as sorted pairs): [[time, value], …]} with exact times (ns)."""
        params = {"select": select, "from": start, "time": "ns"} | params
        answer = self.api("history", **params)
        return {series_key(s): s["points"] for s in answer["series"]}

    def metric(self, name):
        """The sum of one of the hub's own counters or gauges over its labels."""
        text = self.request("GET", "/metrics", role=None).text
        rows = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", text, re.M)
        assert rows, f"no {name} in /metrics"
        return sum(float(v) for v in rows)

    def rss_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])

    def peak_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])

    def is_well(self):
        return self.process.poll() is None and self.request("GET", "/healthz", role=None).status_code == 200

    def kill(self):
        """As a power cut would: no warning, nothing flushed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)
        self._close()

    def stop(self):
        """As an operator would; the contract's bound and exit code are checked."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {STOPS_WITHIN_S} s after SIGTERM:\n{self.log_text()}") from None
        self._close()
        assert code == 0, f"exit code {code} after SIGTERM:\n{self.log_text()}"

    def _close(self):
        self.process.stdout.close()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, failed, *_):
        if self.process is None:
            return
        if failed:
            self.kill()
        else:
            self.stop()


def series_key(series):
    return (series["device"], series["metric"], tuple(sorted(series["labels"].items())))
