"""Every crate that is built into the programs has a licence from the list in deny.toml."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def allowed_licences():
    deny = tomllib.loads((ROOT / "deny.toml").read_text())
    return set(deny["licenses"]["allow"])


def is_allowed(expression, allowed):
    """An SPDX expression over the allowed names; `/` is what old crates write for OR."""

    def word(match):
        name = match[0]
        return name.lower() if name in ("AND", "OR") else str(name in allowed)

    name = r"[A-Za-z0-9.+-]+(?: WITH [A-Za-z0-9.+-]+)?"
    logic = re.sub(name, word, expression.replace("/", " OR "))
    return eval(logic, {"__builtins__": {}})  # holds only True, False, and, or and brackets


def test_the_reading_of_expressions():
    allowed = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"}
    assert is_allowed("MIT", allowed)
    assert is_allowed("GPL-3.0 OR MIT", allowed)
    assert is_allowed("Unlicense/MIT", allowed)
    assert is_allowed("Apache-2.0 WITH LLVM-exception OR MIT", allowed)
    assert is_allowed("(MIT OR GPL-3.0) AND Apache-2.0", allowed)
    assert not is_allowed("GPL-3.0", allowed)
    assert not is_allowed("(MIT OR Apache-2.0) AND GPL-3.0", allowed)


def test_every_crate_has_an_allowed_licence():
    out = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked"], cwd=ROOT, capture_output=True, check=True
    )
    packages = json.loads(out.stdout)["packages"]
    allowed = allowed_licences()
    assert len(packages) > 100
    refused = {
        f"{p['name']} {p['version']}": p["license"]
        for p in packages
        if not (p["license"] and is_allowed(p["license"], allowed))
    }
    assert refused == {}
