"""``erlangen microstructures`` as a user meets it."""

import json

import numpy as np
import pytest
from prompt import call

from erlangen.errors import ArgumentError
from erlangen.fields import microstructures as micro
from erlangen.reporting import voxels


@pytest.fixture
def files(tmp_path):
    a, b = micro.search_roots((4, 3), (5,)).roots[0].members
    pair = micro.factor_roots((9, 8, 8), seed=0)
    for name, S in {
        "a": a,
        "b": b,
        "rolled": np.roll(a, 1, 0),
        "cube": pair.a,
        "alone": np.array([1, 1, 2, 2, 2]),
        "real": np.ones(3),
    }.items():
        np.save(tmp_path / f"{name}.npy", S)
    micro.Pair(a, b).save(tmp_path / "pair.npz")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "search.json").write_text('{"search": "of something else", "done": [], "tried": {}}')
    return tmp_path


def test_mates_are_found_and_written(files, capsys):
    for name in ("a", "cube"):
        code, out, _ = call(capsys, "microstructures", "mate", files / f"{name}.npy", "--out", files / "runs", "--json")
        assert code == 0
        told = json.loads(out)
        assert told["verdict"]["holds"]
        folder = files / "runs" / "microstructures-mate"
        mate = np.load(sorted(folder.iterdir())[-1] / "mate.npy")
        assert micro.equivalent(micro.read_structure(files / f"{name}.npy"), mate)
    page = (sorted(folder.iterdir())[-1] / "report.html").read_text()
    assert "mesh3d" in page
    code, out, _ = call(capsys, "microstructures", "mate", files / "alone.npy", "--out", files / "runs", "--quiet")
    assert code == 0
    assert "It has no mate" in out


def test_a_stopped_search_says_how_to_go_on(files, capsys, monkeypatch):
    from erlangen.fields.microstructures import mates

    real = mates._matching

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(mates, "_matching", stop)
    code, _, err = call(capsys, "microstructures", "mate", files / "a.npy", "--out", files / "runs", "--quiet")
    assert code == 130
    words = err.split("continue with: ")[1].split()
    assert words[-2] == "--resume"
    monkeypatch.setattr(mates, "_matching", real)
    code, out, _ = call(capsys, *words[1:])
    assert code == 0
    assert "It has a mate, found by enumeration" in out


def test_checks_bounds_and_conductivities(files, capsys):
    for other, said in (("b", "They are mates"), ("rolled", "one structure")):
        code, out, _ = call(capsys, "microstructures", "check", files / "a.npy", files / f"{other}.npy", "--out", files / "runs")
        assert code == 0
        assert said in out
    code, out, _ = call(capsys, "microstructures", "bounds", files / "a.npy", "--k", 10, 1, "--out", files / "runs")
    assert "Between 1.6 and 4.75" in out
    code, out, _ = call(capsys, "microstructures", "keff", files / "a.npy", "--k", 10, 1, "--out", files / "runs", "--json")
    assert json.loads(out)["K"][0][0] == pytest.approx(2.98387956, abs=1e-7)


