"""The fixtures every test here may name."""

import pytest

from hub import BINARY, Hub


def pytest_configure(config):
    config.addinivalue_line("markers", "crash: kills the hub many times; run by `make crash`")
    if not BINARY.exists():
        pytest.exit(f"no hub at {BINARY}: build it first with `cargo build` (or set TELLTALE_BIN)", returncode=1)


@pytest.fixture
def hub(tmp_path):
    """A hub of the test's own, stopped and checked when the test ends well."""
    with Hub(tmp_path / "data") as hub:
        yield hub


@pytest.fixture(scope="module")
def shared_hub(tmp_path_factory):
    """One hub for a whole file of tests that write to devices of their own."""
    with Hub(tmp_path_factory.mktemp("hub") / "data") as hub:
        yield hub


def pytest_report_header():
    import test_crash

    return f"crash: seed {test_crash.SEED}, {test_crash.RUNS} runs (repeat with CRASH_SEED={test_crash.SEED})"
