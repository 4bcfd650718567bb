"""``erlangen locate`` as a user meets it."""

import csv
import json

import pytest
from prompt import call


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = {
        "p.csv": "person,x,y\nAnn,0,0\nBob,4,0\nCem,1,3\nDoe,5,5\nEve,2,-3\n",
        "line.csv": "p;x\nA;1\nB;2,5\nC;9\nD;11\n",
        "towns.csv": "town,Longitude,Latitude\nBerlin,13.405,52.52\nHamburg,10.0,53.55\nMunich,11.575,48.137\n",
        "pair.csv": "p,x,y\nA,1,0\nB,0,1\n",
        "space.csv": "p,x,y,z\nA,1,0,0\nB,0,1,0\nC,0,0,1\n",
        "many.csv": "x,y\n" + "".join(f"{k * k % 17},{k * 7 % 23}\n" for k in range(60)),
        "gap.csv": "p,x,y\nA,1,\n",
        "ids.csv": "id,geo_lat,geo_lon\n1,52.5,13.4\n2,48.1,11.6\n3,53.5,10\n",
        "high.csv": "p,lat,lon,alt\nA,52.5,13.4,30\nB,48.1,11.6,500\n",
        "world.csv": "p,lat,lon\nA,52.5,13.4\nB,-33.9,151.2\nC,35.7,139.7\nD,-33.4,-70.6\n",
        "around.csv": "p,lat,lon\nA,89,0\nB,89,90\nC,89,180\nD,89,-90\n",
        "twice.csv": "nr,x,y\n1,0,0\n1,2,2\n",
        "same.csv": "p,x,y\nA,3,4\nB,3,4\n",
        "date.csv": "p,lat,lon\nА́нна,-16.5,179.9\n李,-18,-179.5\n<b>,-17,178.4\n",
        "poles.csv": "p,lat,lon\nA,91,0\nB,0,0\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_answer_is_in_words_and_in_files(files, capsys):
    code, out, err = call(capsys, "locate", "p.csv", "--write", "new/mine.csv")
    assert (code, err) == (0, "")
    assert "The place: x 2, y 0. All together go 15.9932, 2.07% more than the least possible, 15.669" in out
    assert "Guaranteed, whoever is where: nobody gains by reporting something else than the truth" in out
    assert "never costs more than 1.202 times the least possible" in out
    assert "could report" in out
    folder = next((files / "runs" / "locate").iterdir())
    assert list(csv.DictReader((folder / "places.csv").open())) == [{"place": "1", "x": "2.0", "y": "0.0"}]
    assert (files / "new" / "mine.csv").read_text() == (folder / "places.csv").read_text()
    page = (folder / "report.html").read_text()
    assert "Who is where" in page
    assert "Cem" in page


def test_places_of_several_kinds(files, capsys):
    out = json.loads(call(capsys, "locate", "line.csv", "--facilities", "2", "--json")[1])
    assert out["places"] == [[1.0], [11.0]]
    assert out["nobody gains by a false report"]
    assert out["nothing else is worse for nobody"]
    _, said, _ = call(capsys, "locate", "towns.csv")
    assert "Latitudes and longitudes are taken for degrees" in said
    assert "The place: Latitude 52.5200, Longitude 11.5750" in said
    assert " km" in said
    _, said, _ = call(capsys, "locate", "p.csv", "--facilities", "2")
    assert "These are the best places" in said
    assert "could report" in said
    _, said, _ = call(capsys, "locate", "p.csv", "--facilities", "9")
    assert "everybody has a place of their own" in said
    out = json.loads(call(capsys, "locate", "many.csv", "--facilities", "3", "--json")[1])
    assert not out["proven"]
    assert out["nothing else is worse for nobody"] is None
    assert len(out["places"]) == 3


def test_what_does_not_hold_is_said(files, capsys):
    _, said, _ = call(capsys, "locate", "pair.csv")
    assert "What it does not do: " in said
    _, said, _ = call(capsys, "locate", "pair.csv", "--norm", "manhattan")
    assert "nothing else would be better for somebody and worse for nobody" in said
    _, said, _ = call(capsys, "locate", "space.csv", "--objective", "maximum")
    assert "would be worse for nobody" in said


def test_people_who_are_numbers_and_distances_on_the_globe(files, capsys):
    _, said, _ = call(capsys, "locate", "ids.csv")
    assert "The place: geo_lat 52.5000, geo_lon 11.6000." in said
    assert "; 2 goes farthest, 489." in said
    assert "on the globe some differ by 3%" in said
    _, said, _ = call(capsys, "locate", "date.csv")
    assert "The place: lat -17.0000, lon 179.9000." in said
    assert "<b> goes farthest, 159." in said  # 1.5 degrees at 17 degrees of latitude, and the date line is no gap
    assert "on the globe" not in said
    newest = max((files / "runs" / "locate").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    assert '"&lt;b&gt;"' in (newest / "report.html").read_text()  # nor is a name markup on the map


def test_nothing_to_go_and_nothing_to_pay(files, capsys):
    _, said, _ = call(capsys, "locate", "same.csv")
    assert "Nobody has to go anywhere." in said
    assert "farthest" not in said
    _, said, _ = call(capsys, "locate", "line.csv", "--objective", "maximum")
    assert "pay nothing in place of 5" in said


def test_what_is_found_is_not_said_to_be_the_best(files, capsys):
    text = (files / "many.csv").read_text().splitlines()
    (files / "mixed.csv").write_text("\n".join([text[0], *reversed(text[1:])]))
    first, second = (
        json.loads(call(capsys, "locate", name, "--facilities", "3", "--json")[1]) for name in ("many.csv", "mixed.csv")
    )
    assert first["places"] == second["places"]  # who is who does not matter
    assert "the best places that were found" in first["answer"]
    assert "Known of this rule" not in first["answer"]
    line = "p,s\n" + "".join(f"p{i},{i * i % 31}\n" for i in range(20))
    (files / "long.csv").write_text(line)
    _, said, _ = call(capsys, "locate", "long.csv", "--facilities", "2")
    assert "Known of this rule: nothing else would be better" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("high.csv",), "got 'alt' beside them"),
        (("world.csv",), "got distances that are off by"),
        (("around.csv",), "far enough from the poles"),
        (("twice.csv",), "a name of its own for each row; got 1 again in column 'nr'"),
        (
            ("gap.csv",),
            "argument POINTS: expected a number in every cell; got an empty cell in line 2 ('A'), column 'y' of 'gap.csv'",
        ),
        (("poles.csv",), "got latitude 91 of 'A'"),
        (("nothing.csv",), "argument POINTS: expected"),
        (("p.csv", "--facilities", "0"), "argument --facilities: expected at least one place; got 0"),
        (("p.csv", "--write", "p.csv/x.csv"), "argument --write"),
        (("p.csv", "--write", "p.csv"), "argument --write: expected another file than POINTS; got 'p.csv', the table itself"),
        (("p.csv", "--write", "."), "argument --write: expected another file than POINTS; got '.', a folder"),
    ],
)
def test_bad_input_is_one_line(files, capsys, words, said):
    code, _, err = call(capsys, "locate", *words)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
