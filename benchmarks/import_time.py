"""`import erlangen` with its main verbs, on top of `import torch`, in fresh interpreters. Target: at most 0.3 s; `--help` under 0.5 s."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

CODE = "import time, torch; t = time.perf_counter(); import erlangen as er; {use}; print(time.perf_counter() - t)"


def main() -> None:
    for what, use in (("import erlangen", "0"), ("and its verbs", "er.symmetrize, er.equivariance_error, er.SO(3), er.E(3)")):
        runs = [float(subprocess.check_output([sys.executable, "-c", CODE.format(use=use)])) for _ in range(5)]
        print(f"{what}: {statistics.median(runs):.3f} s on top of torch (target <= 0.3)")
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "erlangen", "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    print(f"erlangen --help: {statistics.median(times):.3f} s (target < 0.5)")


if __name__ == "__main__":
    main()
