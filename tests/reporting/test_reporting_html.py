"""The page as text: escaping, structure, policy."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest
from reporting_example import HOSTILE, example

from erlangen.errors import ArgumentError
from erlangen.reporting import Claim, Claims, Figure, Matrix, Outcome, Section, Table
from erlangen.reporting.html import render


class Page(HTMLParser):
    """Which elements there are, and what stands in the scripts."""

    VOID = ("meta", "link", "br", "img", "hr", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[tuple[dict, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, k, v or "") for k, v in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif not self.open or self.open[-1] != "style":
            self.words.append(data)


@pytest.fixture(scope="module")
def friendly() -> Page:
    return Page(render(example()))


@pytest.fixture(scope="module")
def hostile() -> Page:
    return Page(render(example(hostile=True)))


def test_a_script_in_any_text_stays_text(friendly, hostile):
    assert hostile.tags == friendly.tags  # no element more
    assert hostile.open == []
    assert sum(HOSTILE in words for words in hostile.words) > 20
    assert [text for attrs, text in hostile.scripts if "type" not in attrs] == [
        text for attrs, text in friendly.scripts if "type" not in attrs
    ]


def test_figure_data_survive_their_escaping(hostile):
    blocks = [text for attrs, text in hostile.scripts if attrs.get("type") == "application/json"]
    assert len(blocks) == 5
    assert all("<" not in text for text in blocks)
    bars = json.loads(blocks[2])
    assert bars["data"][0]["name"] == "plain &lt;script&gt;alert(1)&lt;/script&gt;"  # plotly's own markup is escaped as well
    assert bars["data"][0]["error_y"]["array"] == [0.0021, 0.0141, 0.0088, 0.0173]


def test_a_closing_tag_in_a_users_own_figure_closes_nothing():
    mine = Figure("f", go.Figure(go.Scatter(y=[1, 2], name="</script><img src=x onerror=alert(1)>")))
    page = Page(render(Outcome("a", "b", {}, Claims(), figures=[mine])))
    assert "img" not in page.tags
    (block,) = (text for attrs, text in page.scripts if attrs.get("type"))
    assert json.loads(block)["data"][0]["name"] == "</script><img src=x onerror=alert(1)>"


def test_only_the_pages_own_scripts_may_run_and_nothing_is_fetched(friendly):
    (policy,) = (v for tag, k, v in friendly.attributes if (tag, k) == ("meta", "content") and "default-src" in v)
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules["default-src"] == ["'none'"]
    assert "connect-src" not in rules
    running = [text for attrs, text in friendly.scripts if "type" not in attrs]
    assert len(running) == 2
    assert rules["script-src"] == [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in running]
    addresses = [v for _, k, v in friendly.attributes if k in ("src", "href", "action", "srcset")]
    assert addresses == ["data:,"]


def test_a_page_without_figures_carries_no_script():
    text = render(Outcome("a", "Only words", {}, Claims([Claim("c", None, 1, True)])))
    assert "<script" not in text
    assert any("script-src 'none'" in value for _, _, value in Page(text).attributes)
    assert len(text) < 30_000


def test_headings_claims_and_answer(friendly):
    words = " ".join(" ".join(friendly.words).split())
    assert friendly.tags.count("h1") == 1
    assert friendly.tags.index("h1") < friendly.tags.index("h2") < friendly.tags.index("h3")
    assert "4 of 5 claims hold, 1 does not." in words
    assert words.count("✗ does not hold") == 1
    assert words.count("✓ holds") == 4
    assert words.index("✗ does not hold") < words.index("within 0.002") < words.index("0.0087")
    assert "3.1 ×\u00a010⁻¹³" in " ".join(friendly.words)
    assert words.index("The jets respect") < words.index("4 of 5 claims")
    ids = [v for _, k, v in friendly.attributes if k == "id"]
    assert len(ids) == len(set(ids))
    labelled = {v for _, k, v in friendly.attributes if k in ("aria-labelledby", "data-for")}
    assert labelled <= set(ids)


def test_an_empty_outcome_and_empty_parts_render():
    page = Page(
        render(Outcome("a", "b", {}, Claims(), sections=[Section("s", "one text"), Section("t", [], [Table("x", ["a"], [])])]))
    )
    assert "one text" in page.words
    assert "details" in page.tags  # the versions


def test_figures_and_tables_outside_sections_are_shown():
    text = render(Outcome("a", "b", {}, Claims(), tables=[Table("loose", ["n"], [[0.25]])]))
    assert re.search(r"<h2[^>]*>Results</h2>", text)
    assert "0.25" in text


def test_parts_say_what_is_wrong():
    with pytest.raises(ArgumentError, match="2 cells in each row; got 1 in row 1"):
        Table("t", ["a", "b"], [[1, 2], [3]])
    with pytest.raises(ArgumentError, match="matrix"):
        Matrix("m", [[1, 2], [3]])
    with pytest.raises(ArgumentError, match="matrix"):
        Matrix("m", [])
    with pytest.raises(ArgumentError, match="column_labels"):
        Matrix("m", [[1, 2]], column_labels=["a"])


def test_what_was_left_out_is_said_with_the_reason_and_escaped():
    claims = Claims([Claim("c", None, 1, True, key="c")])
    outcome = Outcome("a", "b", {}, claims, left_out={"angular-momentum": "measured with <--full>"})
    assert "angular-momentum: measured with &lt;--full&gt;" in render(outcome)
    assert outcome.as_dict()["left_out"] == {"angular-momentum": "measured with <--full>"}
    assert outcome.as_dict()["claims"]["claims"][0]["key"] == "c"
    assert "not measured in this run" not in render(Outcome("a", "b", {}, claims))


def test_the_glossary_explains_the_words_of_the_page_and_no_others():
    words = {"quadric": "one value <of> a form", "degree": "how nearly", "AUC": "ordered pairs", "frame": "unused"}
    table = Table("Numbers", ["model", "AUC"], [["plain", 0.5]])
    page = render(Outcome("demo", "Demo", {}, answer="The quadric is a cone.", tables=[table], glossary=words))
    assert re.findall("<dt>(.*?)</dt>", page) == ["quadric", "AUC"]
    assert "<dd>one value &lt;of&gt; a form</dd>" in page
    assert "What the words mean" not in render(Outcome("demo", "Demo", {}, glossary=words))


def test_every_cell_of_a_table_says_its_column_for_narrow_pages():
    page = render(Outcome("demo", "Demo", {}, tables=[Table("Numbers", ["model", "plain", "symmetrized"], [["AUC", 0.5, 0.9]])]))
    cells = re.findall(r'<td role="cell" class="number" data-label="(.*?)">(.*?)</td>', page)
    assert cells == [("plain", "0.5000"), ("symmetrized", "0.9000")]
