"""Write the trajectory of a molecule: ``python -m erlangen.fields.molecules CCO --out ethanol.npz`` (extra ``xtb``; some minutes)."""

from __future__ import annotations

import argparse

from erlangen.fields.molecules.trajectories import simulate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m erlangen.fields.molecules", description="Write a trajectory by GFN2-xTB.")
    parser.add_argument("smiles", help="the molecule, e.g. CCO")
    parser.add_argument("--out", required=True, help="the .npz file to write")
    parser.add_argument("--frames", type=int, default=1600)
    parser.add_argument("--every", type=int, default=10, help="steps of 0.5 fs between frames")
    parser.add_argument("--temperature", type=float, default=500.0, help="K")
    parser.add_argument("--seed", type=int, default=16)
    options = parser.parse_args()

    def progress(done: int, n: int) -> None:
        if done % 200 == 0 or done == n:
            print(f"{done} of {n} frames", flush=True)

    made = simulate(
        options.smiles,
        options.frames,
        every=options.every,
        temperature=options.temperature,
        seed=options.seed,
        progress=progress,
    )
    made.save(options.out)


if __name__ == "__main__":
    main()
