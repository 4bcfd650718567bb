"""`FAENetConfig`: the shape of a :class:`~erlangen.nn.faenet.FAENet`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from erlangen.errors import ArgumentError
from erlangen.nn.faenet_parts import ForceHeadType, MessageType, Norm, atom_width

EnergyHeadType = Literal["weighted-av-initial-embeds", "weighted-av-final-embeds"]
SkipConnection = Literal["concat", "add", "concat_atom"]
Forces = Literal["direct", "direct_with_gradient_target", "from_energy"]


@dataclass(frozen=True)
class FAENetConfig:
    """The choices of a network: they print, compare, and are ready for JSON by ``dataclasses.asdict``.

    The names are those of the published network.

    Attributes:
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
        ArgumentError: naming a field with an unusable value.

    >>> FAENetConfig(cutoff=5.0) == FAENetConfig(cutoff=5.0) != FAENetConfig()
    True
    """

    cutoff: float = 6.0
    max_num_neighbors: int | None = 40
    hidden_channels: int = 128
    num_filters: int = 128
    num_interactions: int = 4
    num_gaussians: int = 50
    mp_type: MessageType = "updownscale_base"
    complex_mp: bool = False
    graph_norm: bool = True
    second_layer_MLP: bool = True
    skip_co: SkipConnection | None = "concat"
    energy_head: EnergyHeadType | None = None
    out_dim: int = 1
    regress_forces: Forces | None = None
    force_decoder_type: ForceHeadType = "mlp"
    force_hidden_channels: int | None = None
    force_norm: Norm | None = "layer"
    phys_embeds: bool = True
    phys_hidden_channels: int = 0
    tag_hidden_channels: int = 32
    pg_hidden_channels: int = 32
    smooth_cutoff: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("mp_type", self.mp_type, get_args(MessageType)),
            ("skip_co", self.skip_co, (None, *get_args(SkipConnection))),
            ("energy_head", self.energy_head, (None, *get_args(EnergyHeadType))),
            ("regress_forces", self.regress_forces, (None, *get_args(Forces))),
            ("force_decoder_type", self.force_decoder_type, get_args(ForceHeadType)),
            ("force_norm", self.force_norm, (None, *get_args(Norm))),
        ):
            if value not in known:
                raise ArgumentError(name, f"one of {', '.join(map(repr, known))}", repr(value))
        for name, number, least in (
            ("hidden_channels", self.hidden_channels, 2),
            ("num_interactions", self.num_interactions, 0),
            ("num_gaussians", self.num_gaussians, 2),
            ("out_dim", self.out_dim, 1),
            ("num_filters", self.num_filters, 2),
        ):
            if number < least:
                raise ArgumentError(name, f"at least {least}", number)
        if not self.cutoff > 0:
            raise ArgumentError("cutoff", "a positive length", repr(self.cutoff))
        if self.num_filters % 2:
            raise ArgumentError("num_filters", "an even number, half for vectors and half for lengths", repr(self.num_filters))
        if self.mp_type == "simple" and self.num_filters != self.hidden_channels:
            raise ArgumentError(
                "num_filters", f"hidden_channels = {self.hidden_channels} for mp_type 'simple'", repr(self.num_filters)
            )
        if (
            left := atom_width(
                self.hidden_channels, self.tag_hidden_channels, self.pg_hidden_channels, self.phys_hidden_channels, self.phys_embeds
            )
        ) < 1:
            raise ArgumentError(
                "hidden_channels", f"at least {self.hidden_channels - left + 1} with these embeddings", repr(self.hidden_channels)
            )
        if self.smooth_cutoff and self.max_num_neighbors is not None:
            raise ArgumentError(
                "max_num_neighbors", "None with smooth_cutoff: a bound on neighbours jumps by itself", repr(self.max_num_neighbors)
            )
