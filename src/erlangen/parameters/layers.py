"""Which rule a layer has: that of a layer of ``torch.nn``, if it computes what that layer computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from erlangen.parameters import graph_rules, rules

#: Activations without weights that act on each number by itself.
ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.LogSigmoid, nn.Tanh,
    nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Hardshrink, nn.Softshrink, nn.Tanhshrink, nn.Softplus, nn.Softsign, nn.Threshold,
)  # fmt: skip
POINTWISE = (
    *ACTIVATIONS, nn.Identity, nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
    nn.AlphaDropout,
)  # fmt: skip
POOLING = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d, nn.Upsample, nn.UpsamplingNearest2d,
    nn.UpsamplingBilinear2d, nn.ZeroPad1d, nn.ZeroPad2d,
)  # fmt: skip
CONVOLUTIONS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip
CHANNELS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, *rules.INSTANCE_NORMS)
#: Layers that are made of others, whose rules read those.
COMPOSED: dict[type, Callable[..., Any]] = {
    nn.MultiheadAttention: rules.attention,
    nn.TransformerEncoderLayer: rules.encoder_layer,
    nn.TransformerDecoderLayer: rules.decoder_layer,
    nn.TransformerEncoder: rules.encoder,
    nn.TransformerDecoder: rules.decoder,
    nn.Transformer: rules.transformer,
}
#: The rule of each class of layers.
RULES: dict[type, Callable[..., Any]] = {
    nn.Linear: rules.linear,
    nn.LayerNorm: rules.features_norm,
    nn.RMSNorm: rules.features_norm,
    nn.GroupNorm: rules.group_norm,
    nn.Embedding: rules.embedding,
    nn.EmbeddingBag: rules.embedding_bag,
    nn.PReLU: rules.prelu,
    nn.GLU: rules.glu,
    nn.PixelShuffle: rules.pixel_shuffle,
    nn.PixelUnshuffle: rules.pixel_unshuffle,
    **dict.fromkeys(CONVOLUTIONS, rules.convolution),
    **dict.fromkeys(CHANNELS, rules.channels_norm),
    **dict.fromkeys((nn.RNN, nn.GRU, nn.LSTM), rules.recurrent),
    **dict.fromkeys((nn.RNNCell, nn.GRUCell, nn.LSTMCell), rules.recurrent_cell),
    **dict.fromkeys(POINTWISE, rules.keep),
    **dict.fromkeys(POOLING, rules.positions),
    **COMPOSED,
}
#: Layers of other packages, by where they are defined.
ELSEWHERE: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch_geometric.nn.dense.linear", "Linear"): rules.linear,
    ("torch_geometric.nn.conv.gcn_conv", "GCNConv"): graph_rules.graph_convolution,
    ("torch_geometric.nn.conv.graph_conv", "GraphConv"): graph_rules.graph_convolution,
    ("torch_geometric.nn.conv.sage_conv", "SAGEConv"): graph_rules.graph_convolution,
    ("torch_geometric.nn.conv.gat_conv", "GATConv"): graph_rules.graph_attention,
}
#: What is run as one, rule or no rule, for it cannot be traced (generated code, message passing), and what can be after all.
WHOLE = ("e3nn.o3.", "e3nn.nn.", "torch_geometric.nn.conv.", "torch_geometric.nn.aggr.", "torch_geometric.nn.pool.")
TRACED = ("e3nn.nn._fc",)
#: Methods that do not take part in what a layer computes.
ASIDE = {"__init__", "__repr__", "__setstate__", "__getstate__", "extra_repr", "reset_parameters", "_reset_parameters", "_get_name"}


def rule_for(layer: nn.Module) -> Callable[..., Any] | None:
    """The rule of a layer, or None.

    A layer of a class that inherits from one of ``torch.nn`` has its rule only if it changes none of its methods: a layer normalisation
    that permutes axes first is another function. Neither has one with hooks, or one that is made of layers without a rule.

    >>> class Turned(nn.LayerNorm):
    ...     def forward(self, x):
    ...         return super().forward(x.mT).mT
    >>> rule_for(nn.LayerNorm(3)) is None, rule_for(Turned(3)) is None
    (False, True)
    """
    if any("forward" in vars(m) or m._forward_hooks or m._forward_pre_hooks for m in layer.modules()):
        return None
    kind = parametrize.type_before_parametrizations(layer)
    elsewhere = ELSEWHERE.get((kind.__module__, kind.__name__))
    if elsewhere is not None:
        return elsewhere
    base = next((k for k in kind.__mro__ if k in RULES), None)
    if base is None or any(hasattr(base, method) for method in _own(kind, base)):
        return None
    if base in COMPOSED and not all(isinstance(m, nn.ModuleList) or rule_for(m) is not None for m in list(layer.modules())[1:]):
        return None
    activation = getattr(layer, "activation", None) if base in COMPOSED else None
    return RULES[base] if activation is None or _is_pointwise(activation) else None


def is_whole(layer: nn.Module) -> bool:
    """Whether a layer is of a package whose layers cannot be traced."""
    return any(k.__module__.startswith(WHOLE) and not k.__module__.startswith(TRACED) for k in type(layer).__mro__)


def _own(kind: type, base: type) -> Iterator[str]:
    """Methods that a class has written since it left its base."""
    for k in kind.__mro__[: kind.__mro__.index(base)]:
        yield from (
            name for name, value in vars(k).items() if name not in ASIDE and (callable(value) or isinstance(value, property))
        )


def _is_pointwise(activation: Any) -> bool:
    if isinstance(activation, nn.Module):
        return rule_for(activation) is rules.keep
    return activation in (nn.functional.relu, nn.functional.gelu, nn.functional.silu, nn.functional.tanh, nn.functional.elu)
