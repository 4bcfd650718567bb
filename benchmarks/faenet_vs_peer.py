"""FAENet and its frames against PyPI `faenet` 0.1.3, on metal slabs (floats of 32 bits, one thread).

Targets: the same outputs to 1e-5 at equal weights without graph normalisation; forward and backward at most 0.8 times the peer's time; full
frames at least 1.3 times its throughput; frames of a batch at least 20 times faster than its transform, structure by structure.

The peer needs `pip install faenet==0.1.3 mendeleev torch_geometric "pandas<3"` and two patches to be built at all, made below: its table of
ionisation energies cannot be fetched from current `mendeleev`, which it does even without physical embeddings; and `torch_scatter`, a
compiled package, is replaced by `index_add`. Physical embeddings are off: the table's column of atomic volumes is gone. Without the peer,
only our times are printed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from _timing import show

import erlangen as er
from erlangen.actions import AtomBatch
from erlangen.fields.surfaces import emt_oc
from erlangen.groups.axial import AxialE
from erlangen.nn import FAENet
from erlangen.symmetrize import Planar, Principal

CUTOFF = 6.0


def peer_package() -> ModuleType:
    """The peer, with the patches that it needs.

    Raises:
        ImportError: it is not installed.
    """

    def scatter(src: torch.Tensor, index: torch.Tensor, dim: int = 0, reduce: str = "add") -> torch.Tensor:
        assert dim == 0
        assert reduce == "add"
        return src.new_zeros(int(index.max()) + 1, *src.shape[1:]).index_add(0, index, src)

    stand_in: Any = ModuleType("torch_scatter")
    stand_in.scatter = scatter
    sys.modules.setdefault("torch_scatter", stand_in)
    import mendeleev.fetch
    import pandas

    mendeleev.fetch.fetch_ionization_energies = lambda degree: pandas.DataFrame()
    import faenet

    return faenet


def networks(package: ModuleType, width: int, blocks: int, norm: bool) -> tuple[FAENet, Any]:
    """Both networks with the same weights."""
    shared = {"cutoff": CUTOFF, "hidden_channels": width, "num_filters": width, "num_interactions": blocks, "num_gaussians": 50}
    extra = {
        "tag_hidden_channels": 16,
        "pg_hidden_channels": 16,
        "phys_embeds": False,
        "graph_norm": norm,
        "regress_forces": "direct",
    }
    torch.manual_seed(0)
    theirs = package.FAENet(
        **shared, **extra, force_decoder_type="mlp", force_decoder_model_config={"mlp": {"hidden_channels": 256, "norm": "layer"}}
    )
    ours = FAENet(**shared, **extra, force_norm="layer")  # type: ignore[arg-type]
    old = theirs.state_dict()
    embed = "embed_block."
    names = {
        "atoms.element.weight": embed + "emb.weight",
        "atoms.tag.weight": embed + "tag_embedding.weight",
        "edges.vector": embed + "lin_e1",
        "edges.length": embed + "lin_e12",
        "edges.lin_2": embed + "lin_e2",
        "atoms.lin_2": embed + "lin_2",
        "atoms.lin": embed + "lin",
        "head": "output_block",
        "skip": "mlp_skip_co",
        "force_head.last.0": "decoder.model.0",
        "force_head.last.1": "decoder.model.1",
        "force_head.last.3": "decoder.model.3",
    }
    for i in range(blocks):
        inner = {"filter": "lin_geom", "down": "lin_down", "up": "lin_up", "norm": "graph_norm"}
        names |= {f"blocks.{i}.{a}": f"interaction_blocks.{i}.{b}" for a, b in inner.items()}
    new = {}
    for name, value in ours.state_dict().items():
        if name.startswith("atoms.period_embedding"):
            new[name] = old[embed + "period_embedding.weight"][1:7]
        elif name.startswith("atoms.group_embedding"):
            rows = old[embed + "group_embedding.weight"][1:19]  # the peer has no row for its f-block
            new[name] = torch.cat([rows, value[18:]])
        else:
            mine = max((key for key in names if name == key or name.startswith(key + ".")), key=len)
            new[name] = old[names[mine] + name[len(mine) :]]
    ours.load_state_dict(new)
    return ours, theirs


def as_peer_batch(batch: AtomBatch) -> SimpleNamespace:
    """The same structures with the peer's names."""
    assert batch.edge_index is not None
    return SimpleNamespace(
        pos=batch.pos.clone(),
        atomic_numbers=batch.numbers,
        batch=batch.batch,
        cell=batch.cell.clone(),
        cell_offsets=batch.cell_offsets,
        edge_index=batch.edge_index,
        neighbors=torch.bincount(batch.batch[batch.edge_index[1]], minlength=len(batch)),
        natoms=torch.bincount(batch.batch, minlength=len(batch)),
        tags=batch.tags,
    )


