"""Tables by names or texts that others choose have a random key (src/keyed.rs): none can be made to collide."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Path and type of tables whose texts only the hub chooses.
ALLOWED: set[tuple[str, str]] = set()

TEXT = r"(?:&(?:'\w+ )?)?(?:str|\[u8\]|String|Labels|SeriesKey|(?:Box|Arc|Rc|Cow|Vec)<)"
BY_TEXT = re.compile(rf"Fx(?:Hash|Index)(?:Map|Set)<\s*\(?\s*{TEXT}[^=;{{\n]*")


def by_text(source):
    return [found[0].strip() for found in BY_TEXT.finditer(source)]


def test_tables_by_text_are_found():
    rows = {
        "known: FxHashMap<Box<[u8]>, Known>,": True,
        "let units: FxHashMap<&[u8], Field<'_>> =": True,
        "names: FxHashSet<Arc<str>>,": True,
        "by_wish: FxHashMap<String, Vec<GroupId>>,": True,
        "arrival_of: FxHashMap<(Arc<str>, Option<Arc<str>>), u32>,": True,
        "numbers: FxHashMap<&'a str, i64>": True,
        "by_series: FxHashMap<SeriesId, u32>,": False,
        "known: KeyedMap<Box<[u8]>, Known>,": False,
    }
    assert {line: bool(by_text(line)) for line in rows} == rows


def test_tables_by_text_have_a_random_key():
    sources = {p.relative_to(ROOT).as_posix(): p.read_text() for p in (ROOT / "src").rglob("*.rs")}
    found = {(path, table) for path, source in sources.items() for table in by_text(source)}
    assert found - ALLOWED == set()
