"""The OpenAPI document and the hub say the same: schemathesis asks every route, with what fits the document and what
does not, as an admin and as a viewer. No answer is a 5xx, and each is one that the document names: status, content,
headers, schema.

What is left out, and why, stands in schemathesis.toml. The seed is fixed, so a run repeats; `OPENAPI_SEED` and
`OPENAPI_EXAMPLES` choose another and a longer one.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SEED = os.environ.get("OPENAPI_SEED", "6")
EXAMPLES = os.environ.get("OPENAPI_EXAMPLES", "15")
PHASES = "examples,coverage,fuzzing"
LINES = [
    'cpu,host=greenhouse-1,cpu=cpu0 user=3.5,idle=90i,on=true,state="x y"',
    'cpu,host=greenhouse-1,cpu=cpu0 user=4.5,idle=91i,on=false,state="z"',
    "flow,host=pump/2,line=é rate=1,total=5u",
]


def fill(hub):
    lines = [f"{line} {time.time_ns() - 1_000_000_000 * i}\n" for i, line in enumerate(LINES)]
    done = hub.request("POST", "/api/v2/write", "agent", content="".join(lines).encode())
    assert done.status_code == 204, done.text
    edit = {"name": "Greenhouse", "attributes": {"site": "hall 1"}}
    done = hub.request("PATCH", "/api/v1/devices/greenhouse-1", "admin", json=edit)
    assert done.status_code == 200, done.text


def run(hub, role):
    """Schemathesis' exit code and what it printed."""
    for needed in ("admin", "viewer", "agent"):
        hub.token(needed)
    own = [str(token["id"]) for token in hub.api("tokens", "admin")["tokens"]]
    words = ["--seed", SEED, "-n", EXAMPLES, "--phases", PHASES, "--continue-on-failure", "--no-color"]
    words += ["--request-timeout", "20"]
    words += ["--report-dir", hub.data_dir, "-H", f"Authorization: Bearer {hub.token(role)}"]
    program = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    done = subprocess.run(
        [*program, "--config-file", HERE / "schemathesis.toml", "run", hub.url + "/api/v1/openapi.json", *words],
        capture_output=True,
        text=True,
        timeout=580,
        cwd=hub.data_dir,
        env=os.environ
        | {
            "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
            "PYTHONPATH": str(HERE),
            "OWN_TOKENS": " ".join(own),
            "NO_COLOR": "1",
        },
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_every_answer_is_one_that_the_document_names(hub, role):
    fill(hub)
    code, told = run(hub, role)
    assert code == 0, told
    # A run that asked nothing finds nothing, too.
    cases = re.search(r"(\d+) generated", told)
    tested = re.search(r"Tested: (\d+)", told)
    assert cases and int(cases[1]) > 1000 and tested and int(tested[1]) >= 30, told
    assert hub.is_well()
    # It still has its token, so what it asked was answered and not refused throughout.
    assert hub.request("GET", "/api/v1/session", role).json()["role"] == role