def test_all_of_a_grid_and_children(files, capsys, monkeypatch):
    monkeypatch.chdir(files)
    code, out, _ = call(capsys, "microstructures", "search", 4, 3, "--counts", 5, "--json")
    assert code == 0
    told = json.loads(out)
    assert [told[name] for name in ("structures", "orbits", "correlations", "shared", "unexplained")] == [792, 25, 24, 1, 1]
    (folder,) = (files / "runs" / "microstructures-search").iterdir()
    with np.load(folder / "members.npz") as members:
        assert members["class_1"].shape == (2, 4, 3)
    recipe = [["kernel-extend", [[[1, 0], [1, 1]]]], ["tile", [2, 1, 2]]]
    (files / "recipe.json").write_text(json.dumps(recipe))
    for given in (json.dumps(recipe), "recipe.json"):
        code, out, err = call(capsys, "microstructures", "child", folder / "pair-1.npz", "--recipe", given, "--write", "child.vtk")
        assert (code, err) == (0, "")
        assert "The children (16 x 6 x 2) are mates" in out
    child = micro.load_pair(sorted((files / "runs" / "microstructures-child").iterdir())[-1] / "pair.npz")
    assert child.a.shape == (16, 6, 2)
    assert micro.equivalent(*child)
    assert not micro.related(*child)
    assert child.origin["found by"] == "search"
    assert "DIMENSIONS 17 7 3" in (files / "child.vtk").read_text()
    # Nothing is believed: a pair of no mates, and children that are one structure.
    micro.Pair(np.array([1, 1, 2, 2]), np.array([1, 2, 1, 2])).save("none.npz")
    code, out, _ = call(capsys, "microstructures", "child", "none.npz", "--recipe", '[["tile", [2]]]')
    assert "The pair are no mates" in out
    assert "Nor have the children" in out
    code, out, _ = call(capsys, "microstructures", "child", folder / "pair-1.npz", "--recipe", '[["coalesce", [[1, 2]]]]')
    assert "are one structure" in out
    code, out, _ = call(capsys, "microstructures", "search", 11, "--counts", 4, "--quiet", "--relations", "inversion")
    assert "none has a mate" in out
    code, out, _ = call(capsys, "microstructures", "search", 12, "--counts", 6, "--relations", "inversion")
    assert "15 of these are shared by unrelated structures. An exchange of phases explains all of that." in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("search", "4", "0", "--counts", "3"), "argument SIZES: expected"),
        (("search", "--counts", "3"), "argument SIZES: expected"),
        (("search", "9", "9", "--counts", "30"), "argument SIZES: expected"),
        (("search", "4", "3", "--counts", "13"), "argument --counts: expected positive numbers of sites"),
        (("search", "4", "3", "--counts", "5", "--max-results", "0"), "argument --max-results: expected at least 1"),
        (("child", "a.npy", "--recipe", "[]"), "argument PATH: expected a file that Pair.save wrote"),
        (("child", "pair.npz", "--recipe", "nothing.json"), "argument --recipe: expected the JSON of a recipe"),
        (("child", "pair.npz", "--recipe", "[1]"), "argument --recipe: expected pairs of a name"),
        (("child", "pair.npz", "--recipe", '[["tile", [0, 1]]]'), "argument --recipe: expected"),
        (("child", "pair.npz", "--recipe", '[["tile", 2]]'), "argument --recipe: expected"),
        (("child", "pair.npz", "--recipe", '[["product", [1, 1.5]]]'), "argument --recipe: expected values made of integers"),
        (("child", "pair.npz", "--recipe", "[]", "--write", "x.png"), "argument --write: expected a file that ends in"),
        (("child", "pair.npz", "--recipe", "[]", "--write", "pair.npz"), "argument --write: expected another file than PATH"),
        (("mate", "a.npy", "--resume", "nowhere"), "argument --resume: expected the folder of an interrupted search"),
        (("mate", "a.npy", "--resume", "a.npy"), "argument --resume: expected the folder of an interrupted search"),
        (("mate", "b.npy", "--resume", "other"), "argument --resume: expected the file of this search"),
        (("mate", "a.npy", "--largest", "-5"), "argument --largest: expected a whole number from 0 up"),
        (("mate", "real.npy"), "PATH: expected an array of integer labels"),
        (("mate", "none.npy"), "PATH: expected an existing .npy file"),
        (("check", "a.npy", "alone.npy"), "B: expected the shape of a"),
        (("keff", "a.npy", "--k", "10"), "--k: expected 2 positive numbers"),
        (("keff", "a.npy", "--k", "1", "2", "--refine", "0"), "--refine: expected at least 1"),
    ],
)
def test_bad_input_is_one_line(files, capsys, monkeypatch, words, said):
    monkeypatch.chdir(files)
    code, _, err = call(capsys, "microstructures", *words, "--out", files / "runs")
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_faces_of_cubes_enclose_their_sites():
    rng = np.random.default_rng(0)
    S = rng.integers(1, 4, (4, 3, 5))
    figure = voxels({"S": S}, title="cubes", ground=3)
    for label, mesh in zip((1, 2), figure.plotly_figure.data):
        corners = np.stack([mesh.x, mesh.y, mesh.z], 1).astype(float)
        tri = corners[np.stack([mesh.i, mesh.j, mesh.k], 1)]
        area = np.linalg.norm(np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0]), axis=1).sum() / 2
        mask = np.pad(np.equal(S, label), 1)
        assert area == sum(np.abs(np.diff(mask.astype(int), axis=axis)).sum() for axis in range(3))
    scene = figure.plotly_figure.layout.scene
    sides = np.array([scene.aspectratio.x, scene.aspectratio.y, scene.aspectratio.z])
    np.testing.assert_allclose(sides, 1.4 * np.array([4, 3, 5]) / np.sqrt(50))  # a long grid stays in the frame
    assert scene.xaxis.range == (0, 4)
    assert "first 20" in voxels({"S": np.tile(S, (8, 1, 1))}, title="long", ground=3).caption
    with pytest.raises(ArgumentError, match="'grids'"):
        voxels({}, title="none", ground=1)
