"""Saving: all or nothing, and every number."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from reporting_example import example, lorentz_generators

from erlangen.errors import ArgumentError
from erlangen.reporting import Claims, Outcome, peak_memory_mb, run_directory, versions

FILES = ["claims.json", "config.json", "metrics.json", "report.html"]


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_save_writes_four_files_and_returns_the_report(tmp_path):
    report = example().save(tmp_path / "runs" / "jets" / "today")
    assert report == tmp_path / "runs" / "jets" / "today" / "report.html"
    assert listing(report.parent) == FILES
    assert listing(report.parent.parent) == ["today"]


def test_every_number_is_in_the_json(tmp_path):
    outcome = example()
    folder = outcome.save(tmp_path / "run").parent

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    metrics = json.loads((folder / "metrics.json").read_text(), parse_constant=refuse)
    algebra, training = metrics["sections"]
    assert algebra["matrices"][2]["values"] == lorentz_generators()[2].tolist()  # full precision, not what is printed
    assert training["tables"][0]["rows"][0][2] == {"value": 0.7201, "spread": 0.0141}
    assert training["figures"][0]["traces"][0]["error_y"]["array"] == [0.0021, 0.0141, 0.0088, 0.0173]
    assert len(training["figures"][1]["traces"][1]["y"]) == 41
    assert metrics["claims"]["claims"][2]["measured"] == 0.0087
    assert metrics["claims"]["claims"][2]["holds"] is False
    assert metrics["key_numbers"][3]["value"] == 3.1e-13
    assert metrics["metrics"]["cosine"] == pytest.approx(0.9994)
    assert metrics["metrics"]["diverged"] == "NaN"
    assert metrics["seconds"] == 214.3
    assert metrics["versions"]["torch"]
    assert json.loads((folder / "config.json").read_text()) == outcome.config
    assert json.loads((folder / "claims.json").read_text()) == outcome.claims.as_dict()


@pytest.mark.parametrize("before", ["missing", "empty", "full"])
def test_a_failure_in_the_middle_leaves_nothing(tmp_path, before):
    target = tmp_path / "run"
    if before != "missing":
        target.mkdir()
    if before == "full":
        (target / "checkpoint").write_text("old")
        (target / "config.json").write_text("old")

    def fail(path):
        path.write_text("half")
        assert listing(path.parent)  # the others are written by now
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        example().save(target, files={"model": fail})
    assert listing(tmp_path) == ([] if before == "missing" else ["run"])
    if before == "full":
        assert listing(target) == ["checkpoint", "config.json"]
        assert (target / "config.json").read_text() == "old"
    elif before == "empty":
        assert listing(target) == []


def test_a_directory_with_checkpoints_keeps_them(tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    (target / "checkpoint").write_text("old")
    example().save(target, files={"model": lambda path: path.write_text("weights")})
    assert listing(target) == ["checkpoint", *FILES[:3], "model", "report.html"]
    assert listing(tmp_path) == ["run"]


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OSError):
        example().save(tmp_path / "run")
    assert listing(tmp_path) == ["run"]
    assert (tmp_path / "run").read_text() == "mine"


def test_extra_files_stay_inside(tmp_path):
    with pytest.raises(ArgumentError, match="without folders"):
        example().save(tmp_path / "run", files={"../model": lambda path: path.write_text("x")})
    assert listing(tmp_path) == []


def test_report_alone(tmp_path):
    path = example().report(tmp_path / "audits" / "audit.html")
    assert path.read_text().startswith("<!doctype html>")
    assert listing(path.parent) == ["audit.html"]


def test_run_directories_are_unique(tmp_path):
    now = datetime.datetime(2024, 5, 6, 7, 8, 9)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: run_directory("jets", tmp_path, now), range(16)))
    assert len(set(made)) == 16
    assert min(made, key=lambda p: len(p.name)).name == "2024-05-06_07-08-09"
    assert all(path.is_dir() and path.parent == tmp_path / "jets" for path in made)
    example().save(made[0])
    assert listing(made[0]) == FILES


@pytest.mark.parametrize(
    ("name", "folder"),
    [("a b", "a_b"), ("Läufe (März) [2]", "Läufe_März_2_"), ("../a/b", "_a_b"), (".hidden", "hidden"), ("e\u0301t", "\u00e9t")],
)
def test_any_name_makes_a_folder_within_the_root(tmp_path, name, folder):
    assert run_directory(name, tmp_path).parent == tmp_path / folder


@pytest.mark.parametrize("name", ["", "..", "/", "[ ]"])
def test_run_names_that_are_no_folder_names(tmp_path, name):
    with pytest.raises(ArgumentError, match="letters"):
        run_directory(name, tmp_path)
    assert listing(tmp_path) == []


def test_what_a_run_used():
    assert versions("no-such-thing")["no-such-thing"] == "absent"
    assert versions()["python"] == sys.version.split()[0]
    assert 10 < peak_memory_mb() < 1e6


def test_config_must_be_a_mapping():
    with pytest.raises(ArgumentError, match="config"):
        Outcome("a", "b", [1, 2], Claims())


def test_importing_reporting_is_light():
    code = "import sys, erlangen.reporting; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {module.split(".")[0] for module in done.stdout.split()}
    assert not loaded & {"plotly", "jinja2", "rich", "numpy", "torch"}
