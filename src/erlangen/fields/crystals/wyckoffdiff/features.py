"""Protostructures as vectors: what elements stand on what kinds of positions, alike for all descriptions of a crystal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.data import package_file
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.composition import SYMBOLS
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.fields.crystals.wyckoffdiff.relabelings import maps_of
from erlangen.fields.crystals.wyckoffdiff.state import GROUPS, POSITIONS, position_table

#: Two tables that the package carries (MIT): 200 numbers of each element from texts (Weston et al., JCIM 59 (2019) 3692), and 444 of each
#: Wyckoff position of each group (Goodall et al., Sci. Adv. 8 (2022) eabn4117). It is neither installed nor imported.
PACKAGE = "aviary-models==1.2.1"
ELEMENTS, SITES = "aviary/embeddings/element/matscholar200.json", "aviary/embeddings/wyckoff/bra-alg-off.json"
#: Principal components of each table, and random projections of their products.
COMPONENTS, PRODUCTS = 24, 48
WIDTH = 3 * COMPONENTS + PRODUCTS


def features(crystals: Sequence[Protostructure]) -> Float[Tensor, "n 120"]:
    """Mean and deviation of the elements' vectors, mean of the positions', and random projections of their products' mean.

    Means are over the atoms of the cell. A position's vector is the mean over what renamings make of it, so that all descriptions of a
    crystal have the same features.

    Raises:
        ArgumentError: no crystals, or an element beyond lawrencium, which the table lacks.
    """
    if not len(crystals):
        raise ArgumentError("crystals", "at least one protostructure", "none")
    of_element, of_site, projections = _tables()
    sites = torch.tensor([(i, one.space_group, *site) for i, one in enumerate(crystals) for site in one.sites])
    of, group, at, element, count = sites.unbind(1)
    if int(element.max()) >= len(of_element):
        raise ArgumentError("crystals", f"elements up to {SYMBOLS[len(of_element) - 1]}", SYMBOLS[int(element.max())])
    atoms = (position_table().multiplicity[group, at] * count).double()
    share = (atoms / torch.zeros(len(crystals), dtype=torch.float64).index_add(0, of, atoms)[of]).unsqueeze(1)

    def mean(values: Tensor) -> Tensor:
        return torch.zeros(len(crystals), values.shape[1], dtype=torch.float64).index_add(0, of, share * values)

    e, w = of_element[element], of_site[group, at]
    first = mean(e)
    deviation = (mean(e * e) - first * first).clamp(min=0.0).sqrt()
    products = mean((e.unsqueeze(2) * w.unsqueeze(1)).flatten(1)) @ projections
    return torch.cat([first, deviation, mean(w), products], 1)


@lru_cache(maxsize=1)
@torch.inference_mode(False)
def _tables() -> tuple[Tensor, Tensor, Tensor]:
    """Vectors of elements ``[104, 24]`` and of positions ``[231, 27, 24]``, and the projections of their products ``[576, 48]``."""
    elements = json.loads(package_file(PACKAGE, ELEMENTS).read_text())
    known = [symbol for symbol in SYMBOLS[1:] if symbol in elements]
    raw = torch.tensor([elements[symbol] for symbol in known], dtype=torch.float64)
    of_element = torch.zeros(len(known) + 1, COMPONENTS, dtype=torch.float64)
    of_element[1:] = _principal(raw)
    sites = json.loads(package_file(PACKAGE, SITES).read_text())
    letters = "abcdefghijklmnopqrstuvwxyzA"
    number = position_table().number
    rows = [(group, at) for group in range(1, GROUPS) for at in range(int(number[group]))]
    raw = torch.tensor([sites[str(group)][letters[at]] for group, at in rows], dtype=torch.float64)
    of_site = torch.zeros(GROUPS, POSITIONS, COMPONENTS, dtype=torch.float64)
    group, at = torch.tensor(rows).unbind(1)
    of_site[group, at] = _principal(raw)
    for one in range(1, GROUPS):
        of_site[one, : int(number[one])] = of_site[one][maps_of(one)].mean(0)
    generator = torch.Generator().manual_seed(0)
    projections = torch.randn(COMPONENTS**2, PRODUCTS, generator=generator, dtype=torch.float64) / COMPONENTS
    return of_element, of_site, projections


def _principal(raw: Float[Tensor, "n d"]) -> Float[Tensor, "n 24"]:
    """Their principal components, the first of unit variance."""
    u, s, _ = torch.linalg.svd(raw - raw.mean(0), full_matrices=False)
    kept = u[:, :COMPONENTS] * s[:COMPONENTS]
    # A singular vector's sign is anybody's choice: make its largest entry positive.
    kept = kept * kept.gather(0, kept.abs().argmax(0, keepdim=True)).sign()
    return kept / kept[:, 0].std()
