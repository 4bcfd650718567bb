"""Overdamped Brownian dynamics of particles under programs that see the past."""

from __future__ import annotations

import math
import os
import warnings
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.colloids.boxes import Box, Open, Periodic
from erlangen.fields.colloids.layers import Layer, Step
from erlangen.fields.colloids.neighbours import NeighbourList
from erlangen.fields.colloids.potentials import Potential
from erlangen.fields.colloids.programs import Bias, Landscape, ManyBody, Program, Timing
from erlangen.fields.colloids.trajectories import Trajectory, fingerprint, read_state, write_state
from erlangen.reporting import progress

#: Normal numbers that are drawn at once.
_DRAWN = 2**18
#: Steps of the noise above this share of a hard core's diameter lead deep into it.
STEEP = 0.06


class BrownianDynamics:
    """``dr = (D / kT) F dt + sqrt(2 D dt) xi`` for particles in several replicas at once.

    Args:
        n: particles of one replica.
        dim: 1, 2 or 3.
        box: :class:`Open`, :class:`Periodic`, :class:`Circle` or :class:`Trap`; a number is the side of a periodic box.
        dt: time step. In reduced units lengths are diameters, energies ``kT`` and times ``diameter^2 / D``.
        D: diffusion coefficient at ``kT``.
        seed: of all random numbers, or a :class:`torch.Generator`. Runs of one seed are equal bit by bit on one number of threads.
        batch: replicas, which see nothing of each other.
        start: positions ``[n, dim]`` or ``[batch, n, dim]``; by default the origin for single particles, else an even draw in the box
            from which overlapping cores are pushed apart.
        kT: energy unit.
        scheme: ``"euler"`` (Euler-Maruyama) or ``"heun"`` (stochastic Heun: second order in the drift).
        dtype: float64 or float32.

    Raises:
        ArgumentError: an argument has no meaning.

    >>> from erlangen.fields.colloids import Harmonic
    >>> sim = BrownianDynamics(1, dim=2, dt=1e-3, seed=0, batch=100)
    >>> sim.add(Harmonic(5.0), delay=0.5, self_=True, cross=False)
    >>> path = sim.run(1000, every=100)
    >>> path.positions.shape, round(float(path.times[-1]), 9)
    (torch.Size([11, 100, 1, 2]), 1.0)
    """

    def __init__(
        self,
        n: int,
        dim: int = 2,
        box: Box | float | None = None,
        dt: float = 1e-4,
        D: float = 1.0,
        seed: int | torch.Generator = 0,
        *,
        batch: int = 1,
        start: Any = None,
        kT: float = 1.0,
        scheme: Literal["euler", "heun"] = "euler",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        for name, count in (("n", n), ("batch", batch)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ArgumentError(name, "a whole number, at least 1", repr(count))
        if dim not in (1, 2, 3):
            raise ArgumentError("dim", "1, 2 or 3", repr(dim))
        for name, value in (("dt", dt), ("kT", kT)):
            if not (math.isfinite(value) and value > 0):
                raise ArgumentError(name, "a positive number", repr(value))
        if not (math.isfinite(D) and D >= 0):
            raise ArgumentError("D", "a number, not negative", repr(D))
        if scheme not in ("euler", "heun"):
            raise ArgumentError("scheme", "'euler' or 'heun'", repr(scheme))
        if dtype not in (torch.float32, torch.float64):
            raise ArgumentError("dtype", "torch.float32 or torch.float64", repr(dtype))
        self.n, self.dim, self.batch, self.dt, self.D, self.kT = n, dim, batch, float(dt), float(D), float(kT)
        self.scheme, self.dtype = scheme, dtype
        self.box: Box = Open() if box is None else box if isinstance(box, Box) else Periodic(box, dim)
        cell = self.box.cell()
        if cell is not None and len(cell) != dim:
            raise ArgumentError("box", f"a box of {dim} dimensions", f"one of {len(cell)}")
        self.generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
        self._camera = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=self.generator)))
        self.step = 0
        self.layers: list[Layer] = []
        self._bias: list[Bias] = []
        self._given = None if start is None else self._placed(start)
        self._x: Tensor | None = None
        self._ring: list[Tensor] = []
        self._noise: Tensor | None = None
        self._drawn_from: Tensor | None = None
        self._block = -1
        self._seeded = self.generator.get_state()

    # What acts

    def add(
        self,
        what: Potential | ManyBody | Landscape | Bias | Program,
        *,
        delay: float = 0.0,
        hold: float | None = None,
        frame: float | None = None,
        error: float = 0.0,
        self_: bool = False,
        cross: bool = True,
        strict: bool = False,
        expect_stationary: bool = False,
    ) -> None:
        """Let something act from the next step on.

        Args:
            what: a potential, many-body program, landscape, bias or whole :class:`Program` (whose own timing counts, then).
            delay, hold, frame, error: as in :class:`Timing`.
            self_: a particle feels the potential about its own measured place.
            cross: and those about the others.
            strict: refuse times that are no whole number of steps, which else are rounded with a warning.
            expect_stationary: refuse a delayed harmonic potential without stationary increments.

        Raises:
            ArgumentError: a range that the box is too small for, a time step too long for the stiffness, and what ``strict`` and
                ``expect_stationary`` ask for.
        """
        if isinstance(what, Program):
            timing: dict[str, Any] = {name: getattr(what.timing, name) for name in ("delay", "hold", "frame", "error")}
            if what.core is not None:
                self.add(what.core)
            if what.cross is not None:
                self.add(what.cross, strict=strict, **timing)
            if what.own is not None:
                self.add(what.own, self_=True, cross=False, strict=strict, expect_stationary=expect_stationary, **timing)
            for one in what.many:
                self.add(one, strict=strict, **timing)
            return
        if isinstance(what, Bias):
            self._bias.append(what)
            return
        if not isinstance(what, (Potential, ManyBody, Landscape)):
            raise ArgumentError("what", "a potential, a program, a landscape or a bias", type(what).__name__)
        timing_ = Timing(delay, hold, frame, error)
        steps = self._in_steps(timing_, strict)
        if isinstance(what, Potential):
            if not (self_ or cross):
                raise ArgumentError("self_", "self_ or cross, else nothing acts", "neither")
            rate = what.stiffness * self.D / self.kT
            if self.dt * rate > 1:
                raise ArgumentError(
                    "dt",
                    f"at most {1 / rate:.3g}: the scheme is unstable beyond",
                    repr(self.dt),
                    f"the potential's rate is {rate:.4g}",
                )
            if cross and self.n > 1 and math.sqrt(2 * self.D * self.dt) > STEEP * what.core:
                step = math.sqrt(2 * self.D * self.dt)
                warnings.warn(
                    f"noise moves particles by {step:.3g} in a step, more than {STEEP:.0%} of the core {what.core:.3g}: "
                    "they will be thrown far off; take a shorter dt",
                    stacklevel=2,
                )
            if expect_stationary and rate * delay <= -1:
                raise ArgumentError(
                    "what",
                    f"a stiffness above {-self.kT / (self.D * delay):.4g}, so that increments are stationary",
                    f"{what.stiffness:.4g}",
                )
        paired = isinstance(what, ManyBody) or (isinstance(what, Potential) and cross and self.n > 1)
        if paired and what.range > self.box.reach:  # type: ignore[union-attr]
            raise ArgumentError(
                "box",
                f"heights of at least twice the range, {2 * what.range:.4g}",  # type: ignore[union-attr]
                f"{2 * self.box.reach:.4g}",
                "a pair would see two images of each other; cut the potential or take a larger box",
            )
        layer = self._layer(steps, error)
        if isinstance(what, Potential):
            if self_:
                layer.own.append(what)
            if cross and self.n > 1:
                layer.cross.append(what)
        elif isinstance(what, ManyBody):
            layer.many.append(what)
        else:
            layer.landscapes.append(what)
        layer.near = layer.near_many = None

    def _layer(self, steps: Step, error: float) -> Layer:
        for layer in self.layers:
            if layer.steps == steps and layer.error == error == 0:
                return layer
        if self._x is not None and steps.back >= len(self._ring):
            raise ArgumentError(
                "delay",
                "no longer memory than the run began with",
                f"{steps.back} steps",
                "add what is delayed before the first run",
            )
        self.layers.append(Layer(steps, error))
        return self.layers[-1]

    def _in_steps(self, timing: Timing, strict: bool) -> Step:
        found = {}
        for name in ("delay", "hold", "frame"):
            value = getattr(timing, name)
            if value is None:
                found[name] = 0
                continue
            number = value / self.dt
            whole = round(number)
            if abs(number - whole) > 1e-6 * max(1.0, number):
                if strict:
                    raise ArgumentError(name, f"a multiple of the time step {self.dt:.6g}", repr(value))
                warnings.warn(f"{name} {value:.6g} is no multiple of dt: {whole * self.dt:.6g} is taken", stacklevel=3)
            found[name] = whole if name == "delay" else max(1, whole)
        return Step(**found)

    # Where particles are

    @property
    def positions(self) -> Float[Tensor, "batch n dim"]:
        """Where they are now, unwrapped."""
        return self._out(self._begin())

    def _placed(self, start: Any) -> Tensor:
        x = torch.as_tensor(start, dtype=self.dtype)
        if x.shape not in ((self.n, self.dim), (self.batch, self.n, self.dim)) or not bool(x.isfinite().all()):
            raise ArgumentError(
                "start",
                f"finite positions [{self.n}, {self.dim}] or [{self.batch}, {self.n}, {self.dim}]",
                f"shape {tuple(x.shape)}",
            )
        return self._in(x.expand(self.batch, self.n, self.dim))

    def _in(self, x: Tensor) -> Tensor:
        return x.permute(2, 0, 1).reshape(self.dim, self.batch * self.n)

    def _out(self, x: Tensor) -> Tensor:
        return x.view(self.dim, self.batch, self.n).permute(1, 2, 0)

    def _begin(self) -> Tensor:
        if self._x is None:
            if self._given is not None:
                self._x = self._given
            elif self.n == 1 and not isinstance(self.box, Periodic):
                self._x = torch.zeros(self.dim, self.batch, dtype=self.dtype)
            else:
                self._x = self._apart(self.box.scatter(self.batch * self.n, self.generator, self.dim, self.dtype))
            memory = max((layer.steps.back for layer in self.layers), default=0) + 1
            self._ring = [self._x] * memory
        return self._x

    def _apart(self, x: Tensor) -> Tensor:
        """Push particles apart whose cores overlap, by steps that are never longer than a part of the core."""
        cores = [p.core for layer in self.layers if layer.steps.instant for p in layer.cross if math.isfinite(p.core)]
        if not cores:
            return x
        size = 1.1 * max(cores)
        near = NeighbourList(size, self.batch, self.n, self.box, 0.5 * size)
        for _ in range(1000):
            i, j = near.pairs(x, x)
            d = self.box.nearest(x[:, i] - x[:, j])
            rho = d.square().sum(0).clamp_min(1e-36).sqrt()
            overlap = (size - rho).clamp_min(0.0)
            if float(overlap.max() if len(overlap) else 0.0) < 0.05 * size:
                break
            x = x + torch.zeros_like(x).index_add(1, i, 0.3 * overlap / rho * d)
        return x

    # Steps

    def forces(self) -> Float[Tensor, "batch n dim"]:
        """The forces at this moment."""
        x = self._begin()
        self._ring[self.step % len(self._ring)] = x
        with torch.no_grad():
            force = self._force(x, self.step, False)
        return self._out(torch.zeros_like(x) if force is None else force)

    def run(
        self,
        steps: int,
        every: int = 100,
        *,
        temperature: tuple[float, float] = (1.0, 1.0),
        noise: Float[Tensor, "steps batch n dim"] | None = None,
        differentiable: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        description: str = "",
    ) -> Trajectory:
        """Go on for some steps.

        Args:
            steps: how many.
            every: so many steps lie between two frames; the first frame is where the run starts.
            temperature: at the start and the end, in units of ``kT``, linear in between; the mobility stays.
            noise: the normal numbers to use instead of drawn ones.
            differentiable: keep the graph of a short run, for gradients with respect to a program's parameters or the start.
            checkpoint: a file that is written about ten times in between; where it exists, the run goes on from it.
            description: what the progress bar says; without it there is none.

        Returns:
            Positions of every frame, unwrapped. Replicas that blew up are NaN from there on, are counted, and a warning says so.

        Raises:
            ArgumentError: numbers that make no sense, noise of another shape, or a checkpoint of another run.
        """
        for name, value, least in (("steps", steps, 0), ("every", every, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ArgumentError(name, f"a whole number, at least {least}", repr(value))
        if len(temperature) != 2 or not all(math.isfinite(one) and one >= 0 for one in temperature):
            raise ArgumentError("temperature", "two numbers, not negative", repr(temperature))
        if noise is not None and tuple(noise.shape) != (steps, self.batch, self.n, self.dim):
            raise ArgumentError("noise", f"shape {(steps, self.batch, self.n, self.dim)}", f"shape {tuple(noise.shape)}")
        if checkpoint is not None and (differentiable or noise is not None):
            raise ArgumentError("checkpoint", "none with given noise or gradients", repr(str(checkpoint)))
        self._begin()
        origin, done = self.step, 0
        about = {"origin": origin, "steps": steps, "every": every, "of": self._told(temperature) if checkpoint is not None else ""}
        frames: list[Tensor] = []
        if checkpoint is not None and os.path.exists(checkpoint):
            origin, frames, done = self._resume(checkpoint, about)
        total_frames = steps // every + 1
        save_every = max(1, total_frames // 10)
        grad = torch.enable_grad if differentiable else torch.no_grad
        with grad(), progress(steps, description, quiet=not description) as bar:
            x = self._begin()
            for k in range(done, steps):
                if k % every == 0:
                    frames.append(self._frame(x, differentiable))
                    if k and checkpoint is not None and len(frames) % save_every == 0:
                        self._x = x
                        write_state(checkpoint, self._state(), about, frames)
                    if bool(torch.isnan(frames[-1]).all()):
                        frames += [frames[-1]] * (total_frames - len(frames))
                        self.step = origin + steps
                        break
                heat = temperature[0] + (temperature[1] - temperature[0]) * (k / steps)
                x = self._advance(x, heat, None if noise is None else self._in(noise[k].to(self.dtype)), differentiable)
                bar.advance(1)
            self._x = x
            if len(frames) < total_frames:
                frames.append(self._frame(x, differentiable))
        times = torch.arange(len(frames), dtype=torch.float64) * (every * self.dt) + origin * self.dt
        made = Trajectory(torch.stack(frames), times, self.box)
        if made.failed:
            warnings.warn(
                f"{made.failed} of {self.batch} replicas blew up; they are NaN from there on. A shorter dt may help", stacklevel=2
            )
        return made

    def _frame(self, x: Tensor, differentiable: bool) -> Tensor:
        out = self._out(x)
        if differentiable:
            return out
        out = out.detach()
        whole = out.isfinite().all(-1).all(-1)
        return out.contiguous() if bool(whole.all()) else torch.where(whole[:, None, None], out, torch.nan)

    def _advance(self, x: Tensor, heat: float, given: Tensor | None, differentiable: bool) -> Tensor:
        k, ring = self.step, self._ring
        ring[k % len(ring)] = x
        drift = self._force(x, k, differentiable)
        mobility = self.D / self.kT * self.dt
        amplitude = math.sqrt(2 * self.D * heat * self.dt)
        if given is None and amplitude:
            given = self._normal(k)
        moved = x if drift is None else torch.add(x, drift, alpha=mobility)
        if amplitude and given is not None:
            moved = torch.add(moved, given, alpha=amplitude)
        if self.scheme == "heun" and drift is not None:
            later = self._force(moved, k + 1, differentiable, trial=True)
            if later is not None:
                moved = torch.add(moved, later - drift, alpha=mobility / 2)
        self.step = k + 1
        return moved

    def _normal(self, k: int) -> Tensor:
        """Numbers are drawn in blocks that start at fixed steps, so that a resumed run sees the same."""
        size = max(1, min(1024, _DRAWN // (self.dim * self.batch * self.n)))
        if self._noise is None or k // size != self._block:
            self._drawn_from, self._block = self.generator.get_state(), k // size
            self._noise = torch.randn(size, self.dim, self.batch * self.n, generator=self.generator, dtype=self.dtype)
        return self._noise[k % size]

    def _force(self, x: Tensor, k: int, differentiable: bool, trial: bool = False) -> Tensor | None:
        total = self.box.wall(x)
        for layer in self.layers:
            centre = layer.centre(k, x, self._ring, self._camera, trial)
            part = layer.force(x, centre, self.box, self.batch, self.n, differentiable)
            total = part if total is None else total + part
        for bias in self._bias:
            part = self._in(bias.at(self._out(x)))
            total = part if total is None else total + part
        return total

    # Keeping

    def _state(self) -> dict[str, Tensor]:
        state = {"x": self._begin(), "step": torch.tensor(self.step), "camera": self._camera.get_state()}
        # The block of noise in use is drawn again from where its drawing began.
        state["generator"] = self.generator.get_state() if self._drawn_from is None else self._drawn_from
        state["block"] = torch.tensor(self._block)
        state["ring"] = torch.stack(self._ring)
        for number, layer in enumerate(self.layers):
            if layer.kept is not None:
                state[f"kept{number}"], state[f"seen{number}"] = layer.kept, torch.tensor(layer.seen)
            # The order of sums follows from where the lists of neighbours were made.
            for name, near in (("near", layer.near), ("many", layer.near_many)):
                if near is not None and near.made_at is not None:
                    state[f"{name}{number}"] = torch.stack(near.made_at)
        return state

    def _told(self, temperature: tuple[float, float]) -> str:
        """A digest of all that decides what a run gives, except for what functions do inside."""
        setting = [self.n, self.dim, self.batch, self.dt, self.D, self.kT, self.scheme, self.dtype, repr(self.box), temperature]
        acts = [[one.steps, one.error, one.own, one.cross, one.many, one.landscapes] for one in self.layers]
        return fingerprint([setting, acts, self._bias, self._given, self._seeded])

    def _resume(self, path: str | os.PathLike[str], wanted: dict[str, Any]) -> tuple[int, list[Tensor], int]:
        state, about = read_state(path)
        frames = list(state.pop("frames"))
        for name, text in (("origin", "first step"), ("steps", "number of steps"), ("every", "distance of frames")):
            if about.get(name) != wanted[name]:
                raise ArgumentError("checkpoint", "a file of this very run", f"one of {text} {about.get(name)}, not {wanted[name]}")
        if about.get("of") != wanted["of"]:
            hint = "seed, start, box, time step, temperatures or what acts differ; remove the file to begin anew"
            raise ArgumentError("checkpoint", "a file of this very run", f"'{path}' of another one", hint)
        self._x = state["x"].to(self.dtype)
        self.step = int(state["step"])
        self._ring = list(state["ring"].to(self.dtype))
        self._camera.set_state(state["camera"])
        self.generator.set_state(state["generator"])
        self._noise, self._drawn_from, self._block = None, None, -1
        if int(state["block"]) >= 0:
            self._normal(int(state["block"]) * max(1, min(1024, _DRAWN // (self.dim * self.batch * self.n))))
        for number, layer in enumerate(self.layers):
            layer.near = layer.near_many = None
            if f"near{number}" in state:
                layer.pair_list(self.box, self.batch, self.n).make(*state[f"near{number}"].to(self.dtype))
            if f"many{number}" in state:
                layer.many_list(self.box, self.batch, self.n).make(*state[f"many{number}"].to(self.dtype))
            if f"kept{number}" in state:
                layer.kept, layer.seen = state[f"kept{number}"].to(self.dtype), int(state[f"seen{number}"])
        done = self.step - int(about["origin"])
        return int(about["origin"]), frames[: -(-done // wanted["every"])], done
