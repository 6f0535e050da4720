"""Each type of the REST document has a name of its own: two of one name would be one there, and one of them wrong."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
DERIVED = re.compile(
    r"#\[derive\([^)]*ToSchema[^)]*\)\](?:\s*#\[[^\n]*)*\s*(?:pub(?:\([^)]*\))? )?(?:struct|enum) (\w+)"
)


def test_no_two_schemas_share_a_name():
    names = Counter(name for path in (ROOT / "src").rglob("*.rs") for name in DERIVED.findall(path.read_text()))
    assert len(names) > 40
    assert [name for name, count in names.items() if count > 1] == []
