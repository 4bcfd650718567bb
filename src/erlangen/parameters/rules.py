"""What each kind of layer does to the axes that pass through it: the layers of ``torch.nn``, as rules on streams.

A rule gets the layer, the axes of its inputs (:class:`Typed`) and a function that gives the axes of a parameter, makes one what must
move alike, and returns the axes of the output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from erlangen.parameters.streams import GROUP, Stream, blocks, fixed, grouped, split, unify

#: Gives the axes of a parameter or buffer.
Axes = Callable[[Tensor], list[Stream]]


class Typed:
    """The axes of a tensor that passes through a model.

    Args:
        axes: one stream for each axis.
        layers: for the last states of a network of several layers, ``[layers, ..., h]``, the stream of each layer's last axis.
        counted: for an integer input whose numbers may be permuted, the axes that they index (rows of embeddings), as they are met.
    """

    def __init__(self, axes: Sequence[Stream], layers: Sequence[Stream] = (), counted: list[Stream] | None = None) -> None:
        self._axes, self.counted = list(axes), counted
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
    for s in [*weight[2:], *places]:
        s.fix()
    first, second = (weight[0], weight[1]) if not layer.transposed else (weight[1], weight[0])
    if layer.groups == 1:
        unify(second, stream)
        out = first
    elif layer.transposed:
        for s in (first, second, stream):
            s.fix()
        out = fixed(layer.out_channels)
    else:
        # One permutation inside all groups alike, and groups among each other.
        group, own = split(stream, GROUP, [layer.groups, layer.in_channels // layer.groups])
        unify(own, second)
        out = unify(first, grouped([group, Stream(layer.out_channels // layer.groups)]))
    if layer.bias is not None:
        unify(out, *axes(layer.bias))
    return Typed([*lead, out, *(fixed(n) for n in [1] * spatial)])


def channels_norm(layer: Any, axes: Axes, x: Typed) -> Typed:
    """Batch and instance normalisation: a number of each kind for every channel."""
    for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
        if tensor is not None:
            unify(x.axes[1], *axes(tensor))
    return x


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
    if x.counted is None:
        rows.fix()
    else:
        x.counted.append(rows)
        unify(*x.counted)
    return Typed([*x.axes, features])


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
    return Typed([*query.axes[:-1], out]), Typed([fixed(s.size) for s in query.axes])


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
    """Pooling and other layers that mix the positions of each channel: positions are not permuted."""
    for s in x.axes[2:]:
        s.fix()
    return x


POINTWISE = (
    nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid,
    nn.LogSigmoid, nn.Tanh, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Hardshrink, nn.Softshrink, nn.Tanhshrink, nn.Softplus,
    nn.Softsign, nn.Threshold, nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
    nn.AlphaDropout,
)  # fmt: skip
POOLING = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d, nn.Upsample, nn.ZeroPad1d, nn.ZeroPad2d,
)  # fmt: skip

#: The rule of each kind of layer, the first that fits.
RULES: list[tuple[Any, Callable[..., Any]]] = [
    (nn.Linear, linear),
    (nn.modules.conv._ConvNd, convolution),
    ((nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm), channels_norm),
    ((nn.LayerNorm, nn.RMSNorm), features_norm),
    (nn.GroupNorm, group_norm),
    (nn.Embedding, embedding),
    (nn.PReLU, prelu),
    (nn.RNNBase, recurrent),
    (nn.RNNCellBase, recurrent_cell),
    (nn.MultiheadAttention, attention),
    (nn.TransformerEncoderLayer, encoder_layer),
    (nn.TransformerDecoderLayer, decoder_layer),
    (nn.TransformerEncoder, encoder),
    (nn.TransformerDecoder, decoder),
    (nn.Transformer, transformer),
    (POINTWISE, keep),
    (POOLING, positions),
]


def rule_for(layer: nn.Module) -> Callable[..., Any] | None:
    """The rule of a layer, or None."""
    return next((rule for kind, rule in RULES if isinstance(layer, kind)), None)