def in_turns(ours: Callable[[], Any], peer: Callable[[], Any], repeats: int = 9, warmup: int = 2) -> tuple[float, float]:
    """Median CPU seconds of each, run in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(warmup + repeats):
        for run, kept in zip((ours, peer), times):
            started = time.process_time()
            run()
            if i >= warmup:
                kept.append(time.process_time() - started)
    return statistics.median(times[0]), statistics.median(times[1])


def step(predict: Callable[[], dict[str, torch.Tensor]]) -> None:
    y = predict()
    (y["energy"].square().mean() + y["forces"].square().mean()).backward()


def main() -> None:
    torch.set_num_threads(1)
    batch = emt_oc(24, cache=False).to(torch.float32).batch.with_edges(CUTOFF, 40)
    assert batch.edge_index is not None
    print(f"{len(batch)} slabs, {len(batch.pos)} atoms, {batch.edge_index.shape[1]} edges")
    try:
        package = peer_package()
    except ImportError as missing:
        net = FAENet(cutoff=CUTOFF, regress_forces="direct")
        seconds = in_turns(lambda: step(lambda: net(batch)), lambda: None)[0]
        print(f"the peer is not installed ({missing}); ours, default sizes, forward + backward: {1e3 * seconds:.1f} ms")
        return
    from faenet.fa_forward import model_forward
    from faenet.frame_averaging import frame_averaging_2D, frame_averaging_3D

    for width, blocks in ((128, 4), (256, 5)):
        ours, theirs = networks(package, width, blocks, norm=False)
        y, z = ours(batch), theirs(as_peer_batch(batch), mode="inference")
        for name in ("energy", "forces"):
            difference = float(((y[name] - z[name]).abs().max() / z[name].abs().max()).detach())
            print(f"  width {width}, {blocks} blocks, largest difference of {name}, relative: {difference:.1e} (target 1e-5)")
        for norm in (False, True):
            ours, theirs = networks(package, width, blocks, norm=norm)
            a, b = in_turns(
                lambda: step(lambda: ours(batch)),  # noqa: B023 - called at once
                lambda: step(lambda: theirs(as_peer_batch(batch), mode="inference")),  # noqa: B023
            )
            show(f"width {width}, {blocks} blocks{', graph norm' * norm}, forward + backward", a, b, "faenet", "<= 0.8")

    ours, theirs = networks(package, 128, 4, norm=False)
    G = AxialE("z")
    model, in_parts = (
        er.symmetrize(ours, *ours.records(G), frame=Planar(degenerate="ignore"), check=False, chunk=chunk).eval()
        for chunk in (None, 1)
    )
    record = batch.record()
    parts = [(batch.select([i]).pos, batch.cell[i]) for i in range(len(batch))]

    def peer_full(model: Any = theirs) -> dict[str, torch.Tensor]:
        found = [frame_averaging_2D(pos, cell, "all") for pos, cell in parts]
        data = as_peer_batch(batch)
        data.fa_pos = [torch.cat([f[0][k] for f in found]) for k in range(4)]
        data.fa_cell = [torch.stack([f[1][k] for f in found]) for k in range(4)]
        data.fa_rot = [torch.cat([f[2][k] for f in found]) for k in range(4)]
        return model_forward(deepcopy(data), model, "2D", mode="inference")

    with torch.no_grad():
        wanted = peer_full()["energy"]
        difference = (model(record)["energy"].squeeze(1) - wanted).abs().max() / wanted.abs().max()
        print(f"  averages over full frames, largest relative difference: {float(difference):.1e}")
        for name, symmetrized in (("in one pass", model), ("chunk=1", in_parts)):
            a, b = in_turns(lambda symmetrized=symmetrized: symmetrized(record), peer_full, repeats=7)
            show(f"full planar frames {name}, frames and forward", a, b, "faenet", "<= 0.77")

    space, flat = ours.records(er.E(3))[0], ours.records(G)[0]
    for name, frame, inp, transform in (
        ("3-D", Principal("descending", "ignore"), space, frame_averaging_3D),
        ("2-D", Planar(degenerate="ignore"), flat, frame_averaging_2D),
    ):
        many = AtomBatch.concat([batch.replace(edge_index=None, cell_offsets=None)] * 10)
        singles = [(many.pos[many.batch == i], many.cell[i]) for i in range(len(many))]
        act = er.actions.as_action(inp)
        moving = {key: value for key, value in many.record().items() if key in inp} | {
            "edge_index": torch.zeros(2, 0, dtype=torch.int64),
            "cell_offsets": torch.zeros(0, 3),
        }
        a, b = in_turns(
            lambda frame=frame, act=act, moving=moving: frame(act, moving),
            lambda transform=transform, singles=singles: [transform(pos, cell, "all") for pos, cell in singles],
            repeats=5,
        )
        show(f"{name} frames of {len(many)} slabs", a, b, "faenet", "<= 0.05")


if __name__ == "__main__":
    main()
