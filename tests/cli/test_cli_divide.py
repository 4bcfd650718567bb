"""``erlangen divide`` as a user meets it."""

import csv
import json

import pytest
from prompt import call

TASKS = "thing,Ann,Bob,Cem\n"
TASKS += "sofa,6,4,2\npiano,-3,5,-2\nlamp,1,1,1\ndishes,-1,-2,-1\ncooking,2,-1,3\ncleaning,-4,-2,-3\nshopping,-1,-1,-2.5\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks.csv").write_text(TASKS)
    rows = list(csv.reader(TASKS.splitlines()))
    (tmp_path / "turned.csv").write_text("\n".join(",".join(column) for column in zip(*rows)) + "\n")
    (tmp_path / "same.csv").write_text("x;Ann;Bob\ncake;2,5;2,5\ndishes;-1;-1\n")
    (tmp_path / "hard.csv").write_text("x,Ann,Bob\ncake,2,2\ndishes,-1,-1\ndust,-1,-1\n")
    (tmp_path / "gap.csv").write_text("x,Ann,Bob\ncake,2,\n")
    (tmp_path / "twice.csv").write_text("x,Ann,Ann\ncake,2,1\n")
    (tmp_path / "many.csv").write_text("x,Ann,Bob,Cem\n" + "".join(f"t{k},{k},{-k},{k * k % 7 - 3}\n" for k in range(1, 50)))
    return tmp_path


def test_the_answer_is_in_words_and_in_files(files, capsys):
    code, out, err = call(capsys, "divide", "tasks.csv", "--write", "new/mine.csv")
    assert (code, err) == (0, "")
    assert "Ann gets " in out
    assert "Found and checked: " in out
    folder = next((files / "runs" / "divide").iterdir())
    rows = list(csv.DictReader((folder / "allocation.csv").open()))
    assert [row["item"] for row in rows] == ["sofa", "piano", "lamp", "dishes", "cooking", "cleaning", "shopping"]
    assert (files / "new" / "mine.csv").read_text() == (folder / "allocation.csv").read_text()
    assert "report: " in out
    page = (folder / "report.html").read_text()
    assert "What each thing is worth to each person" in page
    # People in rows: the same answer.
    first = json.loads(call(capsys, "divide", "tasks.csv", "--json")[1])
    second = json.loads(call(capsys, "divide", "turned.csv", "--turned", "--json")[1])
    assert first["owner"] == second["owner"]
    assert first["verdicts"]["PO"]["holds"]


def test_what_is_proven_and_what_shows_that_something_does_not_hold(files, capsys):
    code, out, _ = call(capsys, "divide", "same.csv", "--want", "EFX", "PO")
    assert code == 0
    assert "Guaranteed: " in out
    assert "worth 1.5 to" in out
    assert "What does not hold: EF, for " in out
    code, out, _ = call(capsys, "divide", "hard.csv", "--want", "EFX3")
    assert code == 0
    assert "There is no division with EFX3: all 2^3 were looked at" in out
    assert "who gets what" not in out
    code, out, _ = call(capsys, "divide", "many.csv")
    assert out.startswith(
        "Nobody prefers what another one has, and nobody can be better off unless somebody is worse off. Ann gets "
    )
    assert "Found and checked: EF and PO. Made by each thing to who values it most, weighted" in out
    (files / "crowd.csv").write_text("x," + ",".join("ABCDEFGHIJ") + "\n" + "".join(f"t{k}{',1' * 10}\n" for k in range(20)))
    code, out, _ = call(capsys, "divide", "crowd.csv")
    assert out.startswith("Nobody prefers what another one has, ")
    assert "A gets 2 things, worth 2 to A; " in out
    code, out, _ = call(capsys, "divide", "many.csv", "--want", "EF13")
    assert "Guaranteed: " in out
    assert "modified double round robin" in out
    code, out, _ = call(capsys, "divide", "many.csv", "--want", "EFX", "--method", "search", "--json")
    assert json.loads(out)["verdicts"]["EFX"]["holds"]


def test_numbers_beyond_floats_and_odd_names(files, capsys):
    (files / "odd.csv").write_text(f'x,"O\'Neil, Pat",<b>Zoë</b>\n=SUM(A1),{10**400},1\n<script>,1/3,1e300\n')
    code, out, err = call(capsys, "divide", "odd.csv", "--write", "who.csv")
    assert (code, err) == (0, "")
    assert out.startswith("Nobody prefers what another one has, ")
    assert "O'Neil, Pat gets =SUM(A1), worth 1e+400 to O'Neil, Pat; <b>Zoë</b> gets <script>, worth 1e+300" in out
    assert list(csv.reader((files / "who.csv").open()))[1] == ["=SUM(A1)", "O'Neil, Pat", str(10**400)]
    page = next((files / "runs" / "divide").iterdir()).joinpath("report.html").read_text()
    assert "<b>Zoë</b>" not in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("gap.csv",),
            "argument TABLE: expected a number in every cell; got an empty cell in line 2 ('cake'), column 'Bob' of 'gap.csv'",
        ),
        (("twice.csv",), "argument TABLE: expected a name of its own for each column; got 'Ann' again"),
        (("nothing.csv",), "argument TABLE: expected"),
        (("tasks.csv", "--want", "EFQ"), "argument --want: expected an axiom of an allocation: PO, fPO, EF"),
        (("tasks.csv", "--want", "SP"), "argument --want: expected an axiom of an allocation"),
        (("many.csv", "--want", "EFX", "PO"), "no guarantee for class general. add --method search"),
        (("tasks.csv", "--write", "tasks.csv/x.csv"), "argument --write"),
        (
            ("tasks.csv", "--write", "tasks.csv"),
            "argument --write: expected another file than TABLE; got 'tasks.csv', the table itself",
        ),
        (("tasks.csv", "--write", "."), "argument --write: expected another file than TABLE; got '.', a folder"),
    ],
)
def test_bad_input_is_one_line(files, capsys, words, said):
    code, _, err = call(capsys, "divide", *words)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
