"""Data of every kind, from files and objects as they are found: what is read is what was written."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from erlangen.data import Collection, DataSet, collect, read
from erlangen.errors import ArgumentError

N = 50
RANDOM = np.random.default_rng(0)


def test_pictures_in_arrays(tmp_path):
    grey, colour = RANDOM.integers(0, 255, (N, 6, 6), dtype=np.uint8), RANDOM.random((N, 6, 5, 3))
    labels = np.arange(N) % 2
    np.savez(tmp_path / "grey.npz", x=grey, y=labels)
    found = read(tmp_path / "grey.npz", as_="images")
    assert torch.equal(found.x["image"], torch.from_numpy(grey).float().unsqueeze(1))
    assert (found.kind, found.target) == ("images", "class")
    np.savez(tmp_path / "colour.npz", x=colour, y=labels)
    found = read(tmp_path / "colour.npz")  # four axes are recognised
    assert found.x["image"].shape == (N, 3, 6, 5)
    assert torch.allclose(found.x["image"][:, 1], torch.from_numpy(colour[..., 1]).float())
    np.save(tmp_path / "x.npy", colour)
    np.save(tmp_path / "y.npy", labels)
    again = read(tmp_path / "x.npy", target=str(tmp_path / "y.npy"))
    assert torch.equal(again.x["image"], found.x["image"])
    assert torch.equal(again.y, found.y)
    assert isinstance(read(tmp_path / "grey.npz"), DataSet)  # three axes are tokens, unless they are said to be something else


def test_a_folder_of_pictures_by_class(tmp_path):
    image = pytest.importorskip("PIL.Image")
    arrays = RANDOM.integers(0, 255, (N, 6, 5), dtype=np.uint8)
    for i, array in enumerate(arrays):
        folder = tmp_path / ("cats" if i % 2 else "dogs")
        folder.mkdir(exist_ok=True)
        image.fromarray(array).save(folder / f"{i:03}.png")
    found = read(tmp_path)
    assert found.classes == ("cats", "dogs")
    assert found.y.tolist() == [0] * (N // 2) + [1] * (N // 2)
    assert torch.equal(found.x["image"][0, 0], torch.from_numpy(arrays[1]).float())
    image.fromarray(arrays[0][:4]).save(tmp_path / "dogs" / "odd.png")
    with pytest.raises(ArgumentError, match=r"pictures of one size; got 5 x 6 of 'cats.001.png' and 5 x 4 of 'dogs.odd.png'"):
        read(tmp_path)


def molecules():
    pytest.importorskip("ase")
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.collections import g2

    found = [g2[name] for name in g2.names[:N]]
    for i, one in enumerate(found):
        one.calc = SinglePointCalculator(one, energy=-float(i))
        one.info["gap"] = i / 2
    return found


def by_class(folder, arrays):
    image = pytest.importorskip("PIL.Image")
    for i, array in enumerate(arrays):
        own = folder / ("cats" if i % 2 else "dogs")
        own.mkdir(exist_ok=True, parents=True)
        image.fromarray(array).save(own / f"{i:03}.{'tiff' if array.dtype == np.float32 else 'png'}")
    return folder


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_pictures_keep_their_numbers(tmp_path, dtype):
    arrays = (RANDOM.random((N, 5, 5)) * 65535).astype(dtype)
    found = read(by_class(tmp_path / "deep", arrays)).x["image"]
    assert torch.equal(found[:, 0], torch.from_numpy(np.concatenate([arrays[1::2], arrays[::2]]).astype(np.float32)))
    by_class(tmp_path / "both", [*arrays[:-1], arrays[-1].astype(np.uint8)])
    with pytest.raises(ArgumentError, match="pictures of one depth"):
        read(tmp_path / "both")


def test_opacity_is_a_channel(tmp_path):
    clear = RANDOM.integers(0, 255, (N, 4, 4, 4), dtype=np.uint8)
    found = read(by_class(tmp_path / "clear", [*clear[:-1], clear[-1, ..., 0]])).x["image"]
    assert torch.equal(found[0], torch.from_numpy(clear[1]).movedim(-1, 0).float())
    grey = torch.from_numpy(clear[-1, ..., 0]).float()
    assert torch.equal(found[N // 2 - 1], torch.stack([grey, grey, grey, torch.full((4, 4), 255.0)]))
    clear[..., 3] = 255
    assert read(by_class(tmp_path / "opaque", clear)).x["image"].shape[1] == 3


def test_several_pictures_in_a_file_are_refused(tmp_path):
    image = pytest.importorskip("PIL.Image")
    by_class(tmp_path, RANDOM.integers(0, 255, (N, 4, 4), dtype=np.uint8))
    frames = [image.fromarray(RANDOM.integers(0, 255, (4, 4), dtype=np.uint8)) for _ in range(3)]
    frames[0].save(tmp_path / "cats" / "moving.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ArgumentError, match=r"moving.gif' \(3 pictures in one file\)"):
        read(tmp_path)


def test_settings_without_a_use_are_refused(tmp_path):
    pictures = by_class(tmp_path / "pictures", RANDOM.integers(0, 255, (N, 4, 4), dtype=np.uint8))
    for settings in ({"target": "y"}, {"tokens": "a b"}, {"as_": "tokens"}, {"kind": "scalar"}):
        with pytest.raises(
            ArgumentError, match=f"argument '{next(iter(settings)).strip('_')}': expected nothing for a folder of pictures"
        ):
            read(pictures, **settings)
    np.save(tmp_path / "a.npy", np.zeros((N, 2)))
    with pytest.raises(ArgumentError, match="argument 'tokens': expected nothing for an .npy file"):
        read(tmp_path / "a.npy", tokens="a")
    io, ase = pytest.importorskip("ase.io"), pytest.importorskip("ase")
    io.write(tmp_path / "a.extxyz", [ase.Atoms("HO", positions=[[0, 0, 0], [0, 0, 1 + i / N]]) for i in range(N)])
    with pytest.raises(ArgumentError, match="argument 'as': expected nothing for structures of atoms; got 'images'"):
        read(tmp_path / "a.extxyz", as_="images")


def test_all_structures_of_all_files_of_a_folder(tmp_path):
    io, ase = pytest.importorskip("ase.io"), pytest.importorskip("ase")
    each = [ase.Atoms("HO", positions=[[0, 0, 0], [0, 0, 1 + i / N]], info={"gap": float(i)}) for i in range(N)]
    io.write(tmp_path / "a.extxyz", each[:10])
    io.write(tmp_path / "b.extxyz", each[10:])
    assert read(tmp_path, target="gap").y.tolist() == [float(i) for i in range(N)]
    each[3].numbers[0] = 0
    io.write(tmp_path / "a.extxyz", each[:10])
    with pytest.raises(ArgumentError, match=r"an element for every atom; got 1 without one \(atomic number 0\) in structure 3"):
        read(tmp_path)


@pytest.mark.parametrize("ending", ["extxyz", "traj"])
def test_molecules_that_ase_wrote(tmp_path, ending):
    from ase.io import write

    each = molecules()
    write(tmp_path / f"g2.{ending}", each)
    found = read(tmp_path / f"g2.{ending}")  # "energy" is found by itself
    assert found.y.tolist() == [-float(i) for i in range(N)]
    for i, one in enumerate(each):
        assert found.x["numbers"][i, : len(one)].tolist() == one.numbers.tolist()
        assert not found.x["numbers"][i, len(one) :].any()
        assert torch.allclose(found.x["pos"][i, : len(one)], torch.from_numpy(one.positions), atol=1e-7)
    if ending == "extxyz":
        assert read(tmp_path / "g2.extxyz", target="gap").y[3] == 1.5
    with pytest.raises(ArgumentError, match="'target'.*'mass'.*energy"):
        read(tmp_path / f"g2.{ending}", target="mass")
    straight = collect(each)
    assert torch.equal(straight.y, found.y)
    assert torch.equal(straight.x["numbers"], found.x["numbers"])


def test_crystals_in_a_folder_with_a_table(tmp_path):
    pytest.importorskip("ase")
    from ase.build import bulk
    from ase.io import write

    rows = ["id,bandgap"]
    for i in range(N):
        write(tmp_path / f"c{i:02}.cif", bulk("NaCl", "rocksalt", a=5.0 + i / 50))
        rows.append(f"c{i:02},{i / 10}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    found = read(tmp_path, target="bandgap")
    assert torch.allclose(found.y, torch.arange(N, dtype=torch.float64) / 10)
    assert found.x["pbc"].all()
    volumes = torch.linalg.det(found.x["cell"]).abs()
    assert torch.allclose(volumes, (5.0 + torch.arange(N, dtype=torch.float64) / 50) ** 3 / 4, rtol=1e-5)


def test_molecules_in_an_sdf(tmp_path):
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    with chem.SDWriter(str(tmp_path / "alkanes.sdf")) as writer:
        for i in range(N):
            molecule = chem.AddHs(chem.MolFromSmiles("C" * (1 + i % 3)))
            AllChem.EmbedMolecule(molecule, randomSeed=i)
            molecule.SetProp("logP", str(i / 4))
            writer.write(molecule)
    found = read(tmp_path / "alkanes.sdf", target="logP")
    assert found.y.tolist() == [i / 4 for i in range(N)]
    assert (found.x["numbers"] > 0).sum(1).tolist() == [5 + 3 * (i % 3) for i in range(N)]
    assert (found.x["numbers"] == 6).sum(1).tolist() == [1 + i % 3 for i in range(N)]


def pyg_like(with_positions):
    """Rings of three to five nodes, as PyG keeps them."""
    found = []
    for i in range(N):
        n = 3 + i % 3
        forth = torch.stack([torch.arange(n), (torch.arange(n) + 1) % n])
        edges = torch.cat([forth, forth.flip(0)], 1)
        parts = {
            "edge_index": edges,
            "x": torch.full((n, 2), float(n)),
            "edge_attr": None,
            "num_nodes": n,
            "y": torch.tensor([float(n)]),
        }
        if with_positions:
            parts |= {"pos": torch.randn(n, 3), "z": torch.full((n,), 6)}
        one = SimpleNamespace(**parts)
        one.to_dict = lambda parts=parts: parts
        found.append(one)
    return found


def test_what_pyg_keeps():
    found = collect(pyg_like(False))
    assert found.kind == "graphs"
    sizes = torch.tensor([3 + i % 3 for i in range(N)])
    assert torch.equal(found.x["there"].sum(1), sizes)
    assert torch.equal(found.x["edges"][..., 0].sum((1, 2)), 2.0 * sizes.double())
    assert torch.equal(found.y, sizes.double())
    molecules = collect(pyg_like(True))
    assert molecules.kind == "atoms"
    assert torch.equal((molecules.x["numbers"] == 6).sum(1), sizes)
    assert torch.equal(molecules.y, sizes.double())
    real = pytest.importorskip("torch_geometric.data")
    each = [real.Data(**{k: v for k, v in vars(one).items() if k in ("x", "edge_index", "y")}) for one in pyg_like(False)]
    assert torch.equal(collect(each).x["edges"], found.x["edges"])


def test_arrays_of_graphs_and_of_one_molecule(tmp_path):
    a = np.ones((N, 4, 4)) - np.eye(4)
    np.savez(tmp_path / "graphs.npz", adjacency=a, nodes=np.ones((N, 4, 2)), y=np.arange(N) / 7)
    found = read(tmp_path / "graphs.npz")
    assert found.kind == "graphs"
    assert torch.equal(found.x["edges"][..., 0], torch.from_numpy(a))
    np.savez(tmp_path / "md.npz", R=RANDOM.normal(size=(N, 3, 3)), z=[8, 1, 1], E=np.arange(N) / 7)
    found = read(tmp_path / "md.npz")
    assert found.kind == "atoms"
    assert found.x["numbers"].tolist() == [[8, 1, 1]] * N
    assert torch.allclose(found.y, torch.arange(N, dtype=torch.float64) / 7)


def test_sets_of_any_size():
    each = [RANDOM.normal(size=(1 + i % 4, 2)) for i in range(N)]
    found = collect(each, np.arange(N) / 7)
    assert found.kind == "sets"
    for i, one in enumerate(each):
        assert torch.equal(found.x["members"][i, : len(one)], torch.from_numpy(one))
        assert found.x["there"][i].sum() == len(one)
    with pytest.raises(ArgumentError, match="sequences of one length"):
        collect(each, as_="sequences")
    assert collect(RANDOM.normal(size=(N, 7)), as_="sequences").x["sequence"].shape == (N, 7, 1)


def test_columns_of_lists_and_categories(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    sizes = [1 + i % 3 for i in range(N)]
    table = pandas.DataFrame(
        {"pt": [np.full(n, float(n)) for n in sizes], "eta": [np.arange(n) / 2 for n in sizes], "mass": np.arange(N) / 2.0}
    )
    table["kind"] = pandas.Categorical(["quark" if i % 2 else "gluon" for i in range(N)])
    table.to_parquet(tmp_path / "jets.parquet")
    found = read(tmp_path / "jets.parquet", target="kind")
    assert (found.kind, found.target, found.classes) == ("sets", "class", ("gluon", "quark"))
    assert found.x["there"].sum(1).tolist() == sizes
    assert found.x["members"][4, :2].tolist() == [[2.0, 0.0, 2.0], [2.0, 0.5, 2.0]]  # pt, eta, and the mass beside each
    flat = table[["mass", "kind"]].assign(y=np.arange(N) / 3)
    flat.to_parquet(tmp_path / "flat.parquet")
    found = read(tmp_path / "flat.parquet")
    assert found.names == ("mass", "kind=gluon", "kind=quark")
    assert found.x[3, 0].tolist() == [1.5, 0.0, 1.0]


def test_truths_and_what_is_not_known(tmp_path):
    rows = [
        "a,b,good",
        *(f"{i},{'TRUE' if i % 3 else 'FALSE'},{'TRUE' if i % 2 else 'FALSE'}" for i in range(N)),
        "1,NA,TRUE",
        "2,TRUE,NA",
    ]
    (tmp_path / "r.csv").write_text("\n".join(rows))
    with pytest.warns(
        UserWarning, match="2 of 52 rows of 'r.csv' have empty cells or say NA and are left out, the first for 'b' in line 52"
    ):
        found = read(tmp_path / "r.csv", target="good")
    assert len(found) == N
    assert found.x[:, 0, 1].tolist() == [float(i % 3 > 0) for i in range(N)]
    assert found.y.tolist() == [i % 2 for i in range(N)]


def test_tables_in_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    momenta = RANDOM.normal(size=(N, 8))
    names = [f"{part}_{i}" for i in range(2) for part in ("E", "PX", "PY", "PZ")]
    signal = np.arange(N) % 2
    import pickle

    rows = np.zeros(N, dtype=[("index", "i8"), ("values_block_0", "f4", (8,)), ("values_block_1", "i8", (1,))])
    rows["values_block_0"], rows["values_block_1"] = momenta, signal[:, None]
    with h5py.File(tmp_path / "top.h5", "w") as file:  # as pandas writes it, names of columns pickled
        table = file.create_dataset("table/table", data=rows)
        table.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(names, protocol=0))
        table.attrs["values_block_1_kind"] = np.bytes_(pickle.dumps(["is_signal_new"], protocol=0))
    found = read(tmp_path / "top.h5")
    assert isinstance(found, DataSet)
    assert found.x.shape == (N, 2, 4)
    assert torch.allclose(found.x.flatten(1), torch.from_numpy(momenta.astype(np.float32)).double())
    assert found.y.tolist() == signal.tolist()
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["x"], file["y"] = momenta.reshape(N, 2, 4), signal
    assert torch.equal(read(tmp_path / "plain.h5").x, torch.from_numpy(momenta.reshape(N, 2, 4)))
    with h5py.File(tmp_path / "columns.h5", "w") as file:
        for i, name in enumerate(names):
            file[name] = momenta[:, i]
        file["is_signal_new"] = signal
    assert torch.equal(read(tmp_path / "columns.h5").x.flatten(1), torch.from_numpy(momenta))


def test_weights_of_networks(tmp_path):
    from safetensors.torch import save_file

    shapes = {"0.weight": (5, 3), "0.bias": (5,), "2.weight": (2, 5), "2.bias": (2,)}
    tensors = {f"params/{name}": torch.randn(N, *shape) for name, shape in shapes.items()} | {"accuracy": torch.rand(N)}
    save_file(tensors, tmp_path / "zoo.safetensors")
    found = read(tmp_path / "zoo.safetensors")
    assert list(found.x) == list(shapes)
    assert torch.equal(found.x["2.weight"][:, 0], tensors["params/2.weight"])
    assert torch.equal(found.y.float(), tensors["accuracy"])


def test_parts_keep_copies_together():
    x = torch.rand(N, 1, 4, 4)
    data = Collection.of("images", {"image": torch.cat([x, x])}, torch.arange(2 * N) % 2)
    first, rest = data.split(0.7)
    assert len(first) + len(rest) == 2 * N
    assert not {tuple(t.flatten().tolist()) for t in first.x["image"]} & {tuple(t.flatten().tolist()) for t in rest.x["image"]}
    with pytest.raises(ArgumentError, match="'kind'"):
        Collection("x", "songs", {"a": x})
    with pytest.raises(ArgumentError, match="'x'"):
        Collection("x", "images", {"image": x}, torch.zeros(3), "scalar")
    with pytest.raises(ArgumentError, match="scalar or class target of images"):
        Collection.of("images", {"image": x}, torch.rand(N, 1, 3))


def test_room_for_more_members():
    edges, nodes = RANDOM.random((N, 3, 3, 2)), RANDOM.random((N, 3, 4))
    small = collect({"edges": edges, "nodes": nodes}, as_="graphs")
    large = small.padded(5)
    assert {name: list(part.shape[1:]) for name, part in large.x.items()} == {"nodes": [5, 4], "edges": [5, 5, 2], "there": [5]}
    assert torch.equal(large.x["edges"][:, :3, :3], small.x["edges"])
    assert large.x["edges"].sum() == small.x["edges"].sum()
    assert large.x["there"].sum(1).eq(3).all()
    assert small.padded(2) is small


def test_inputs_alone_may_be_few(tmp_path):
    np.savez(tmp_path / "one.npz", x=np.ones((1, 2, 3)), y=np.ones(1))
    found = read(tmp_path / "one.npz", inputs_only=True)
    assert (len(found), found.y) == (1, None)
    with pytest.raises(ArgumentError, match="at least 32 samples, to train and test at least 46; got 1"):
        read(tmp_path / "one.npz")


def test_values_of_atoms_are_no_targets_of_structures(tmp_path):
    """Forces belong to atoms; a network of whole structures without an order cannot tell whose they are."""
    ase = pytest.importorskip("ase")
    from ase.calculators.singlepoint import SinglePointCalculator

    for sizes in ([4] * N, [3] * N, [3 + i % 2 for i in range(N)]):
        each = [ase.Atoms("H" * n, RANDOM.random((n, 3))) for n in sizes]
        for one in each:
            one.calc = SinglePointCalculator(one, forces=RANDOM.random((len(one), 3)), dipole=RANDOM.random(3))
        with pytest.raises(ArgumentError, match=r"'target': expected one value of each structure; got one of each atom: 'forces'"):
            collect(each, target="forces")
        assert collect(each, target="dipole").target == "vector"


def test_a_folder_with_two_tables_of_targets_is_refused(tmp_path):
    pytest.importorskip("ase")
    for i, one in enumerate(molecules()):
        one.write(tmp_path / f"{i:03}.extxyz")
    rows = "\n".join(f"{i:03},{i / 2},{'ab'[i % 2]}" for i in range(N))
    (tmp_path / "targets.csv").write_text(f"file,width,kind\n{rows}\n")
    assert read(tmp_path, target="width").y.flatten().tolist() == [i / 2 for i in range(N)]
    assert read(tmp_path, target="kind").classes == ("a", "b")
    (tmp_path / "more.csv").write_text(f"file,width,kind\n{rows}\n")
    with pytest.raises(ArgumentError, match=r"'data': expected one .csv of targets; got 2 in .*more.csv, targets.csv"):
        read(tmp_path, target="width")
