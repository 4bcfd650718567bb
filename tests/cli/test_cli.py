"""The commands as a user meets them: exit codes, one clear line for bad input, reports where they say."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from prompt import call
from safetensors.torch import save_file


def run(*args, cwd=None):
    """Run in a process of its own, as a user does."""
    return subprocess.run([sys.executable, "-m", "erlangen", *map(str, args)], capture_output=True, text=True, cwd=cwd, timeout=300)


def test_help_is_quick_and_imports_nothing_heavy():
    lines = ["import sys", "sys.argv = ['erlangen', '--help']", "import erlangen.cli"]
    lines += ["try:", "    erlangen.cli.main()", "except SystemExit:", "    pass", "assert 'torch' not in sys.modules"]
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in ("fit", "discover", "audit", "run", "list"):
        assert command in done.stdout


def test_a_reader_that_has_seen_enough_gets_no_error():
    with subprocess.Popen([sys.executable, "-m", "erlangen", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def good(path, n=64):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 3, 2))
    np.savez(path, x=x, y=(x[:, 0, 0] * x[:, 1, 1] - x[:, 0, 1] * x[:, 1, 0] > 0).astype(int))
    return path


BAD = {
    "missing.npz": None,
    "data.txt": lambda p: p.write_text("1 2 3"),
    "empty.npz": lambda p: np.savez(p, x=np.zeros((0, 2)), y=np.zeros(0)),
    "nan.npz": lambda p: np.savez(p, x=np.full((64, 2), np.nan), y=np.arange(64) % 2),
    "inf.npz": lambda p: np.savez(p, x=np.full((64, 2), np.inf), y=np.arange(64) % 2),
    "object.npz": lambda p: np.savez(p, x=np.array([object()] * 64), y=np.arange(64) % 2),
    "flat.npz": lambda p: np.savez(p, x=np.zeros(64), y=np.arange(64) % 2),
    "one_class.npz": lambda p: np.savez(p, x=np.ones((64, 2)), y=np.zeros(64, int)),
    "few.npz": lambda p: np.savez(p, x=np.ones((20, 2)), y=np.arange(20) % 2),
    "corrupt.npz": lambda p: p.write_bytes(b"not a zip"),
    "text.csv": lambda p: p.write_text("a,b,y\n" + "1,2,0\n" * 40 + "1,hello,1\n"),
    "no_target.csv": lambda p: p.write_text("a,b\n" + "1,2\n" * 40),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_give_one_line_and_exit_code_2(name, tmp_path, capsys):
    path = tmp_path / name
    if BAD[name] is not None:
        BAD[name](path)
    runs = tmp_path / "runs"
    code, out, err = call(capsys, "fit", path, "--out", runs, "--quiet")
    assert code == 2
    assert err.startswith("erlangen: error: argument ")
    assert len(err.strip().splitlines()) == 1
    assert "expected" in err
    assert "Traceback" not in out + err
    assert not runs.exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--group", "SO(4)"], "argument --group:"),
        (["--group", "nonsense"], "argument --group:"),
        (["--target", "z"], "argument --target:"),
        (["--seeds", "0"], "argument --seeds:"),
    ],
)
def test_bad_options_are_named(options, named, tmp_path, capsys):
    code, _, err = call(capsys, "fit", good(tmp_path / "d.npz"), *options, "--out", tmp_path / "runs", "--quiet")
    assert code == 2
    assert named in err
    assert not (tmp_path / "runs").exists()


def test_unknown_names_and_studies(capsys):
    assert call(capsys, "fit", "jetz")[0] == 2
    code, _, err = call(capsys, "run", "nonesuch")
    assert code == 2
    assert "liegan-jets" in err


def test_fit_on_a_file_writes_the_run(tmp_path, capsys):
    data = good(tmp_path / "läufe [red] 2.npz", 200)
    code, out, err = call(capsys, "fit", data, "--group", "SO(2)", "--seeds", "2", "--steps", "40", "--out", tmp_path / "runs [b]")
    assert code == 0, err
    report = Path(out.split("report: ")[1].strip())
    assert report.is_file()
    assert "holds" in out
    assert json.loads((report.parent / "claims.json").read_text())
    code, out, err = call(capsys, "audit", report.parent, "--data", data, "--report", tmp_path / "a.html", "--elements", "4")
    assert code == 0, err
    assert "under SO(2)" in out
    assert "equivariance: holds" in out
    code, _, err = call(capsys, "audit", "m.py:f", "--data", data, "--report", tmp_path / "a.html")
    assert code == 2
    assert "argument --group: expected the name of a group" in err


def test_discover_reads_tokens_of_a_table(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 4))
    path = tmp_path / "orbits.csv"
    path.write_text("q1,q2,p1,p2\n" + "\n".join(",".join(map(str, row)) for row in rows))
    code, out, _ = call(capsys, "discover", path, "--tokens", "q1 q2, p1 p2", "--steps", "200", "--json")
    assert code == 0
    answer = json.loads(out)
    assert {c["method"] for c in answer["candidates"]} >= {"quadric fit"}


MODEL = """
import torch
def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
"""


def test_audit_of_a_model_from_a_file(tmp_path, capsys):
    (tmp_path / "my_model.py").write_text(MODEL)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).standard_normal((64, 1, 3)))
    arguments = [
        "--weights",
        tmp_path / "w.safetensors",
        "--data",
        tmp_path / "x.npz",
        "--group",
        "SO(3)",
        "--report",
        tmp_path / "a.html",
    ]
    code, out, err = call(capsys, "audit", f"{tmp_path / 'my_model.py'}:build", *arguments, "--out", "vector")
    assert code == 0, err
    assert "does not hold" in out
    assert (tmp_path / "a.html").is_file()
    for spec in ("none.py:build", f"{tmp_path / 'my_model.py'}:nothing", f"{tmp_path / 'my_model.py'}"):
        code, _, err = call(capsys, "audit", spec, *arguments)
        assert code == 2
        assert "argument MODEL:" in err


def test_list_shows_all_systems(capsys):
    code, out, _ = call(capsys, "list", "--json")
    assert code == 0
    systems = json.loads(out)
    assert [s["number"] for s in systems] == list(range(1, 35))
    assert set(systems[20]["studies"]) == {"liegan-two-body", "liegan-jets", "liegan-cyclic"}
    assert all(s["works"] == bool(s["studies"]) for s in systems)


def test_the_list_is_short_unless_claims_are_wanted(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = call(capsys, "list")
    assert code == 0
    lines = out.splitlines()
    assert len(lines) < 50
    assert max(map(len, lines)) <= 80
    for name in ("liegan-jets", "BoRA", "erlangen list --claims"):
        assert name in out
    code, long, _ = call(capsys, "list", "--claims")
    assert code == 0
    assert len(long.splitlines()) > 200
    assert max(map(len, long.splitlines())) <= 80


def test_run_a_study_with_its_own_flags(tmp_path, capsys):
    done = run("run", "liegan-cyclic", "--steps", "20", "--seeds", "1", "--samples", "200", "--out", tmp_path, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "DOES NOT HOLD" in done.stdout  # 20 steps find nothing, and that is said
    assert list(tmp_path.rglob("report.html"))
    assert "--fold" in call(capsys, "run", "liegan-cyclic", "--help")[1]


def test_zoo_made_and_read(tmp_path, capsys):
    zoo, weights = tmp_path / "zoo.safetensors", tmp_path / "predictor.safetensors"
    code, out, _ = call(capsys, "zoo", "make", zoo, "--networks", "60", "--quiet")
    assert code == 0
    assert out.startswith("60 networks")
    options = ("--judged", "20", "--epochs", "2", "--functional", "StatNN", "--weights", weights, "--json")
    code, out, _ = call(capsys, "zoo", "predict", zoo, *options)
    assert code == 0
    told = json.loads(out)
    assert -1 <= told["tau"] <= 1
    assert told["learned_from"] == 20
    assert weights.is_file()
    code, _, err = call(capsys, "zoo", "predict", zoo, "--judged", "30")
    assert code == 2
    assert "argument --judged:" in err
    assert call(capsys, "zoo", "predict", tmp_path / "none.safetensors")[0] == 2


def test_relu_dimension_counts_a_shallow_network(capsys):
    code, out, _ = call(capsys, "relu-dimension", "--arch", "3-4-1", "--inits", "3", "--json")
    assert code == 0
    assert json.loads(out)["dims"] == [17, 17, 17]
    code, _, err = call(capsys, "relu-dimension", "--arch", "3-x")
    assert code == 2
    assert err.startswith("erlangen: error: argument --arch: expected ")


def test_expressivity_sees_torsions_with_equivariant_layers_only(tmp_path, capsys):
    ase = pytest.importorskip("ase")
    bond, turn = 1.53, np.deg2rad(112)
    chains = []
    for torsion in (180.0, 65.0):
        atoms = ase.Atoms("C4", [[0, 0, 0], [bond, 0, 0], [bond - bond * np.cos(turn), bond * np.sin(turn), 0], [0, 0, 0]])
        side = np.array([np.cos(turn), -np.sin(turn) * np.cos(np.deg2rad(torsion)), np.sin(turn) * np.sin(np.deg2rad(torsion))])
        along = (atoms.positions[2] - atoms.positions[1]) / bond
        across = np.array([-along[1], along[0], 0.0])
        atoms.positions[3] = atoms.positions[2] - bond * (side[0] * along + side[1] * across + side[2] * np.array([0, 0, 1.0]))
        path = tmp_path / f"{torsion:.0f}.xyz"
        atoms.write(path)
        chains.append(path)
    code, out, _ = call(capsys, "expressivity", *chains, "--cutoff", "1.8", "--group", "O(3)", "--tol", "1e-4", "--json")
    assert code == 0
    first = {r["level"]: r["iteration"] for r in json.loads(out)["results"]}
    assert (first["WL"], first["IGWL"], first["GWL"]) == (None, None, 2)
    code, _, err = call(capsys, "expressivity", chains[0], tmp_path / "absent.xyz")
    assert code == 2
    assert "argument B:" in err
    code, _, err = call(capsys, "expressivity", *chains)
    assert code == 2
    assert "argument A:" in err
    assert "--cutoff" in err


# ---- a user's Python file ----

DATACLASS = """
from __future__ import annotations
from dataclasses import dataclass
import torch
from beside import WIDTH

