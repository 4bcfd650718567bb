"""What each function on tensors does to the axes of its arguments. What is not listed here fixes all axes that it touches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from erlangen.parameters.rules import Typed, between, gated, shuffled, unshuffled
from erlangen.parameters.streams import BLOCKS, GROUP, Stream, blocks, cut, fixed, give_up, reshaped, split, unify

#: A function of (arguments, keyword arguments, the result as it was computed).
Rule = Callable[[Sequence[Any], dict[str, Any], Any], Any]


def _given(args: Sequence[Any], kwargs: dict[str, Any], at: int, name: str, otherwise: Any = None) -> Any:
    """An argument, by place or by name."""
    return args[at] if len(args) > at else kwargs.get(name, otherwise)


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


def same(args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Typed:
    """Another dtype, device or place in memory, which a second tensor may say."""
    return args[0]


def reshape(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    return Typed(reshaped(args[0].axes, out.shape))


def reduction(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor, at: int = 1) -> Typed | None:
    """Sums, means, norms: what runs over the axes ``dim``, the argument number ``at``."""
    x: Typed = args[0]
    dims = kwargs.get("dim", _given(args, kwargs, at, "axis"))
    if not isinstance(out, Tensor) or isinstance(dims, (bool, Typed)):
        return None
    if dims is None or dims == () or dims == []:
        return Typed([fixed(1)] * out.ndim)
    gone = {d % len(x.axes) for d in ([dims] if isinstance(dims, int) else dims)}
    if out.ndim == len(x.axes):
        return Typed([fixed(1) if i in gone else s for i, s in enumerate(x.axes)])
    return Typed([s for i, s in enumerate(x.axes) if i not in gone])


def norm(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed | None:
    """Norms of vectors, and of matrices those that no permutation changes: all that there are."""
    return reduction(args, kwargs, out, at=2)


def transpose(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    x, a, b = args[0], _given(args, kwargs, 1, "dim0", 0), _given(args, kwargs, 2, "dim1", 1)
    axes = list(x.axes)
    if len(axes) > 1:
        axes[a], axes[b] = axes[b], axes[a]
    return Typed(axes)


def permute(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    dims = kwargs.get("dims", args[1] if len(args) == 2 and not isinstance(args[1], int) else args[1:])
    return Typed([args[0].axes[d] for d in dims])


def movedim(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    x, ndim = args[0].axes, out.ndim
    source, target = _given(args, kwargs, 1, "source"), _given(args, kwargs, 2, "destination")
    pairs = [(source, target)] if isinstance(source, int) else list(zip(source, target))
    placed = {b % ndim: x[a % ndim] for a, b in pairs}
    left = iter([s for i, s in enumerate(x) if i not in {a % ndim for a, _ in pairs}])
    return Typed([placed[i] if i in placed else next(left) for i in range(ndim)])


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
    x, weight = args[0], _given(args, kwargs, 1, "weight")
    bias = _given(args, kwargs, 2, "bias")
    unify(x.axes[-1], weight.axes[1])
    if bias is not None:
        unify(weight.axes[0], bias.axes[0])
    return Typed([*x.axes[:-1], weight.axes[0]])


def addmm(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    """Also ``baddbmm``: a product of matrices and something added to it."""
    return broadcast([args[0], matmul(args[1:3], {}, out)])


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
    dim = _given(args, kwargs, 1, "dim", 0) % out.ndim
    axes = [unify(*(t.axes[i] for t in tensors)) if i != dim else blocks([t.axes[i] for t in tensors]) for i in range(out.ndim)]
    return Typed(axes)


def hstack(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    return concatenate([args[0], min(1, out.ndim - 1)], {}, out)


def stack(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    tensors = args[0]
    dim = _given(args, kwargs, 1, "dim", 0) % out.ndim
    axes = [unify(*streams) for streams in zip(*(t.axes for t in tensors))]
    return Typed([*axes[:dim], fixed(len(tensors)), *axes[dim:]])


def glu(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    return gated(args[0], _given(args, kwargs, 1, "dim", -1))


def pixel_shuffle(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    return shuffled(args[0], _given(args, kwargs, 1, "upscale_factor"))


def pixel_unshuffle(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    return unshuffled(args[0], _given(args, kwargs, 1, "downscale_factor"))


def interpolate(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    return between(args[0], len(args[0].axes) - 2, "interpolate")


def pooling(places: int, what: str) -> Rule:
    """The rule of pooling over so many last axes."""
    return lambda args, kwargs, out: between(args[0], places, what)


def features_norm(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    """``layer_norm`` and ``rms_norm``."""
    x, shape = args[0], _given(args, kwargs, 1, "normalized_shape")
    for affine in [*args[2:4], kwargs.get("weight"), kwargs.get("bias")]:
        if isinstance(affine, Typed):
            for a, b in zip(x.axes[-len(shape) :], affine.axes):  # type: ignore[arg-type]
                unify(a, b)
    return x


def channels_norm(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    """``batch_norm``: everything that it is given has a number for each channel."""
    for other in [*args[1:], *kwargs.values()]:
        if isinstance(other, Typed):
            unify(args[0].axes[1], *other.axes)
    return args[0]


def group_norm(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    x, groups = args[0], _given(args, kwargs, 1, "num_groups")
    if groups > 1:
        split(x.axes[1], GROUP, [groups, x.axes[1].size // groups])
    return channels_norm([x, *args[2:]], {k: v for k, v in kwargs.items() if k in ("weight", "bias")}, out)


def along(what: str, at: int) -> Rule:
    """The rule of what needs the order of the axes ``dim`` (or ``dims``), argument number ``at``, and leaves the others alone."""

    def rule(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed | None:
        dims = kwargs.get("dim", _given(args, kwargs, at, "dims"))
        if dims is None:
            return None
        give_up([args[0].axes[d] for d in ([dims] if isinstance(dims, int) else dims)], what)
        return args[0]

    return rule


def pad(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    """Only the axes that grow are taken apart."""
    axes = list(args[0].axes)
    for i, n in enumerate(out.shape):
        if axes[i].size != n:
            give_up([axes[i]], "pad")
            axes[i] = fixed(n)
    return Typed(axes)


def repeat(args: Sequence[Any], kwargs: dict[str, Any], out: Tensor) -> Typed:
    """An axis that is repeated is a row of equal blocks."""
    axes = args[0].axes
    new = out.ndim - len(axes)
    return Typed([*(fixed(n) for n in out.shape[:new]), *(blocks([s] * (n // s.size)) for s, n in zip(axes, out.shape[new:]))])


def extreme(args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """``max`` and ``min``, of one tensor, of two, or along an axis with their places, which nobody may ask for."""
    if isinstance(out, Tensor):
        return pointwise(args, kwargs, out) if len(args) > 1 else Typed([])
    return [reduction(args, kwargs, out[0]), Typed([fixed(n) for n in out[1].shape])]


def chunk(args: Sequence[Any], kwargs: dict[str, Any], out: Sequence[Tensor]) -> list[Typed]:
    """Also ``split``."""
    x = args[0].axes
    dim = _given(args, kwargs, 2, "dim", 0) % len(x)
    pieces = split(x[dim], BLOCKS, [t.shape[dim] for t in out])
    return [Typed([piece if i == dim else s for i, s in enumerate(x)]) for piece in pieces]


def unbind(args: Sequence[Any], kwargs: dict[str, Any], out: Sequence[Tensor]) -> list[Typed]:
    x = args[0].axes
    dim = _given(args, kwargs, 1, "dim", 0) % len(x)
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
        if isinstance(i, int):
            stream.fix()
            continue
        start, stop, step = i.indices(stream.size)
        if step == 1 and start < stop and (not x.stored or (start, stop) == (0, stream.size)):
            result.append(cut(stream, start, stop))
        else:
            give_up([stream], "getitem")
            result.append(fixed(len(range(start, stop, step))))
    return Typed(result)


def transposed(args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """``x.T`` and ``x.mT``, and the values of ``max``; other attributes have no axes."""
    if isinstance(args[0], list):
        return args[0][0] if args[1] == "values" else None
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
    "dropout_", "feature_dropout", "masked_fill", "normalize", "copy", "zero", "fill", "ge", "gt", "le", "lt", "eq", "ne",
]  # fmt: skip

FUNCTIONS: dict[str, Rule] = {
    **dict.fromkeys(_POINTWISE, pointwise),
    **dict.fromkeys(
        ["to", "float", "double", "half", "bfloat16", "type", "type_as", "contiguous", "clone", "detach", "cpu", "cuda"], same
    ),
    **dict.fromkeys(["reshape", "view", "flatten", "unflatten", "ravel"], reshape),
    **dict.fromkeys(["sum", "mean", "amax", "amin", "logsumexp", "prod", "std", "var"], reduction),
    **dict.fromkeys(["norm", "linalg_norm", "linalg_vector_norm", "vector_norm"], norm),
    **{
        f"{kind}_pool{d}d": pooling(d, f"{kind}_pool{d}d")
        for kind in ("max", "avg", "adaptive_avg", "adaptive_max")
        for d in (1, 2, 3)
    },
    **dict.fromkeys(["squeeze", "unsqueeze", "expand"], squeeze),
    **dict.fromkeys(["addmm", "baddbmm"], addmm),
    **dict.fromkeys(["movedim", "moveaxis"], movedim),
    "hstack": hstack,
    **dict.fromkeys(["matmul", "bmm", "mm", "imatmul"], matmul),
    **dict.fromkeys(["cat", "concat", "concatenate"], concatenate),
    "stack": stack,
    "glu": glu,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "interpolate": interpolate,
    **dict.fromkeys(["layer_norm", "rms_norm"], features_norm),
    "batch_norm": channels_norm,
    "group_norm": group_norm,
    **{name: along(name, at) for name, at in (("cumsum", 1), ("cumprod", 1), ("flip", 1), ("roll", 2))},
    "pad": pad,
    "repeat": repeat,
    **dict.fromkeys(["max", "min"], extreme),
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
