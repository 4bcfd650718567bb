"""The front page says what is there, and the documentation opened from disk can be searched."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INDEX = (ROOT / "docs" / "index.md").read_text()


def test_the_nouns_of_the_front_page_are_those_of_the_readme_and_all_are_there() -> None:
    import erlangen

    rows = re.findall(r"^\| `(\w+)` \| .*\| \[.+\]\((.+)\) \|$", INDEX, re.M)
    told = re.search(r"Five nouns carry everything: (.*?);", (ROOT / "README.md").read_text())
    assert told is not None
    assert [name for name, _ in rows] == re.findall(r"`(\w+)`", told[1])
    for name, page in rows:
        assert hasattr(erlangen, name) or name == "Frame"
        assert (ROOT / "docs" / page).is_file()
    assert "planned" not in INDEX


def test_the_search_from_disk_finds_titles_first() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node on the PATH")
    docs = [
        {"location": "a.html", "title": "Other", "text": "Here a <code>Segment</code> -&gt; <b>x</b> is named"},
        {"location": "b.html#segment", "title": "Segment", "text": "Which datum each node belongs to"},
        {"location": "c.html", "title": "Segment and Edges", "text": "Ragged"},
        {"location": "d.html", "title": "Nothing", "text": "of the kind"},
    ]
    code = (
        f"const s = require({json.dumps(str(ROOT / 'docs' / 'disk-search.js'))}); const docs = {json.dumps(docs)};"
        "console.log(JSON.stringify([s.found(docs, 'segment').map(e => e.location), s.found(docs, 'segment ragged').map(e => e.location),"
        "s.found(docs, ' '), s.found(docs, 'absent'), s.excerpt(docs[0], 'segment')]))"
    )
    done = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [
        ["b.html#segment", "c.html", "a.html"],
        ["c.html"],
        [],
        [],
        "Here a Segment -> x is named",
    ]
