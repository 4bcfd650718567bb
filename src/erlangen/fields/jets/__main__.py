"""Write a table of new jets: ``python -m erlangen.fields.jets --out jets.npz``.

The defaults make the cache that ships with the package (extra ``jets``; about a minute on one core).
"""

from __future__ import annotations

import argparse

from erlangen.fields.jets.live import generate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m erlangen.fields.jets", description="Write a table of new jets.")
    parser.add_argument("--out", required=True, help="the .npz file to write")
    parser.add_argument("--jets", type=int, default=6000, help="how many, half of them top jets")
    parser.add_argument("--constituents", type=int, default=20, help="hardest particles kept of each jet")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def progress(done: int, n: int) -> None:
        if done % 500 == 0 or done == n:
            print(f"{done} of {n} jets", flush=True)

    generate(options.jets, options.seed, options.constituents, progress).save(options.out)


if __name__ == "__main__":
    main()
