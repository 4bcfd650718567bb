"""Finite moves that a task may not notice: permutations of its tokens, and signed permutations of their components."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Side = Literal["tokens", "components"]


@dataclass(frozen=True)
class Move:
    """One candidate.

    Attributes:
        kind: candidates of one kind are counted together when it is asked whether they hold by coincidence.
        words: e.g. ``"swap of tokens 0 and 2"``.
        index: of tokens, the index map ``[T]``; of components, that of the ``2 n`` points ``e_0 .. e_{n-1}, -e_0 .. -e_{n-1}``.
        moved: the tokens or components that do not stay as they are.
    """

    kind: str
    words: str
    index: Tensor
    moved: tuple[int, ...]


def token_moves(tokens: int) -> list[Move]:
    """All swaps of two tokens, cyclic shifts by the divisors of their number, and the reversal.

    >>> [move.words for move in token_moves(3)]
    ['swap of tokens 0 and 1', 'swap of tokens 0 and 2', 'swap of tokens 1 and 2', 'cyclic shift of the tokens by 1']
    """
    everything = list(range(tokens))
    found = []
    for i, j in combinations(everything, 2):
        index = list(everything)
        index[i], index[j] = j, i
        found.append(Move("swap", f"swap of tokens {i} and {j}", torch.tensor(index), (i, j)))
    if tokens > 2:
        for step in (step for step in everything[1:] if tokens % step == 0):
            index = everything[step:] + everything[:step]
            found.append(Move("shift", f"cyclic shift of the tokens by {step}", torch.tensor(index), tuple(everything)))
    if tokens > 3:  # of three tokens it is a swap
        found.append(Move("reversal", "reversal of the tokens", torch.tensor(everything[::-1]), tuple(everything)))
    return found


def component_moves(n: int) -> list[Move]:
    """Signs of one component, of two and of all; swaps, swaps with both signs and quarter turns of two; cyclic shifts of all.

    >>> [move.words for move in component_moves(2)][:3]
    ['sign of component 0', 'sign of component 1', 'signs of components 0 and 1']
    """
    everything = tuple(range(n))

    def move(kind: str, words: str, images: dict[int, tuple[int, int]]) -> Move:
        index = list(range(2 * n))
        for source, (image, sign) in images.items():
            index[source], index[source + n] = (image, image + n) if sign > 0 else (image + n, image)
        return Move(kind, words, torch.tensor(index), tuple(sorted(images)))

    found = [move("sign", f"sign of component {i}", {i: (i, -1)}) for i in everything]
    for i, j in combinations(everything, 2):
        pair = f"components {i} and {j}"
        found += [
            move("signs", f"signs of {pair}", {i: (i, -1), j: (j, -1)}),
            move("swap", f"swap of {pair}", {i: (j, 1), j: (i, 1)}),
            move("swap with signs", f"swap of {pair} with both signs", {i: (j, -1), j: (i, -1)}),
            move("quarter turn", f"quarter turn of {pair}", {i: (j, 1), j: (i, -1)}),
        ]
    if n > 2:
        found.append(move("all signs", "signs of all components", {i: (i, -1) for i in everything}))
        found.append(move("shift", "cyclic shift of the components", {i: ((i + 1) % n, 1) for i in everything}))
    return found


def signed_matrix(index: Int[Tensor, "*batch points"]) -> Float[Tensor, "*batch n n"]:
    """The signed permutation matrices of index maps of the ``2 n`` points ``e_i, -e_i``, in float64.

    >>> signed_matrix(torch.tensor([1, 2, 3, 0])).tolist()
    [[0.0, -1.0], [1.0, 0.0]]
    """
    n = index.shape[-1] // 2
    image = torch.nn.functional.one_hot(index[..., :n], 2 * n).double()  # [*batch, source, image]
    return (image[..., :n] - image[..., n:]).mT


def permute_tokens(index: Int[Tensor, "*batch T"], x: Float[Tensor, "N T n"]) -> Float[Tensor, "N T n"]:
    """The token ``t`` of each sample goes to the place ``index[t]``."""
    places = index.expand(len(x), -1)[..., None].expand_as(x)
    return torch.empty_like(x).scatter(1, places, x)


def turn_components(index: Int[Tensor, "*batch points"], x: Float[Tensor, "N T n"]) -> Float[Tensor, "N T n"]:
    """Every token is moved by the signed permutation."""
    return x @ signed_matrix(index).to(x).mT
