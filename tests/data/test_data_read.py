"""Files of a user's: what is read, and the one clear error for each way they can be wrong."""

from __future__ import annotations

import pickle
import sys
import zipfile

import numpy as np
import pytest
import torch

from erlangen.data import read, resolve
from erlangen.errors import ArgumentError, MissingExtra

N = 40
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
LABELS = np.arange(N) % 2
NAMES = ("q1", "q2", "p1", "p2")


def write_csv(path, columns, delimiter=","):
    lines = [delimiter.join(columns)]
    lines += [delimiter.join(repr(v) if isinstance(v, float) else str(v) for v in row) for row in zip(*columns.values())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def columns(**extra):
    return {name: X[:, i].tolist() for i, name in enumerate(NAMES)} | {k: list(v) for k, v in extra.items()}


def message(call, *arguments, **options):
    with pytest.raises(ArgumentError) as caught:
        call(*arguments, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_three_formats_read_alike(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    table = columns(y=LABELS.tolist())
    write_csv(tmp_path / "a.csv", table)
    parquet.write_table(pyarrow.table(table), tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", x=X.reshape(N, 2, 2), y=LABELS)
    one = read(tmp_path / "a.npz")
    for suffix in ("csv", "parquet"):
        other = read(tmp_path / f"a.{suffix}", tokens="q1 q2, p1 p2")
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.y, other.y)
        assert other.target == "class"
        assert other.names == ("q1/p1", "q2/p2")
        assert other.name == "a"
        flat = read(tmp_path / f"a.{suffix}")
        assert flat.x.shape == (N, 1, 4)
        assert flat.names == NAMES


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_blank_lines_and_a_byte_order_mark(tmp_path, delimiter):
    path = write_csv(tmp_path / "a.csv", columns(), delimiter)
    path.write_text("\ufeff" + path.read_text(encoding="utf-8") + "\n\n", encoding="utf-8")
    assert np.array_equal(read(path).x[:, 0].numpy(), X)


def test_targets_of_columns(tmp_path):
    path = write_csv(tmp_path / "a.csv", columns(a=X[:, 0].tolist(), b=X[:, 1].tolist(), kind=["up", "down"] * (N // 2)))
    assert read(path, target="a", tokens="q1 q2").y.shape == (N,)
    assert read(path, target="a b", tokens="q1 q2").target == "scalar"
    assert read(path, target="a b", tokens="q1 q2", kind="vector").y.shape == (N, 1, 2)
    vector = read(path, target="a b, p1 p2", tokens="q1 q2")
    assert vector.target == "vector"
    assert np.array_equal(vector.y.numpy(), X.reshape(N, 2, 2))
    named = read(path, target="kind", tokens="q1 q2", kind="class")
    assert named.classes == ("down", "up")
    assert named.y[:2].tolist() == [1, 0]


def test_true_and_false_are_classes(tmp_path):
    path = write_csv(tmp_path / "a.csv", columns(y=["True", "False"] * (N // 2)))
    assert read(path).y[:2].tolist() == [1, 0]


def test_named_target_in_npz(tmp_path):
    np.savez(tmp_path / "a.npz", x=X.astype(np.float32), y=LABELS, energy=X[:, 0])
    assert read(tmp_path / "a.npz", target="energy").target == "scalar"
    assert read(tmp_path / "a.npz").target == "class"
    assert read(tmp_path / "a.npz").x.dtype == torch.float64


def nan_at(*where, value=np.nan, array=None):
    array = (X if array is None else array).astype(float)
    for place in where:
        array[place] = value
    return array


BAD_ARRAYS = {
    "empty": (
        {"x": np.zeros((0, 4))},
        {},
        "argument 'x': expected at least one number; got an empty array of shape [0, 4]",
    ),
    "nan": (
        {"x": nan_at((3, 1), (7, 0))},
        {},
        "argument 'x': expected finite numbers; got 2 NaN of 160 values, the first at x[3, 1]",
    ),
    "inf": ({"x": nan_at((3, 1), value=-np.inf)}, {}, "got 1 infinite of 160 values, the first at x[3, 1]"),
    "nan in y": (
        {"x": X, "e": nan_at(5, array=X[:, 0])},
        {"target": "e"},
        "argument 'e': expected finite numbers; got 1 NaN of 40",
    ),
    "objects": (
        {"x": np.array([{}] * N)},
        {},
        "argument 'x': expected an array of real numbers; got an array of Python obj",
    ),
    "text": ({"x": np.array([["a"]] * N)}, {}, "argument 'x': expected an array of real numbers; got text"),
    "complex": ({"x": X + 1j}, {}, "complex numbers"),
    "records": ({"x": np.zeros(N, [("a", float)])}, {}, "structured records"),
    "one axis": (
        {"x": X[:, 0]},
        {},
        "argument 'x': expected an array [N, T, d], or [N, d] for one token; got shape [40]",
    ),
    "five axes": ({"x": X[None, None, None]}, {}, "got shape [1, 1, 1, 40, 4]"),
    "few": ({"x": X[:31]}, {}, "argument 'x': expected at least 32 samples, to train and test at least 46; got 31"),
    "length": (
        {"x": X, "y": LABELS[:39]},
        {},
        "argument 'y': expected one entry for each of the 40 samples of x; got shape [39]",
    ),
    "scalar y": ({"x": X, "y": np.array(3)}, {}, "argument 'y': expected one entry for each"),
    "no y": ({"x": X, "y": np.zeros((40, 0))}, {}, "argument 'y': expected at least one number"),
    "one class": (
        {"x": X, "y": 0 * LABELS},
        {},
        "argument 'y': expected at least two classes; got one class only, 0, in all 40",
    ),
    "constant": ({"x": X, "y": 0.0 * LABELS}, {}, "argument 'y': expected a target that varies"),
    "no x": ({"data": X}, {}, "argument 'x': expected an array named 'x' in 'a.npz'; got the arrays: data"),
    "no target": (
        {"x": X, "y": LABELS},
        {"target": "z"},
        "argument 'target': expected one of the arrays of 'a.npz'; got 'z'; it has: x, y",
    ),
    "half class": (
        {"x": X, "y": LABELS + 0.5},
        {"kind": "class"},
        "whole numbers or text as class labels; got 0.5 at y[0]",
    ),
    "class matrix": ({"x": X, "y": X.round()}, {"kind": "class"}, "argument 'y': expected a class target [N]"),
    "vector of another dimension": ({"x": X, "y": X[:, :3]}, {"kind": "vector"}, "a vector target [N, T_y, 4]"),
    "kind without target": ({"x": X}, {"kind": "class"}, "argument 'kind': expected nothing, as there is no target"),
    "unknown kind": (
        {"x": X, "y": LABELS},
        {"kind": "spinor"},
        "argument 'kind': expected one of scalar, vector, class",
    ),
    "tokens": ({"x": X}, {"tokens": "a b"}, "argument 'tokens': expected nothing for an .npz file"),
    "deep y": ({"x": X, "y": X[..., None, None]}, {}, "argument 'y'"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_npz(tmp_path, case):
    arrays, options, expected = BAD_ARRAYS[case]
    np.savez(tmp_path / "a.npz", allow_pickle=True, **arrays)
    assert expected in message(read, tmp_path / "a.npz", **options)


def test_object_arrays_are_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle from a user's file was loaded",))

    x = np.empty(N, object)
    x[:] = [Bomb() for _ in range(N)]
    np.savez(tmp_path / "a.npz", x=x)
    assert "never unpickled" in message(read, tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Bomb()))
    assert "expected an .npz archive of arrays" in message(read, tmp_path / "b.npz")


def test_bad_files(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"not a zip archive")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "a.txt").write_text("q1\n1\n")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not parquet")
    with (tmp_path / "single.npz").open("wb") as stream:
        np.save(stream, X)
    with zipfile.ZipFile(tmp_path / "member.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY nonsense")
    np.savez_compressed(tmp_path / "cut.npz", x=X)
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    (tmp_path / "flipped.npz").write_bytes(damaged)
    assert "no file at" in message(read, tmp_path / "missing.npz")
    assert "a folder of pictures in one folder for each class" in message(read, tmp_path)
    assert "ends in .npz, .csv, .parquet," in message(read, tmp_path / "a.txt")
    for name in ("a", "empty", "cut"):
        assert "an .npz archive of arrays" in message(read, tmp_path / f"{name}.npz")
    assert "np.savez(path, x=x, y=y) writes one" in message(read, tmp_path / "single.npz")
    for name in ("member", "flipped"):
        assert "argument 'x': expected a readable array; got a damaged one" in message(read, tmp_path / f"{name}.npz")
    pytest.importorskip("pyarrow")
    assert "expected a Parquet file; got 'a.parquet'" in message(read, tmp_path / "a.parquet")


TEXT = ["1.5"] * N
TEXT[4] = "abc"
NOT = ["1.5"] * N
NOT[2] = "nan"
CLASSES = ["top", "qcd"] * (N // 2)
ROWS = [f"{a},{b}" for a, b in X[:, :2]]

BAD_CSV = {
    "text": (
        columns(t=TEXT),
        {},
        "argument 't': expected a number in every row of this column; got 'abc' in line 6 of 'a.csv'",
    ),
    "only gaps": (
        columns(t=[""] * N),
        {},
        "argument 'data': expected rows of 'a.csv' without empty cells; got empty cells or NA in all 40 rows, 40 of them in 't'",
    ),
    "decimal comma": (
        "q;t\n" + "1;1,5\n" * N,
        {},
        "argument 't': expected a number in every row of this column; got '1,5' in line 2 of 'a.csv'",
    ),
    "underscore": (
        columns(t=["2020_01"] * (N - 1) + ["2"]),
        {},
        "argument 't': expected a number in every row of this column; got '2020_01' in line 2 of 'a.csv'",
    ),
    "nan": (
        columns(t=NOT),
        {},
        "argument 't': expected finite numbers in this column; got 1 NaN of 40 values, the first in line 4",
    ),
    "text target": (
        columns(y=[f"name {i}" for i in range(N)]),
        {},
        "'name 0' in line 2 of 'a.csv'. Text is read as class labels with kind='class'",
    ),
    "unknown token": (
        columns(),
        {"tokens": "q1 q9, p1 p2"},
        "argument 'tokens': expected columns of 'a.csv' (q1, q2, p1, p2); got 'q9'",
    ),
    "unequal tokens": (
        columns(),
        {"tokens": "q1 q2, p1"},
        "tokens of equal length; got 'q1 q2' of length 2, 'p1' of length 1",
    ),
    "twice": (columns(), {"tokens": "q1 q1"}, "argument 'tokens': expected each column once; got 'q1' 2 times"),
    "comma": (columns(), {"tokens": "q1 q2,"}, "column names between the commas"),
    "blank tokens": (columns(), {"tokens": ""}, "column names between the commas"),
    "target in tokens": (
        columns(),
        {"tokens": "q1 q2", "target": "q2"},
        "columns that are not the target's; got 'q2' in both",
    ),
    "unknown target": (
        columns(),
        {"target": "z"},
        "argument 'target': expected columns of 'a.csv' (q1, q2, p1, p2); got 'z'",
    ),
    "only a target": ({"y": LABELS}, {}, "columns besides the target"),
    "one class": (columns(y=["1"] * N), {}, "argument 'y': expected at least two classes; got one class only, 1"),
    "few": ({"q1": X[:31, 0].tolist()}, {}, "at least 32 samples, to train and test at least 46; got 31"),
    "no header": (
        "1,2\n" + "\n".join(ROWS),
        {},
        "a header with the columns' names; got numbers in the first line of 'a.csv' (1, 2)",
    ),
    "duplicate": ("a,a\n" + "\n".join(ROWS), {}, "distinct column names; got 'a' 2 times"),
    "index column": (",a\n" + "\n".join(ROWS), {}, "a name for every column; got none for column 1 of 'a.csv'. pandas"),
    "ragged": ("a,b\n1,2\n1,2,3\n", {}, "2 cells in every line, as in the header; got 3 in line 3"),
    "empty": ("", {}, "a CSV file with a header and rows; got 'a.csv', which is empty"),
    "no rows": ("a,b\n", {}, "rows below the header"),
    "open quote": ('a,b\n"1,2\n', {}, "a CSV file in UTF-8; got 'a.csv', which cannot be read"),
    "not text": (b"a,b\n\xff\xfe\x00", {}, "a CSV file in UTF-8"),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_bad_csv(tmp_path, case):
    content, options, expected = BAD_CSV[case]
    path = tmp_path / "a.csv"
    if isinstance(content, dict):
        write_csv(path, content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        path.write_bytes(content)
    assert expected in message(read, path, **options)


def test_bad_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    def wrong(table, **options):
        parquet.write_table(pyarrow.table(table), tmp_path / "a.parquet")
        return message(read, tmp_path / "a.parquet", **options)

    assert "'abc' in row 4 of 'a.parquet'" in wrong(columns(t=TEXT))
    assert "numbers or text in this column; got the Parquet type struct" in wrong(columns(t=[{"a": 1.0}] * N))
    assert "lists of numbers in this column; got ['a'] in row 0" in wrong(columns(t=[["a"]] * N))
    assert "1 infinite of 40 values, the first in row 2" in wrong(columns(t=nan_at(2, value=np.inf, array=X[:, 0])))
    assert "rows; got none" in wrong({"a": pyarrow.array([], pyarrow.float64())})
    assert "Text is read as class labels" in wrong(columns(y=[f"name {i}" for i in range(N)]))


def table_files(folder, table):
    """The same table in either format, as pandas writes it."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow.parquet")
    frame = pandas.DataFrame(table)
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_parquet(folder / "a.parquet", index=False)
    return [(folder / "a.csv", "line 5"), (folder / "a.parquet", "row 3")]


def test_rows_with_unknown_cells_are_left_out(tmp_path):
    gaps = np.arange(N, dtype=float)
    gaps[3] = gaps[9] = np.nan
    labels = [None if i == 5 else "ab"[i % 2] for i in range(N)]
    for path, first in table_files(tmp_path, {"g": gaps, "h": np.ones(N) + gaps % 3, "n": np.arange(N), "y": labels}):
        with pytest.warns(
            UserWarning, match=f"3 of 40 rows of '{path.name}' have empty cells or say NA.*the first for 'g' in {first}"
        ):
            data = read(path)
        kept = [i for i in range(N) if i not in (3, 5, 9)]
        assert data.x[:, 0, 0].tolist() == kept
        assert data.classes == ("a", "b")
        assert data.y.tolist() == [i % 2 for i in kept]
        with pytest.warns(UserWarning, match="1 of 40 rows"):  # a column that is not used may have gaps
            assert len(read(path, tokens="n", target="y")) == 39


def test_text_is_a_category(tmp_path):
    colours = ["red", "dark blue", "red", "green"] * (N // 4)
    for path, _ in table_files(tmp_path, {"q": X[:, 0], "colour": colours, "y": np.arange(N) / 7}):
        data = read(path)
        assert data.names == ("q", "colour=dark blue", "colour=green", "colour=red")
        assert data.x[:4, 0, 1:].tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
        assert read(path, tokens="q", target="colour").classes == ("dark blue", "green", "red")


def test_dates_that_are_not_used_do_not_matter(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow.parquet")
    when = pandas.date_range("2020-01-01", periods=N)
    pandas.DataFrame({"q": X[:, 0], "when": when, "y": np.arange(N) / 7}).to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", tokens="q").dim == 1
    assert "'2020-01-01 00:00:00.000000' in row 0" in message(read, tmp_path / "a.parquet")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"erlangen\[parquet\]"):
        read(tmp_path / "a.parquet")


def test_resolve_a_file_splits_it_disjointly(tmp_path):
    x = np.random.default_rng(1).normal(size=(46, 4))
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(46) % 2)
    parts = {split: resolve(str(tmp_path / "a.npz"), split=split) for split in ("train", "test", "all")}
    assert [len(part) for part in parts.values()] == [32, 14, 46]
    both = torch.cat([parts["train"].x, parts["test"].x]).flatten().sort().values
    assert torch.equal(both, parts["all"].x.flatten().sort().values)


def test_resolve_says_how_many_samples_a_split_needs(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(1).normal(size=(45, 4)), y=np.arange(45) % 2)
    assert len(resolve(tmp_path / "a.npz")) == 45
    assert "at least 46 samples, of which 70%, 32, are for training; got 45" in message(resolve, tmp_path / "a.npz", split="train")


@pytest.mark.parametrize("suffix", ["npz", "csv"])
def test_labels_beyond_64_bits_stay_apart(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    labels = [2**70, 2**71, 2**70, 2**72] * (N // 4)
    if suffix == "npz":
        np.savez(path, x=X, y=np.array(labels, float))
    else:  # next to each other, which floats would merge
        labels = [label - (label == 2**71) * (2**70 - 1) for label in labels]
        write_csv(path, columns(y=labels))
    data = read(path, kind="class")
    assert set(data.classes) == {str(label) for label in labels}
    assert [data.classes[i] for i in data.y.tolist()] == [str(label) for label in labels]


def test_columns_with_blanks_are_named_in_quotes(tmp_path):
    path = write_csv(
        tmp_path / "Läufe [2] neu.csv",
        {"p x": X[:, 0].tolist(), "p, y": X[:, 1].tolist(), "it's": X[:, 2].tolist(), "z": X[:, 3].tolist()},
        ";",
    )
    data = read(path, tokens="'p x' 'p, y'", target='"it\'s" z')
    assert data.names == ("p x", "p, y")
    assert np.array_equal(data.x[:, 0].numpy(), X[:, :2])
    assert np.array_equal(data.y.numpy(), X[:, 2:])
    assert read(path, target="p, y").y.shape == (N,)
    assert read(path, tokens="p x").names == ("p x",)
    said = message(read, path, tokens="p x z")
    assert "stands in quotes" in said
    assert "p x, p, y, it's, z" in said
    assert "an end to every quote" in message(read, path, tokens="'p x")


def test_patterns_name_eighty_columns(tmp_path):
    wide = np.random.default_rng(2).normal(size=(N, 20, 4))
    table = {f"{part}_{i}": wide[:, i, j].tolist() for i in range(20) for j, part in enumerate(("E", "PX", "PY", "PZ"))}
    path = write_csv(tmp_path / "jets.csv", table | {"is_signal": LABELS.tolist()})
    data = read(path, tokens="E_* PX_* PY_* PZ_*", target="is_signal")
    assert np.array_equal(data.x.numpy(), wide)
    assert data.names == ("E_*", "PX_*", "PY_*", "PZ_*")
    assert data.target == "class"
    one = read(path, tokens="PX_1?", target="is_signal")  # a pattern by itself: one token
    assert np.array_equal(one.x[:, 0].numpy(), wide[:, 10:, 1])
    assert "'PT_*', which fits none" in message(read, path, tokens="PT_* E_*")
    said = message(read, path, tokens="E_7 PX_7 PY_7 P_Z7")
    assert "PZ_7" in said
    assert "(81 in all)" in said
    assert "alone" in message(read, path, tokens="E_* PX_1?")
    assert "patterns only" in message(read, path, tokens="E_* PX_* PY_1")


def test_a_missing_file_is_told_with_what_is_there(tmp_path):
    write_csv(tmp_path / "orbits.csv", columns())
    assert "There are: orbits.csv" in message(read, tmp_path / "orbit.csv")
    assert "There is no folder" in message(read, tmp_path / "none" / "orbit.csv")


def test_members_that_cannot_be_unpacked(tmp_path):
    np.savez(tmp_path / "good.npz", x=X, y=LABELS)
    plain = zipfile.ZipFile(tmp_path / "good.npz").read("x.npy")
    with zipfile.ZipFile(tmp_path / "lzma.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", plain)
    assert read(tmp_path / "lzma.npz").x.shape == (N, 1, 4)
    whole = bytearray((tmp_path / "lzma.npz").read_bytes())
    start = whole.index(b"x.npy") + len(b"x.npy") + 9  # after the header of the LZMA stream
    whole[start : start + 200] = bytes(200)
    (tmp_path / "damaged.npz").write_bytes(whole)
    assert "'damaged.npz'" in message(read, tmp_path / "damaged.npz")
    locked = bytearray((tmp_path / "good.npz").read_bytes())
    locked[6] |= 1  # the flags of the first member, in its header and in the directory at the end
    directory = locked.index(b"PK\x01\x02")
    locked[directory + 8] |= 1
    (tmp_path / "locked.npz").write_bytes(locked)
    assert "encrypted" in message(read, tmp_path / "locked.npz")


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (0.0, "expected samples that differ; got the same in all 40"),
        (1e200, "expected numbers whose size is between 1e-30 and 1e+37"),
        (1e-200, "expected numbers whose size is between 1e-30 and 1e+37"),
    ],
)
def test_numbers_that_no_network_can_compute_with(tmp_path, factor, said):
    np.savez(tmp_path / "a.npz", x=X * factor, y=LABELS)
    assert said in message(read, tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=X, e=X[:, 0] * factor)
    assert "argument 'e'" in message(read, tmp_path / "b.npz", target="e")
    assert read(tmp_path / "b.npz").y is None
