"""`FAENet`: a fast message-passing network for molecules and crystals without any symmetry inside, to be used with frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.clouds import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.groups.matrix import MatrixGroup
from erlangen.nn.elements import LAST
from erlangen.nn.faenet_parts import (
    AtomEmbedding,
    EdgeEmbedding,
    EnergyHead,
    ForceHead,
    ForceHeadType,
    Gaussians,
    Interaction,
    MessageType,
    Norm,
    atom_width,
    fade,
    linear,
)

EnergyHeadType = Literal["weighted-av-initial-embeds", "weighted-av-final-embeds"]
SkipConnection = Literal["concat", "add", "concat_atom"]
Forces = Literal["direct", "direct_with_gradient_target", "from_energy"]


class FAENet(nn.Module):
    """Energies, and forces, of structures from the raw vectors between their atoms.

    The network sees directions as numbers: it is as fast as a plain network and has no symmetry but those of translations and of the
    order of atoms. :func:`erlangen.symmetrize` with the actions of :meth:`records` gives it the others, with
    ``Stochastic(Principal())`` at the cost of one pass in training. Lengths in angstrom, in the convention of the data.

    Args:
        cutoff: of edges; used when a batch comes without edges.
        max_num_neighbors: of each atom, then.
        hidden_channels: width ``H`` of atoms' features; the element's own vector takes what the other embeddings leave.
        num_filters: width of edges' features, even; equal to ``H`` for ``mp_type="simple"``.
        num_interactions: blocks.
        num_gaussians: radial functions.
        mp_type: ``"updownscale_base"`` (filters of the edge and of both atoms, in ``num_filters`` channels), ``"base"`` (the same in ``H``
            channels), ``"updownscale"`` (of the edge alone), ``"updown_local_env"`` (beside it the sum of the edges around), ``"simple"``
            (the edge's features are the filter).
        complex_mp: one more layer in each block.
        graph_norm: normalise messages over the atoms of each structure.
        second_layer_MLP: two layers in the embeddings.
        skip_co: combine the energies read out after each block linearly (``"concat"``), add them (``"add"``), read out from all blocks'
            features (``"concat_atom"``) or from the last alone (``None``).
        energy_head: weights of the atoms in the energy, from their first or last features; ``None``: all one.
        out_dim: numbers per structure.
        regress_forces: ``None``; ``"direct"``, a head of its own; ``"direct_with_gradient_target"``, the same with ``-dE/dx`` beside it
            (detached, as ``"forces_grad_target"``); ``"from_energy"``, ``-dE/dx``.
        force_decoder_type, force_hidden_channels, force_norm: the head of direct forces; its width is 256 for ``"mlp"``, else 128. Batch
            normalisation makes a structure's forces depend on the others' in training; ``"layer"`` does not.
        phys_embeds: use the elements' physical properties.
        phys_hidden_channels: through a layer of this width; 0: as they are.
        tag_hidden_channels: width of the tags' vectors (layers of slabs), 0 for none.
        pg_hidden_channels: of the periods' and groups' vectors each, 0 for none.
        smooth_cutoff: messages fade to nothing at ``cutoff``, so that energies and forces do not jump where atoms pass it, as in dynamics
            (the source's do). Wants edges of all neighbours up to ``cutoff``: ``max_num_neighbors=None``.

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

    def __init__(
        self,
        cutoff: float = 6.0,
        max_num_neighbors: int | None = 40,
        hidden_channels: int = 128,
        num_filters: int = 128,
        num_interactions: int = 4,
        num_gaussians: int = 50,
        mp_type: MessageType = "updownscale_base",
        complex_mp: bool = False,
        graph_norm: bool = True,
        second_layer_MLP: bool = True,
        skip_co: SkipConnection | None = "concat",
        energy_head: EnergyHeadType | None = None,
        out_dim: int = 1,
        regress_forces: Forces | None = None,
        force_decoder_type: ForceHeadType = "mlp",
        force_hidden_channels: int | None = None,
        force_norm: Norm | None = "layer",
        phys_embeds: bool = True,
        phys_hidden_channels: int = 0,
        tag_hidden_channels: int = 32,
        pg_hidden_channels: int = 32,
        smooth_cutoff: bool = False,
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("mp_type", mp_type, get_args(MessageType)),
            ("skip_co", skip_co, (None, *get_args(SkipConnection))),
            ("energy_head", energy_head, (None, *get_args(EnergyHeadType))),
            ("regress_forces", regress_forces, (None, *get_args(Forces))),
            ("force_decoder_type", force_decoder_type, get_args(ForceHeadType)),
            ("force_norm", force_norm, (None, *get_args(Norm))),
        ):
            if value not in known:
                raise ArgumentError(name, f"one of {', '.join(map(repr, known))}", repr(value))
        for name, number, least in (
            ("hidden_channels", hidden_channels, 2),
            ("num_interactions", num_interactions, 0),
            ("num_gaussians", num_gaussians, 2),
            ("out_dim", out_dim, 1),
            ("num_filters", num_filters, 2),
        ):
            if number < least:
                raise ArgumentError(name, f"at least {least}", number)
        if not cutoff > 0:
            raise ArgumentError("cutoff", "a positive length", repr(cutoff))
        if num_filters % 2:
            raise ArgumentError("num_filters", "an even number, half for vectors and half for lengths", repr(num_filters))
        if mp_type == "simple" and num_filters != hidden_channels:
            raise ArgumentError("num_filters", f"hidden_channels = {hidden_channels} for mp_type 'simple'", repr(num_filters))
        if (left := atom_width(hidden_channels, tag_hidden_channels, pg_hidden_channels, phys_hidden_channels, phys_embeds)) < 1:
            raise ArgumentError(
                "hidden_channels", f"at least {hidden_channels - left + 1} with these embeddings", repr(hidden_channels)
            )
        if smooth_cutoff and max_num_neighbors is not None:
            raise ArgumentError(
                "max_num_neighbors", "None with smooth_cutoff: a bound on neighbours jumps by itself", repr(max_num_neighbors)
            )
        self.cutoff, self.max_num_neighbors, self.smooth_cutoff = float(cutoff), max_num_neighbors, smooth_cutoff
        self.skip_co, self.energy_head, self.regress_forces = skip_co, energy_head, regress_forces
        self.hidden_channels, self.out_dim, self.use_tags = hidden_channels, out_dim, tag_hidden_channels > 0
        self.radial = Gaussians(cutoff, num_gaussians)
        self.atoms = AtomEmbedding(
            hidden_channels, tag_hidden_channels, pg_hidden_channels, phys_hidden_channels, phys_embeds, second_layer_MLP
        )
        self.edges = EdgeEmbedding(num_gaussians, num_filters, second_layer_MLP)
        self.blocks = nn.ModuleList(
            Interaction(hidden_channels, num_filters, mp_type, complex_mp, graph_norm) for _ in range(num_interactions)
        )
        self.head = EnergyHead(hidden_channels, out_dim, energy_head == "weighted-av-final-embeds")
        self.initial_weight = linear(hidden_channels, 1) if energy_head == "weighted-av-initial-embeds" else None
        reads = num_interactions + 1
        widths = {"concat": (reads, 1), "concat_atom": (reads * hidden_channels, hidden_channels)}
        self.skip = linear(*widths[skip_co]) if skip_co in widths else None
        width = force_hidden_channels or (256 if force_decoder_type == "mlp" else 128)
        direct = regress_forces is not None and regress_forces.startswith("direct")
        self.force_head = ForceHead(force_decoder_type, hidden_channels, width, force_norm) if direct else None

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
