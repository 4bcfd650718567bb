"""Facility location: the formula of a SAT proof built by arrays beside a plain loop, proofs, and medians in a batch.

``python benchmarks/facility.py``
"""

from __future__ import annotations

import time

import numpy as np
import torch

from erlangen.fields.mechanisms import Domain, Median, prove
from erlangen.fields.mechanisms.location.encoding import Encoding, plain_pairs

torch.set_num_threads(1)


def fresh(domain: Domain, n: int, k: int) -> Encoding:
    """The formula of all three axioms, with nothing computed yet; what both ways begin with is computed: which outcomes are optimal."""
    encoding = Encoding(domain, n, k, 2.0, frozenset({"ANON", "PO", "SP"}))
    _ = encoding.allowed, encoding.ranks, encoding.first, encoding.outcome
    return encoding


def main() -> None:
    for name, domain, n, k in (("5 x 4, n = 3, k = 2", Domain.grid(5, 4), 3, 2), ("4 x 3, n = 4, k = 1", Domain.grid(4, 3), 4, 1)):
        encoding = fresh(domain, n, k)
        began = time.process_time()
        pairs = np.concatenate(list(encoding.forbidden()))
        arrays = time.process_time() - began
        encoding = fresh(domain, n, k)
        began = time.process_time()
        plain = plain_pairs(encoding)
        loop = time.process_time() - began
        assert len(pairs) == len(plain)
        print(f"{name}: {len(pairs)} clauses, arrays {arrays:.3f} s, plain loop {loop:.2f} s, ratio {arrays / loop:.3f}")
        began = time.process_time()
        answer = prove(domain, n, k, minimal=False)
        print(f"  build, solve and a first core: {time.process_time() - began:.1f} s; build {answer['build_seconds']:.2f} s, "
              f"build and solve {answer['seconds']:.2f} s by the clock")  # fmt: skip
    x = torch.rand(1_000_000, 11, 2, dtype=torch.float64)
    median = Median()
    began = time.process_time()
    median(x)
    ours = time.process_time() - began
    began = time.process_time()
    np.median(x.numpy(), axis=-2)
    print(f"medians of 1 000 000 profiles, n = 11, d = 2: {ours:.2f} s, numpy.median {time.process_time() - began:.2f} s")


if __name__ == "__main__":
    main()
