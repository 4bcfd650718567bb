"""What each function on tensors does to the axes of its arguments. What is not listed here fixes all axes that it touches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from erlangen.parameters.rules import Typed
from erlangen.parameters.streams import BLOCKS, Stream, blocks, fixed, reshaped, split, unify

#: A function of (arguments, keyword arguments, the result as it was computed).
Rule = Callable[[Sequence[Any], dict[str, Any], Any], Any]


def broadcast(tensors: Sequence[Typed]) -> Typed:
    """The axes of a point-wise function of several tensors: axes that meet move alike."""
    ndim = max(len(t.axes) for t in tensors)
    result = []
    for dim in range(-ndim, 0):
        met = [t.axes[dim] for t in tensors if len(t.axes) >= -dim and t.axes[dim].size > 1]
        result.append(unify(*met) if met else fixed(1))
    return Typed(result)


def pointwise(args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Typed:
    return broadcast([a for a in [*args, *kwargs.values()] if isinstance(a, Typed)])


def reshape(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    return Typed(reshaped(args[0].axes, out.shape))


def reduction(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    x: Typed = args[0]
    dims = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if dims is None:
        return Typed([fixed(1)] * out.ndim)
    gone = {d % len(x.axes) for d in ([dims] if isinstance(dims, int) else dims)}
    if out.ndim == len(x.axes):
        return Typed([fixed(1) if i in gone else s for i, s in enumerate(x.axes)])
    return Typed([s for i, s in enumerate(x.axes) if i not in gone])


def transpose(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    x, a, b = args[0], kwargs.get("dim0", args[1] if len(args) > 1 else 0), kwargs.get("dim1", args[2] if len(args) > 2 else 1)
    axes = list(x.axes)
    axes[a], axes[b] = axes[b], axes[a]
    return Typed(axes)


def permute(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    dims = kwargs.get("dims", args[1] if len(args) == 2 and not isinstance(args[1], int) else args[1:])
    return Typed([args[0].axes[d] for d in dims])


def squeeze(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    """Also ``unsqueeze`` and ``expand``: only axes of length one come, go or grow."""
    kept = [s for s in args[0].axes if s.size > 1]
    sizes = [s.size for s in kept]
    if [n for n in out.shape if n > 1] == sizes:
        left = iter(kept)
        return Typed([next(left) if n > 1 else fixed(1) for n in out.shape])
    x = args[0].axes
    return Typed([x[d] if len(x) >= -d and x[d].size == out.shape[d] else fixed(out.shape[d]) for d in range(-out.ndim, 0)])


def matmul(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    a, b = args[0].axes, args[1].axes
    if len(b) == 1:
        unify(a[-1], b[0])
        return Typed(a[:-1])
    unify(a[-1], b[-2])
    lead = broadcast([Typed(a[:-2]), Typed(b[:-2])]).axes if len(a) > 2 or len(b) > 2 else []
    return Typed([*lead, *a[-2:-1], b[-1]])


def linear(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    x, weight = args[0], args[1]
    bias = kwargs.get("bias", args[2] if len(args) > 2 else None)
    unify(x.axes[-1], weight.axes[1])
    if bias is not None:
        unify(weight.axes[0], bias.axes[0])
    return Typed([*x.axes[:-1], weight.axes[0]])


def einsum(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed | None:
    equation, tensors = args[0].replace(" ", ""), args[1:]
    if "..." in equation or "->" not in equation or not all(isinstance(t, Typed) for t in tensors):
        return None
    inputs, output = equation.split("->")
    letters: dict[str, Stream] = {}
    for term, tensor in zip(inputs.split(","), tensors):
        for letter, stream in zip(term, tensor.axes):
            letters[letter] = unify(letters[letter], stream) if letter in letters else stream
    return Typed([letters[letter] for letter in output])


def scaled_dot_product_attention(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    q, k, v = (t.axes for t in args[:3])
    for s in (q[-2], k[-2], v[-2]):
        s.fix()
    for mask in [*args[3:], *kwargs.values()]:
        if isinstance(mask, Typed):
            mask.fix()
    unify(q[-1], k[-1])
    lead = broadcast([Typed(t[:-2]) for t in (q, k, v)]).axes if len(q) > 2 else []
    return Typed([*lead, q[-2], v[-1]])


def concatenate(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    tensors = args[0]
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0) % out.ndim
    axes = [unify(*(t.axes[i] for t in tensors)) if i != dim else blocks([t.axes[i] for t in tensors]) for i in range(out.ndim)]
    return Typed(axes)


def chunk(args: Sequence[Any], kwargs: dict[str, Any], out: Sequence[Tensor]) -> list[Typed]:
    """Also ``split``."""
    x = args[0].axes
    dim = kwargs.get("dim", args[2] if len(args) > 2 else 0) % len(x)
    pieces = split(x[dim], BLOCKS, [t.shape[dim] for t in out])
    return [Typed([piece if i == dim else s for i, s in enumerate(x)]) for piece in pieces]


def unbind(args: Sequence[Any], kwargs: dict[str, Any], out: Sequence[Tensor]) -> list[Typed]:
    x = args[0].axes
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0) % len(x)
    x[dim].fix()
    return [Typed([s for i, s in enumerate(x) if i != dim]) for _ in out]


def getitem(args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Any:
    x, index = args
    if not isinstance(x, Typed):
        return x[index]
    if isinstance(index, int) and x.layers:
        return x.layer(index)
    index = list(index) if isinstance(index, tuple) else [index]
    if not all(i is None or i is Ellipsis or isinstance(i, (int, slice)) for i in index):
        return None
    used = sum(i is not None and i is not Ellipsis for i in index)
    if Ellipsis not in index:
        index.append(Ellipsis)
    at = index.index(Ellipsis)
    index[at : at + 1] = [slice(None)] * (len(x.axes) - used)
    left, result = iter(x.axes), []
    for i in index:
        if i is None:
            result.append(fixed(1))
            continue
        stream = next(left)
        if i == slice(None):
            result.append(stream)
        else:
            stream.fix()
            if isinstance(i, slice):
                result.append(fixed(len(range(*i.indices(stream.size)))))
    return Typed(result)


def transposed(args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """``x.T`` and ``x.mT``; other attributes have no axes."""
    if args[1] in ("T", "mT"):
        axes = args[0].axes
        return Typed([*axes[:-2], axes[-1], axes[-2]])
    return args[0] if args[1] == "data" else None


_POINTWISE = [
    "add", "sub", "mul", "div", "truediv", "iadd", "isub", "imul", "itruediv", "radd", "rsub", "rmul", "rtruediv",
    "true_divide", "pow", "square", "sqrt", "rsqrt", "exp", "log", "log1p", "expm1", "abs", "neg", "sign", "reciprocal",
    "sin", "cos", "tanh", "sinh", "cosh", "arctan", "atan", "erf", "relu", "relu_", "relu6", "gelu", "silu", "mish", "elu",
    "celu", "selu", "leaky_relu", "softplus", "softsign", "sigmoid", "logsigmoid", "hardtanh", "hardsigmoid", "hardswish",
    "tanhshrink", "softmax", "log_softmax", "clamp", "clip", "maximum", "minimum", "where", "lerp", "addcmul", "dropout",
    "dropout_", "feature_dropout", "to", "float", "double", "half", "type", "type_as", "contiguous", "clone", "detach",
    "masked_fill", "normalize", "ge", "gt", "le", "lt", "eq", "ne",
]  # fmt: skip

FUNCTIONS: dict[str, Rule] = {
    **dict.fromkeys(_POINTWISE, pointwise),
    **dict.fromkeys(["reshape", "view", "flatten", "unflatten", "ravel"], reshape),
    **dict.fromkeys(["sum", "mean", "amax", "amin", "logsumexp", "prod"], reduction),
    **dict.fromkeys(["squeeze", "unsqueeze", "expand"], squeeze),
    **dict.fromkeys(["matmul", "bmm", "mm", "imatmul"], matmul),
    **dict.fromkeys(["cat", "concat", "concatenate"], concatenate),
    **dict.fromkeys(["chunk", "split", "tensor_split"], chunk),
    **dict.fromkeys(["transpose", "swapaxes"], transpose),
    "t": transpose,
    "permute": permute,
    "linear": linear,
    "einsum": einsum,
    "scaled_dot_product_attention": scaled_dot_product_attention,
    "unbind": unbind,
    "getitem": getitem,
    "getattr": transposed,
}
