"""`Stream`: what is known about one axis while a model is traced; streams that must move alike are made one.

A stream is free (it will become a label), fixed, a group of factors (a flattened axis) or a row of blocks (a concatenated axis).
When two descriptions cannot be reconciled the axis becomes fixed, which is always right, only less symmetric.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Sequence

from erlangen.errors import ArgumentError
from erlangen.parameters.kinds import Grouped, Kind, row

FREE, FIXED, GROUP, BLOCKS = "free", "fixed", "group", "blocks"


class Stream:
    """One axis of length ``size``; ``form`` and ``children`` say what it is, ``hint`` what a person would call it, ``stored`` whether it is
    one of a parameter."""

    def __init__(self, size: int, form: str = FREE, children: Sequence[Stream] = (), stored: bool = False) -> None:
        self.size, self.children, self.hint, self.stored = size, list(children), "", stored
        self.form = FIXED if size == 1 else form
        self._link: Stream | None = None

    def find(self) -> Stream:
        """The stream that stands for all that were made one with this."""
        root = self
        while root._link is not None:
            root = root._link
        return root

    @property
    def is_fixed(self) -> bool:
        return self.find().form == FIXED

    def fix(self) -> None:
        """Not moved by anything."""
        root = self.find()
        root.form, children, root.children = FIXED, root.children, []
        for child in children:
            child.fix()

    def become(self, form: str, children: Sequence[Stream]) -> None:
        """A free stream is found to be a group or a row of blocks."""
        root = self.find()
        root.form, root.children = form, list(children)
        for child in children:
            child.find().stored |= root.stored


def fixed(size: int) -> Stream:
    return Stream(size, FIXED)


def unify(*streams: Stream) -> Stream:
    """Make streams one.

    Raises:
        ArgumentError: they differ in length.
    """
    first = streams[0]
    for other in streams[1:]:
        _unify(first, other)
    return first.find()


def _unify(a: Stream, b: Stream) -> None:
    a, b = a.find(), b.find()
    if a is b:
        return
    if a.size != b.size:
        raise ArgumentError("model", f"axes of one length where they meet, {a.size}", b.size)
    a.hint = b.hint = a.hint or b.hint
    a.stored = b.stored = a.stored or b.stored
    if FIXED in (a.form, b.form):
        a.fix()
        b.fix()
    elif FREE in (a.form, b.form):
        free, other = (a, b) if a.form == FREE else (b, a)
        free._link = other
    elif a.form == b.form and [c.size for c in _parts(a)] == [c.size for c in _parts(b)]:
        for child, twin in zip(_parts(a), _parts(b)):
            _unify(child, twin)
        a._link = b
    else:
        a.fix()
        b.fix()


def give_up(streams: Iterable[Stream], what: str) -> None:
    """Fix axes that ``what`` takes apart, with a warning if parameters could have been permuted with them."""
    streams = list(streams)
    if any(not s.is_fixed and s.stored for stream in streams for s in _below(stream)):
        warnings.warn(f"'{what}' takes features apart by their place: the axes that meet in it are taken to be fixed", stacklevel=2)
    for s in streams:
        s.fix()


def grouped(streams: Sequence[Stream]) -> Stream:
    """The axis that several make when they are flattened."""
    kept = [s for s in streams if s.size > 1]
    if len(kept) == 1:
        return kept[0]
    size = math.prod(s.size for s in kept)
    return fixed(size) if all(s.is_fixed for s in kept) else Stream(size, GROUP, kept)


def blocks(streams: Sequence[Stream]) -> Stream:
    """The axis that several make when they are concatenated; what is concatenated already gives its own blocks."""
    if len(streams) == 1:
        return streams[0]
    streams = [s for stream in streams for s in (_parts(stream) if stream.find().form == BLOCKS else [stream])]
    size = sum(s.size for s in streams)
    return fixed(size) if all(s.is_fixed for s in streams) else Stream(size, BLOCKS, streams)


def split(stream: Stream, form: str, sizes: Sequence[int]) -> list[Stream]:
    """The factors (or blocks) of a stream with the given sizes; what a free stream has not, it gets."""
    stream = stream.find()
    if stream.form == form and [c.size for c in stream.children] == list(sizes):
        return stream.children
    if stream.form == FREE:
        stream.become(form, [Stream(n) for n in sizes])
        return stream.children
    if form == stream.form == BLOCKS:
        ends = list(itertools.accumulate(sizes))
        return [cut(stream, end - n, end) for n, end in zip(sizes, ends)]
    stream.fix()
    return [fixed(n) for n in sizes]


def cut(stream: Stream, start: int, stop: int) -> Stream:
    """A piece of an axis; what a free stream has no blocks for, it gets."""
    stream = stream.find()
    if (start, stop) == (0, stream.size):
        return stream
    if stream.form == FREE:
        stream.become(BLOCKS, [Stream(n) for n in (start, stop - start, stream.size - stop) if n])
    if stream.form != BLOCKS:
        stream.fix()
        return fixed(stop - start)
    pieces, at = [], 0
    for child in stream.children:
        low, high = max(start, at), min(stop, at + child.size)
        if low < high:
            pieces.append(cut(child, low - at, high - at))
        at += child.size
    return blocks(pieces)


def reshaped(axes: Sequence[Stream], shape: Sequence[int]) -> list[Stream]:
    """The axes of a tensor after a reshape: axes that are merged become groups, axes that are split become their factors."""
    kept = [s for s in axes if s.size > 1]
    result: list[Stream] = []
    wanted = [n for n in shape if n > 1]
    pieces: list[Stream] = []
    i = j = 0
    while j < len(wanted):
        ins, outs = [kept[i]], [wanted[j]]
        i, j = i + 1, j + 1
        while (have := math.prod(s.size for s in ins)) != (want := math.prod(outs)):
            if have < want:
                ins.append(kept[i])
                i += 1
            else:
                outs.append(wanted[j])
                j += 1
        if len(outs) == 1:
            pieces.append(grouped(ins))
        elif len(ins) == 1:
            pieces += split(ins[0], GROUP, outs)
        else:
            for s in ins:
                s.fix()
            pieces += [fixed(n) for n in outs]
    left = iter(pieces)
    for n in shape:
        result.append(next(left) if n > 1 else fixed(1))
    return result


def settle(axes: Iterable[Stream]) -> None:
    """Fix the blocks that stand in groups, which have no kind, until none is left."""
    every = list(axes)
    changed = True
    while changed:
        changed = False
        for stream in every:
            for root in _below(stream):
                for child in root.children if root.form == GROUP else ():
                    if child.find().form == BLOCKS:
                        child.fix()
                        changed = True


def kind_of(stream: Stream, name: Callable[[Stream], str]) -> Kind:
    """The kind that a stream turned out to be; ``name`` gives a free stream its label."""
    root = stream.find()
    if root.form == FREE:
        return name(root)
    if root.form == FIXED or all(child.is_fixed for child in root.children):
        return None
    kinds = [kind_of(child, name) or child.find().size for child in root.children]
    return Grouped(*kinds) if root.form == GROUP else row(kinds)


def _parts(stream: Stream) -> list[Stream]:
    """The factors of a group; the blocks of a row of blocks, those of blocks that have been cut since taken apart."""
    root = stream.find()
    return [s for child in root.children for s in (_parts(child) if root.form == child.find().form == BLOCKS else [child])]


def _below(stream: Stream) -> list[Stream]:
    root = stream.find()
    return [root, *(s for child in root.children for s in _below(child))]
