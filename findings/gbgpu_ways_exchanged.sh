#!/usr/bin/env bash
# The two ways of light along an arm are exchanged in gbgpu's response.
#
# Version:  gbgpu 1.2.4, lisaanalysistools 1.2.8
# Expected: X is (1 - D^2) of y12 + D y21 - y13 - D y31 (received at the first spacecraft, sent by the second; D delays by an arm), each y
#           the difference of the wave at both ends.
# Seen:     it is that with y21 + D y12 in the place of y12 + D y21: both have the same phase, and averages sinc(x (1 -+ k.n) / 2) that
#           differ. Against interferometry in time X is off by 9e-5 at 2.6 mHz and by 1.3e-3 at 6.2 mHz (A and E by 3e-5 and 5e-4).
# Matters:  little for fits; a comparison of responses to more than three digits at high frequencies finds this first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check gbgpu==1.2.4 lisaanalysistools==1.2.8 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import warnings

warnings.filterwarnings("ignore")
import numpy as np
from gbgpu.gbgpu import GBGPU

gb = GBGPU()
C, L = 299792458.0, gb.orbits.armlength
amp, phi0, iota, psi, lam, beta, N = 1e-22, 0.7, 0.9, 0.4, 1.77, 0.1, 128
plus, cross = amp * (1 + np.cos(iota) ** 2), -2 * amp * np.cos(iota)
theta = np.pi / 2 - beta
u = np.array([np.cos(theta) * np.cos(lam), np.cos(theta) * np.sin(lam), -np.sin(theta)])
v = np.array([np.sin(lam), -np.cos(lam), 0.0])
k = -np.array([np.sin(theta) * np.cos(lam), np.sin(theta) * np.sin(lam), np.cos(theta)])
ep, ec = np.outer(v, v) - np.outer(u, u), np.outer(u, v) + np.outer(v, u)
for f0 in (2.61e-3, 6.22e-3):
    gb.run_wave(*(np.array([x]) for x in (amp, f0, 0.0, 0.0, phi0, iota, psi, lam, beta)), N=N)
    T = 1 / gb.df
    slow = np.fft.ifft(np.fft.ifftshift(gb.X[0])) * 2 * N / T
    t = np.linspace(0, T, N, endpoint=False)
    seen = (slow * np.exp(2j * np.pi * np.rint(f0 * T) * t / T)).real
    P = [gb.orbits.get_pos(t, np.full(N, i, dtype=np.int32)) for i in (1, 2, 3)]

    def wave(tau):
        phase = 2 * np.pi * f0 * tau + phi0
        a, b = plus * np.cos(phase), cross * np.sin(phase)
        c, s = np.cos(2 * psi), np.sin(2 * psi)
        return (a * c + b * s)[:, None, None] * ep + (-a * s + b * c)[:, None, None] * ec

    def y(r, s, tau):
        n = (P[r] - P[s]) / L
        grown = wave(tau - L / C - P[s] @ k / C) - wave(tau - P[r] @ k / C)
        return np.einsum("ti,tij,tj->t", n, grown, n) / 2 / (1 - n @ k)

    def X(ways):
        def once(tau):
            one, two = (tau, tau - L / C)[::ways]
            return y(0, 1, one) + y(1, 0, two) - y(0, 2, one) - y(2, 0, two)

        return once(t) - once(t - 2 * L / C)

    off, exchanged = (np.linalg.norm(seen - X(ways)) / np.linalg.norm(seen) for ways in (1, -1))
    print(f"{1e3 * f0:.2f} mHz: off by {off:.1e}, with the ways exchanged by {exchanged:.1e}")
    assert off > 5e-5
    assert exchanged < 1e-7
PY
echo "shown: the waveform is not that of interferometry in time"