@dataclass
class Settings:
    width: int = WIDTH

def build():
    return torch.nn.Linear(3, Settings().width)

def broken():
    if True:
        raise ValueError("no weights\\nfor this")

def needs(what):
    return what

def wrong():
    return torch.nn.Linear(7, 3)
"""


@pytest.fixture
def audited(tmp_path, capsys):
    """Audit a factory of a file in its folder, as `audited("file.py:factory")`."""
    (tmp_path / "beside.py").write_text("WIDTH = 3\n")
    (tmp_path / "model.py").write_text(DATACLASS)
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).standard_normal((64, 1, 3)))
    paths = list(sys.path)

    def audit(spec, *more):
        options = ("--data", tmp_path / "x.npz", "--group", "SO(3)", "--out", "vector", "--report", tmp_path / "a.html")
        return call(capsys, "audit", f"{tmp_path}/{spec}", *options, *more)

    yield audit
    sys.path[:] = paths
    sys.modules.pop("beside", None)
    sys.modules.pop("audited_model", None)


def test_a_file_is_loaded_as_python_would(audited, tmp_path):
    code, out, err = audited("model.py:build")
    assert code == 0, err
    assert "audit of Linear under SO(3)" in out
    code, out, err = audited("model.py:build", "--quiet")
    assert code == 0, err
    assert out.startswith("Linear is not SO(3)-equivariant: the worst relative error is ")
    assert out.splitlines()[1:] == [f"report: {tmp_path / 'a.html'}"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("model.py:broken", "expected broken() to build a module; got ValueError in line 16 of 'model.py': no weights for this"),
        ("model.py:needs", "expected needs() to build a module; got TypeError"),
        (
            "model.py:wrong",
            "expected a module that takes data of shape (64, 1, 3); got RuntimeError from 'model.py': mat1 and mat2",
        ),
        ("model.py:buidl", "(Settings, build, broken, needs, wrong); got 'buidl'"),
        ("syntax.py:build", "got SyntaxError in line 2 of 'syntax.py'"),
        ("absent.py:build", "expected an existing Python file"),
        ("needy.py:build", "got ModuleNotFoundError in line 1 of 'needy.py': No module named 'nobody_has_this'"),
        ("leaves.py:build", "got SystemExit in line 2 of 'leaves.py': 3"),
    ],
)
def test_a_file_that_fails_is_told_in_one_line(audited, tmp_path, spec, said):
    (tmp_path / "syntax.py").write_text("import torch\ndef build(:\n")
    (tmp_path / "needy.py").write_text("import nobody_has_this\n")
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    code, _, err = audited(spec)
    assert code == 2
    assert err.startswith("erlangen: error: argument MODEL: ")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "a.html").exists()


# ---- disks ----


def test_places_that_cannot_be_written_to_are_told_before_anything_is_done(tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    data = good(tmp_path / "d.npz", 200)
    for command in (("fit", data, "--group", "SO(2)"), ("run", "liegan-cyclic")):
        code, _, err = call(capsys, *command, "--out", tmp_path / "taken", "--quiet")
        assert code == 2
        assert err.startswith("erlangen: error: argument --out: expected a folder that can be written to; got ")
        assert "'taken' is a file" in err
    code, _, err = call(capsys, "audit", "m.py:f", "--data", data, "--group", "SO(2)", "--report", tmp_path / "taken" / "a.html")
    assert code == 2
    assert "argument --report:" in err


def test_a_full_disk_is_one_line_that_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    import errno
    import os

    from erlangen import serialization

    real, data, runs = os.replace, good(tmp_path / "d.npz", 200), tmp_path / "runs"
    options = ("fit", data, "--group", "SO(2)", "--seeds", "1", "--steps", "20", "--out", runs, "--quiet")

    def full(source, target):
        if "training.safetensors" in str(target) and "plain" not in str(target):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        real(source, target)

    monkeypatch.setattr(serialization.os, "replace", full)
    code, _, err = call(capsys, *options)
    monkeypatch.undo()
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "No space left on device" in err
    (directory,) = (runs / "d").iterdir()
    assert f"continue with --resume {directory}" in err
    # And so it does.
    code, out, err = call(capsys, *options, "--resume", directory)
    assert code == 0, err
    assert out.count("\n") == 2
    assert out.startswith("SO(2) was given.")
    assert out.endswith(f"report: {directory / 'report.html'}\n")
    assert err == ""
    for damaged in (directory / "checkpoints" / "plain-0" / "training.safetensors", directory / "fit.json"):
        damaged.write_bytes(b"{")
        code, _, err = call(capsys, *options, "--resume", directory)
        assert code == 2
        assert "damaged" in err
        assert len(err.splitlines()) == 1


def test_ctrl_c_says_the_command_that_goes_on(tmp_path, capsys, monkeypatch):
    import erlangen.fitting.members as members

    def stop(*arguments, **options):
        raise KeyboardInterrupt("stopped after 7 steps; start again with checkpoint=somewhere to continue")

    data = good(tmp_path / "my data.npz", 200)
    monkeypatch.setattr(members, "train", stop)
    code, _, err = call(capsys, "fit", data, "--group", "SO(2)", "--out", tmp_path / "runs", "--quiet")
    (directory,) = (tmp_path / "runs" / "my_data").iterdir()
    assert code == 130
    assert err.strip().endswith(
        f"continue with: erlangen fit '{data}' --group 'SO(2)' --out {tmp_path / 'runs'} --quiet --resume {directory}"
    )
    assert "checkpoint=" not in err


def test_messages_use_the_words_of_the_command_line(tmp_path, capsys):
    path = tmp_path / "labels.csv"
    path.write_text("a,b,y\n" + "".join(f"{i},2,word {i}\n" for i in range(80)))  # few labels need no word, so many do
    code, _, err = call(capsys, "fit", path)
    assert code == 2
    assert "--kind class" in err
    assert "kind=" not in err
    for flag, value in (("--steps", 0), ("--seeds", 0), ("--fold", -1)):
        code, _, err = call(capsys, "run", "liegan-cyclic", flag, value, "--out", tmp_path / "runs")
        assert code == 2
        assert f"argument {flag}: expected at least" in err
    code, _, err = call(capsys, "discover", "two-body", "--steps", "0")
    assert code == 2
    assert "argument --steps: expected a positive number" in err
    np.savez(tmp_path / "text.npz", x=np.random.default_rng(0).standard_normal((64, 2)), y=np.array(["up", "down"] * 32))
    code, _, err = call(capsys, "fit", tmp_path / "text.npz")
    assert code == 2
    assert "--kind class" in err
    code, _, err = call(capsys, "zoo", "predict", path)
    assert code == 2
    assert err.startswith("erlangen: error: argument PATH: ")
    assert not (tmp_path / "runs").exists()
