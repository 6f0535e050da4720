"""The documents name only what is there: paths, links, make targets; and the map names every part of the hub."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(p.name for p in ROOT.glob("*.md"))
TOP = ("src", "devices", "dashboards", "config", "tests", ".ci")


def spans(text):
    """What stands in `backticks`, outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))


def paths(text):
    """Spans that look like a path of this repository; `a/{b,c}.rs` means both."""
    for span in spans(text):
        if re.fullmatch(r"[\w.{},*/-]+", span) and span.split("/")[0] in TOP and "/" in span:
            if braces := re.fullmatch(r"(.*)\{(.*)\}(.*)", span):
                yield from (braces[1] + part + braces[3] for part in braces[2].split(","))
            else:
                yield span


def test_the_documents_are_there():
    wanted = {"README.md", "ARCHITECTURE.md", "STYLE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
    assert wanted <= set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_exists(name):
    text = (ROOT / name).read_text()
    missing = [p for p in paths(text) if not list(ROOT.glob(p.rstrip("/")))]
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_exists(name):
    text = (ROOT / name).read_text()
    targets = [t for t in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in t]
    assert [t for t in targets if not (ROOT / t).exists()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_exists(name):
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    text = (ROOT / name).read_text()
    named = {word for span in spans(text) for word in re.findall(r"\bmake ([a-z-]+)", span)}
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    named |= set(re.findall(r"^make ([a-z-]+)", blocks, re.M))
    assert named - made == set()


def test_the_map_names_every_part():
    """Each folder of the hub, each crate and each folder of the tests stands in ARCHITECTURE.md."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    parts = [p for top in ("src", "devices", "tests") for p in (ROOT / top).iterdir() if p.is_dir()]
    unnamed = [
        str(p.relative_to(ROOT)) for p in parts if f"{p.relative_to(ROOT)}" not in text and p.name[0] not in "._"
    ]
    assert unnamed == []


def test_the_top_level_stays_as_it_is():
    kept = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")}
    built = {"target", "telltale-data", "test-results", "__pycache__"}
    assert kept - built == {"src", "devices", "dashboards", "config", "tests"}
