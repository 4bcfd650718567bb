"""What each kind of layer does to the axes that pass through it: the layers of ``torch.nn``, as rules on streams.

A rule gets the layer, the axes of its inputs (:class:`Typed`) and a function that gives the axes of a parameter, makes one what must
move alike, and returns the axes of the output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from erlangen.parameters.streams import BLOCKS, GROUP, Stream, blocks, fixed, give_up, grouped, split, unify

#: Gives the axes of a parameter or buffer.
Axes = Callable[[Tensor], list[Stream]]


class Typed:
    """The axes of a tensor that passes through a model.

    Args:
        axes: one stream for each axis.
        layers: for the last states of a network of several layers, ``[layers, ..., h]``, the stream of each layer's last axis.
        counted: for an integer input whose numbers may be permuted, the axes that they index (rows of embeddings), as they are met.
        stored: for a parameter or buffer itself, of which other inputs may use more.
    """

    def __init__(
        self, axes: Sequence[Stream], layers: Sequence[Stream] = (), counted: list[Stream] | None = None, stored: bool = False
    ) -> None:
        self._axes, self.counted, self.stored = list(axes), counted, stored
        self.layers = list(layers) if len(layers) > 1 else []

    @property
    def axes(self) -> list[Stream]:
        """The streams; asked for as one tensor, states of several layers must move alike."""
        if self.layers:
            self._axes[-1] = unify(*self.layers)
            self.layers = []
        return self._axes

    def layer(self, i: int) -> Typed:
        """The states of one layer."""
        return Typed([*self._axes[1:-1], self.layers[i] if self.layers else self._axes[-1]])

    def fix(self) -> None:
        """Nothing moves this tensor."""
        for stream in [*self._axes, *self.layers]:
            stream.fix()


class Constant(Typed):
    """A tensor of one number, initial states of zeros for instance: any permutation of any axis leaves it, so each use has streams of its
    own and ties nothing.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__([])
        self.shape = tuple(shape)

    @property
    def axes(self) -> list[Stream]:
        return [Stream(n) for n in self.shape]

    def layer(self, i: int) -> Typed:
        return Constant(self.shape[1:])

    def fix(self) -> None:
        """Nothing can move it."""


def name(stream: Stream, hint: str) -> None:
    """What a person would call a stream, unless it has a name."""
    stream.find().hint = stream.find().hint or hint


def keep(layer: nn.Module, axes: Axes, x: Typed, *rest: Any) -> Typed:
    """Point-wise layers."""
    return x


def linear(layer: Any, axes: Axes, x: Typed) -> Typed:
    out, inp = axes(layer.weight)
    unify(inp, x.axes[-1])
    if layer.bias is not None:
        unify(out, *axes(layer.bias))
    return Typed([*x.axes[:-1], out])


