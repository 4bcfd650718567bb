"""`FAENet`: a fast message-passing network for molecules and crystals without any symmetry inside, to be used with frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.clouds import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.groups.matrix import MatrixGroup
from erlangen.nn.elements import LAST
from erlangen.nn.faenet_config import FAENetConfig
from erlangen.nn.faenet_parts import (
    AtomEmbedding,
    EdgeEmbedding,
    EnergyHead,
    ForceHead,
    Gaussians,
    Interaction,
    fade,
    linear,
)


class FAENet(nn.Module):
    """Energies, and forces, of structures from the raw vectors between their atoms.

    The network sees directions as numbers: it is as fast as a plain network and has no symmetry but those of translations and of the
    order of atoms. :func:`erlangen.symmetrize` with the actions of :meth:`records` gives it the others, with
    ``Stochastic(Principal())`` at the cost of one pass in training. Lengths in angstrom, in the convention of the data.

    Args:
        config: all choices.
        options: fields of :class:`FAENetConfig` by name, which take the place of those of ``config``: ``FAENet(cutoff=5.0)``.

    Attributes:
        config: the :class:`FAENetConfig` in force; ``FAENet(net.config)`` makes another network of the same shape.

    Raises:
        ArgumentError: naming an argument with an unusable value.

    Source: Duval et al., "FAENet: Frame Averaging Equivariant GNN for Materials Modeling", ICML 2023, arXiv:2305.05577.

    >>> import erlangen as er
    >>> G, net = er.SE(3), FAENet(hidden_channels=64, num_filters=32, tag_hidden_channels=0, pg_hidden_channels=8, regress_forces="direct")
    >>> model = er.symmetrize(net, *net.records(G), frame=er.frames.Stochastic(er.frames.Principal())).eval()
    >>> water = AtomBatch.of(torch.tensor([[0.0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]]), [8, 1, 1]).with_edges(6.0)
    >>> y = model(water.record())
    >>> y["energy"].shape, y["forces"].shape
    (torch.Size([1, 1]), torch.Size([3, 3]))
    """

    def __init__(self, config: FAENetConfig | None = None, **options: Any) -> None:
        super().__init__()
        self.config = c = replace(config or FAENetConfig(), **options)
        self.cutoff, self.max_num_neighbors, self.smooth_cutoff = float(c.cutoff), c.max_num_neighbors, c.smooth_cutoff
        self.skip_co, self.energy_head, self.regress_forces = c.skip_co, c.energy_head, c.regress_forces
        self.hidden_channels, self.out_dim, self.use_tags = c.hidden_channels, c.out_dim, c.tag_hidden_channels > 0
        self.radial = Gaussians(c.cutoff, c.num_gaussians)
        self.atoms = AtomEmbedding(
            c.hidden_channels,
            c.tag_hidden_channels,
            c.pg_hidden_channels,
            c.phys_hidden_channels,
            c.phys_embeds,
            c.second_layer_MLP,
        )
        self.edges = EdgeEmbedding(c.num_gaussians, c.num_filters, c.second_layer_MLP)
        self.blocks = nn.ModuleList(
            Interaction(c.hidden_channels, c.num_filters, c.mp_type, c.complex_mp, c.graph_norm) for _ in range(c.num_interactions)
        )
        self.head = EnergyHead(c.hidden_channels, c.out_dim, c.energy_head == "weighted-av-final-embeds")
        self.initial_weight = linear(c.hidden_channels, 1) if c.energy_head == "weighted-av-initial-embeds" else None
        reads = c.num_interactions + 1
        widths = {"concat": (reads, 1), "concat_atom": (reads * c.hidden_channels, c.hidden_channels)}
        self.skip = linear(*widths[c.skip_co]) if c.skip_co in widths else None
        width = c.force_hidden_channels or (256 if c.force_decoder_type == "mlp" else 128)
        direct = c.regress_forces is not None and c.regress_forces.startswith("direct")
        self.force_head = ForceHead(c.force_decoder_type, c.hidden_channels, width, c.force_norm) if direct else None

    def forward(self, batch: AtomBatch | Mapping[str, Tensor] | Any) -> dict[str, Tensor]:
        """``energy [B, out_dim]``, ``hidden_state [N, H]`` and, as ``regress_forces`` says, ``forces [N, 3]``.

        Args:
            batch: an :class:`AtomBatch`, its record, or a PyG batch; edges are made where it has none.

        Raises:
            ArgumentError: atomic numbers or tags without a row in the tables, or what :class:`AtomBatch` refuses.
        """
        data = batch if isinstance(batch, AtomBatch) else AtomBatch.from_pyg(batch)
        if not torch.compiler.is_compiling():
            self._check(data)
        if data.edge_index is None:
            data = data.with_edges(self.cutoff, self.max_num_neighbors)
        if self.regress_forces not in ("from_energy", "direct_with_gradient_target"):
            return self._predict(data)
        with torch.enable_grad():
            if not data.pos.requires_grad:
                data = data.replace(pos=data.pos.detach().requires_grad_())
            y = self._predict(data)
            wanted = self.training and self.regress_forces == "from_energy"
            (gradient,) = torch.autograd.grad(y["energy"].sum(), data.pos, create_graph=wanted, retain_graph=True)
        if self.regress_forces == "from_energy":
            return y | {"forces": -gradient}
        return y | {"forces_grad_target": -gradient.detach()}

    def _predict(self, data: AtomBatch) -> dict[str, Tensor]:
        assert data.edge_index is not None
        source, target = data.edge_index
        vectors, size = data.vectors(), len(data)
        counts = data.pos.new_zeros(size, 1).index_add(0, data.batch, torch.ones_like(data.pos[:, :1]))
        length = vectors.norm(dim=-1)
        e = self.edges(vectors, self.radial(length))
        fading = fade(length / self.cutoff).unsqueeze(-1) if self.smooth_cutoff else None
        h = self.atoms(data.numbers, data.tags)
        alpha = None if self.initial_weight is None else self.initial_weight(h)
        states = [h]
        for block in self.blocks:
            h = h + block(h, e, source, target, data.batch, counts, fading)
            states.append(h)
        if self.skip_co == "concat_atom":
            assert self.skip is not None
            h = nn.functional.silu(self.skip(torch.cat(states, -1)))
        if self.skip_co in ("concat", "add"):
            reads = torch.stack([self.head(state, data.batch, size, alpha) for state in states], -1)
            energy = reads.sum(-1) if self.skip is None else self.skip(reads).squeeze(-1)
        else:
            energy = self.head(h, data.batch, size, alpha)
        y = {"energy": energy, "hidden_state": h}
        return y if self.force_head is None else y | {"forces": self.force_head(h)}

    def records(self, group: MatrixGroup, edges: bool = True) -> tuple[dict[str, Action | None], dict[str, Action | None]]:
        """How a group of motions of space acts on :meth:`AtomBatch.record` and on the output: ``inp`` and ``out`` of ``symmetrize``.

        Args:
            group: ``E(3)``, ``SE(3)``, ``O(3)``, rotations about an axis, ...
            edges: whether the batches come with edges. Make them once: they do not depend on the frame.
        """
        from erlangen.actions.ragged import Edges, PerDatum, PerEdge, PerNode, Segment

        vector = group.vector
        inp: dict[str, Action | None] = {
            "pos": group.point if group.translates else vector,
            "numbers": PerNode(group),
            "batch": Segment(group),
            "cell": vector,
            "pbc": PerDatum(group),
            "tags": PerNode(group),
        }
        if edges:
            inp |= {"edge_index": Edges(group), "cell_offsets": PerEdge(group)}
        out: dict[str, Action | None] = {
            "energy": group.scalar if self.out_dim == 1 else self.out_dim * group.scalar,
            "hidden_state": None,
        }
        if self.regress_forces is not None:
            out["forces"] = vector
        if self.regress_forces == "direct_with_gradient_target":
            out["forces_grad_target"] = vector
        return inp, out

    def _check(self, data: AtomBatch) -> None:
        if int(data.numbers.max()) > LAST:
            raise ArgumentError("numbers", f"atomic numbers from 1 to {LAST}", int(data.numbers.max()))
        if self.use_tags and not (int(data.tags.min()) >= 0 and int(data.tags.max()) <= 2):
            raise ArgumentError("tags", "0, 1 or 2", sorted(set(data.tags.tolist())))