def convolution(layer: Any, axes: Axes, x: Typed, *rest: Any) -> Typed:
    spatial = len(layer.kernel_size)
    lead, stream, places = x.axes[: -spatial - 1], x.axes[-spatial - 1], x.axes[-spatial:]
    weight = axes(layer.weight)
    for s in weight[2:]:
        s.fix()
    give_up(places, type(layer).__name__)
    first, second = (weight[0], weight[1]) if not layer.transposed else (weight[1], weight[0])
    if layer.groups == 1:
        unify(second, stream)
        out = first
    else:
        # One permutation inside all groups alike, and groups among each other.
        group, own = split(stream, GROUP, [layer.groups, layer.in_channels // layer.groups])
        if layer.transposed:
            unify(second, stream)
            out = grouped([group, first])
        else:
            unify(own, second)
            out = unify(first, grouped([group, Stream(layer.out_channels // layer.groups)]))
    if layer.bias is not None:
        unify(out, *axes(layer.bias))
    return Typed([*lead, out, *(fixed(n) for n in [1] * spatial)])


def channels_norm(layer: Any, axes: Axes, x: Typed) -> Typed:
    """Batch and instance normalisation: a number of each kind for every channel."""
    places = next((d for d in (1, 2, 3) if isinstance(layer, INSTANCE_NORMS[d - 1])), None)
    channel = 1 if places is None else -places - 1  # of one sample there is no axis before it
    for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
        if tensor is not None:
            unify(x.axes[channel], *axes(tensor))
    return x


INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def features_norm(layer: Any, axes: Axes, x: Typed) -> Typed:
    """Layer normalisation over the last axes, with an affine map for each feature."""
    for tensor in (layer.weight, getattr(layer, "bias", None)):
        if tensor is not None:
            own = axes(tensor)
            for a, b in zip(x.axes[-len(own) :], own):
                unify(a, b)
    return x


def group_norm(layer: nn.GroupNorm, axes: Axes, x: Typed) -> Typed:
    stream = x.axes[1]
    if layer.num_groups > 1:
        split(stream, GROUP, [layer.num_groups, layer.num_channels // layer.num_groups])
    for tensor in (layer.weight, layer.bias):
        if tensor is not None:
            unify(stream, *axes(tensor))
    return x


def embedding(layer: nn.Embedding, axes: Axes, x: Typed) -> Typed:
    rows, features = axes(layer.weight)
    _looked_up(rows, x)
    return Typed([*x.axes, features])


def embedding_bag(layer: nn.EmbeddingBag, axes: Axes, x: Typed, offsets: Any = None, per_sample_weights: Any = None) -> Typed:
    """Rows are reduced feature by feature, whatever the mode."""
    rows, features = axes(layer.weight)
    _looked_up(rows, x)
    for other in (offsets, per_sample_weights):
        if isinstance(other, Typed):
            other.fix()
    bags = (x if offsets is None else offsets).axes[0]
    return Typed([fixed(bags.size), features])


def _looked_up(rows: Stream, x: Typed) -> None:
    if x.counted is None:
        rows.fix()
    else:
        x.counted.append(rows)
        unify(*x.counted)


def prelu(layer: nn.PReLU, axes: Axes, x: Typed) -> Typed:
    (slope,) = axes(layer.weight)
    if slope.size > 1:
        unify(slope, x.axes[1])
    return x


def recurrent(layer: Any, axes: Axes, x: Typed, state: Any = None) -> tuple[Typed, Any]:
    """RNN, GRU and LSTM: gates are blocks of the hidden label; a projection has a label of its own."""
    lead = x.axes[:-1]
    for s in lead:
        s.fix()
    given = list(state) if isinstance(state, tuple) else [] if state is None else [state]
    stream = x.axes[-1]
    hiddens: list[Stream] = []
    cells: list[Stream] = []
    directions = ["", "_reverse"] if layer.bidirectional else [""]
    for k in range(layer.num_layers):
        outs = []
        for tail in directions:
            own = {
                part: getattr(layer, f"{part}_l{k}{tail}", None)
                for part in ("weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh")
            }
            cell = Stream(layer.hidden_size)
            name(cell, f"h{k}{tail}" if layer.num_layers * len(directions) > 1 else "h")
            out = cell
            if own["weight_hr"] is not None:
                out, inner = axes(own["weight_hr"])
                unify(inner, cell)
                name(out, f"p{k}{tail}")
            _gates(own, axes, stream, out, cell, layer.hidden_size)
            outs.append(out)
            cells.append(cell)
        hiddens += outs
        stream = blocks(outs)
    for initial, streams in zip(given, (hiddens, cells)):
        for k, s in enumerate(streams):
            unify(initial.layer(k).axes[-1], s)
    shape = [fixed(1), *(fixed(1) for _ in lead[1:])]
    last = [Typed([*shape, streams[0]], streams) for streams in (hiddens, cells)]
    return Typed([*lead, stream]), (last[0], last[1]) if isinstance(layer, nn.LSTM) else last[0]


def recurrent_cell(layer: Any, axes: Axes, x: Typed, state: Any = None) -> Any:
    own = {part: getattr(layer, part, None) for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    cell = Stream(layer.hidden_size)
    name(cell, "h")
    _gates(own, axes, x.axes[-1], cell, cell, layer.hidden_size)
    for tensor in list(state) if isinstance(state, tuple) else [] if state is None else [state]:
        unify(tensor.axes[-1], cell)
    out = Typed([*x.axes[:-1], cell])
    return (out, out) if isinstance(layer, nn.LSTMCell) else out


def _gates(own: dict[str, Any], axes: Axes, inp: Stream, out: Stream, cell: Stream, size: int) -> None:
    count = own["weight_ih"].shape[0] // size
    stacked = blocks([cell] * count)
    for part, columns in (("weight_ih", inp), ("weight_hh", out)):
        rows, cols = axes(own[part])
        unify(rows, stacked)
        unify(cols, columns)
    for part in ("bias_ih", "bias_hh"):
        if own[part] is not None:
            unify(stacked, *axes(own[part]))


def attention(layer: nn.MultiheadAttention, axes: Axes, query: Typed, key: Typed, value: Typed, *rest: Any, **options: Any) -> Any:
    """Heads are permuted among each other, and inside all heads alike what q and k share and what v has."""
    for tensor in (query, key, value):
        for s in tensor.axes[:-1]:
            s.fix()
    for mask in [*rest, *options.values()]:
        if isinstance(mask, Typed):
            mask.fix()
    heads, of_qk, of_v = Stream(layer.num_heads), Stream(layer.head_dim), Stream(layer.head_dim)
    for stream, hint in ((heads, "heads"), (of_qk, "qk"), (of_v, "v")):
        name(stream, hint)
    qk, v = grouped([heads, of_qk]), grouped([heads, of_v])
    inputs = (query.axes[-1], key.axes[-1], value.axes[-1])
    if layer.in_proj_weight is not None:
        rows, cols = axes(layer.in_proj_weight)
        unify(rows, blocks([qk, qk, v]))
        unify(cols, *inputs)
    else:
        for matrix, stream, inp in zip(("q_proj_weight", "k_proj_weight", "v_proj_weight"), (qk, qk, v), inputs):
            rows, cols = axes(getattr(layer, matrix))
            unify(rows, stream)
            unify(cols, inp)
    if layer.in_proj_bias is not None:
        unify(blocks([qk, qk, v]), *axes(layer.in_proj_bias))
    for extra, stream in ((layer.bias_k, qk), (layer.bias_v, v)):
        if extra is not None:
            unify(stream, axes(extra)[-1])
    out, inner_axis = axes(layer.out_proj.weight)
    unify(inner_axis, v)
    if layer.out_proj.bias is not None:
        unify(out, *axes(layer.out_proj.bias))
    batch = [fixed(1)] * (len(query.axes) - 2)
    apart = not options.get("average_attn_weights", rest[3] if len(rest) > 3 else True)
    return Typed([*query.axes[:-1], out]), Typed([*batch, *([heads] if apart else []), fixed(1), fixed(1)])


def encoder_layer(layer: nn.TransformerEncoderLayer, axes: Axes, x: Typed, *rest: Any, **options: Any) -> Typed:
    for norm in (layer.norm1, layer.norm2):
        features_norm(norm, axes, x)
    _residual(x, attention(layer.self_attn, axes, x, x, x)[0])
    _residual(x, linear(layer.linear2, axes, linear(layer.linear1, axes, x)))
    return x


def decoder_layer(layer: nn.TransformerDecoderLayer, axes: Axes, x: Typed, memory: Typed, *rest: Any, **options: Any) -> Typed:
    for norm in (layer.norm1, layer.norm2, layer.norm3):
        features_norm(norm, axes, x)
    _residual(x, attention(layer.self_attn, axes, x, x, x)[0])
    _residual(x, attention(layer.multihead_attn, axes, x, memory, memory)[0])
    _residual(x, linear(layer.linear2, axes, linear(layer.linear1, axes, x)))
    return x


def encoder(layer: nn.TransformerEncoder, axes: Axes, x: Typed, *rest: Any, **options: Any) -> Typed:
    for part in layer.layers:
        x = encoder_layer(part, axes, x)  # type: ignore[arg-type]
    return x if layer.norm is None else features_norm(layer.norm, axes, x)


def decoder(layer: nn.TransformerDecoder, axes: Axes, x: Typed, memory: Typed, *rest: Any, **options: Any) -> Typed:
    for part in layer.layers:
        x = decoder_layer(part, axes, x, memory)  # type: ignore[arg-type]
    return x if layer.norm is None else features_norm(layer.norm, axes, x)


def transformer(layer: nn.Transformer, axes: Axes, source: Typed, target: Typed, *rest: Any, **options: Any) -> Typed:
    return decoder(layer.decoder, axes, target, encoder(layer.encoder, axes, source))


def _residual(x: Typed, y: Typed) -> None:
    unify(x.axes[-1], y.axes[-1])


def positions(layer: nn.Module, axes: Axes, x: Typed) -> Typed:
    """Pooling and other layers that mix the positions of each channel: positions are not permuted. They are the last axes, as many as the
    layer's name says, and for ``Upsample`` all behind the second."""
    names = [kind.__name__ for kind in type(layer).__mro__]
    places = next((d for d in (1, 2, 3) if any(n.endswith(f"{d}d") for n in names)), len(x.axes) - 2)
    return between(x, places, names[0])


def between(x: Typed, places: int, what: str) -> Typed:
    """What mixes the last axes of each channel."""
    kept = x.axes[: len(x.axes) - places]
    give_up(x.axes[len(x.axes) - places :], what)
    return Typed([*kept, *(fixed(1) for _ in range(places))])


def gated(x: Typed, dim: int) -> Typed:
    """One half of an axis times a function of the other: both move alike."""
    axes = list(x.axes)
    half = axes[dim].size // 2
    axes[dim] = unify(*split(axes[dim], BLOCKS, [half, half]))
    return Typed(axes)


def glu(layer: nn.GLU, axes: Axes, x: Typed) -> Typed:
    return gated(x, layer.dim)


def shuffled(x: Typed, factor: int) -> Typed:
    """Each channel gives the positions of a little square: ``[*, c f f, h, w]`` to ``[*, c, h f, w f]``."""
    *lead, channels, _, _ = between(x, 2, "pixel_shuffle").axes
    own, square = split(channels, GROUP, [channels.size // factor**2, factor**2])
    square.fix()
    return Typed([*lead, own, fixed(1), fixed(1)])


def unshuffled(x: Typed, factor: int) -> Typed:
    """The inverse of :func:`shuffled`."""
    *lead, channels, _, _ = between(x, 2, "pixel_unshuffle").axes
    return Typed([*lead, grouped([channels, fixed(factor**2)]), fixed(1), fixed(1)])


def pixel_shuffle(layer: nn.PixelShuffle, axes: Axes, x: Typed) -> Typed:
    return shuffled(x, layer.upscale_factor)


def pixel_unshuffle(layer: nn.PixelUnshuffle, axes: Axes, x: Typed) -> Typed:
    return unshuffled(x, layer.downscale_factor)
