"""`discover`: all discoverers that fit the data, one answer."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.data import DataSet
from erlangen.data.distinct import arranged, boundary, distinct
from erlangen.discover.companions import motion_finding, task_belief
from erlangen.discover.evidence import evidence
from erlangen.discover.found import Candidate, Discovered, group_of, standard_cosine
from erlangen.discover.liegan import LieGAN
from erlangen.discover.quadric import fit_quadric
from erlangen.discover.samples import MOST_COMPONENTS, Samples, Target, samples_of
from erlangen.discover.span import data_span, lift, warn_constants
from erlangen.discover.task.kinds_symmetries import kinds_finding
from erlangen.discover.united import discrete_answer, task_answer, united
from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import Metric, algebra_of_form
from erlangen.groups.named_algebras import nearest_named
from erlangen.parallel import one_thread
from erlangen.verdict import Verdict

#: Share of the data that is kept from the discoverers, for the evidence.
HELD_OUT = 0.3
#: A learned algebra must agree with a named one at least this well to be taken for it.
AGREES = 0.7
#: A metric with at most this residual is worth a try; the evidence decides.
WORTH_A_TRY = 0.35
#: Most channels of the learned discoverer.
MOST_CHANNELS = 7
#: Channels whose norm is at least this part of the largest are taken for generators.
STRONG = 0.25


def discover(
    x: Any,
    y: Any = None,
    *,
    names: Sequence[str] = (),
    kind: Target | None = None,
    kinds: Sequence[Hashable] | None = None,
    tokens: int | None = None,
    mask: Float[Tensor, "n n"] | None = None,
    channels: int | None = None,
    steps: int | None = None,
    sequences: bool | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Discovered:
    """Which continuous linear symmetry do data have?

    Looks for a quadric that the tokens lie on (milliseconds), then lets :class:`LieGAN` search, with many channels and, if that shows
    nothing, with one. Where the algebra of a quadric stands, none is larger, and the learned discoverer is spared (unless ``channels``,
    ``steps`` or ``mask`` is given, or a target moves along). Whatever is found is compared with the algebras that have a name, and the
    exact one is put to a judge on data kept from all discoverers (:func:`erlangen.discover.evidence.evidence`). The largest algebra that
    stands is the answer; on data without a symmetry, or too few of them, the answer is falsy and says so.

    With a target, the *task* is asked, too: for all affine symmetries in any basis by the derivatives of a predictor
    (:func:`erlangen.discover.task.task_symmetries`), and how well each of the usual groups fits
    (:func:`erlangen.discover.soft.graded_belief`). The largest group that the task keeps is the answer; ``found.source`` says what it
    rests on, ``found.note`` why. For numbers, the learned discoverer is spared where derivatives have answered. Where tokens follow one
    another, a closed form asks by which linear motion (:func:`erlangen.discover.nft.linear_nft_finding`).
    ``found.findings`` has all of them in comparable terms.

    Args:
        x: ``[N, T, n]`` or ``[N, n]``, NumPy or torch. Tokens may be padded with zeros. Or a :class:`erlangen.data.DataSet`, or a torch
            data set or loader of samples ``x`` or pairs ``(x, y)``, which are read whole.
        y: what belongs to each sample: ``[N, T_y, n]`` moves like x; numbers and class labels do not move.
        names: of the ``n`` components; by default those of a :class:`erlangen.data.DataSet`.
            Names in pairs that end in x and y (``q1x, q1y, p1x, ...``) restrict the search to rotations and
            scalings of those planes, unless ``mask`` says otherwise.
        kind: what ``y`` is; by default as its type says.
        kinds: of each token its kind, a number or a name. What the task keeps where each kind moves by generators of its own is then
            another finding (:func:`erlangen.discover.task.kinds_symmetries`); the answer is that of tokens that move alike.
        tokens: how many leading tokens of x (and of a vector y) the learned discoverer sees. By default 2 of those that are not padding,
            and for pairs of sequences the last of x and the first of y, which follow one another.
        mask: where generators may be non-zero.
        channels: of LieGAN; by default one more than so(n) has dimensions, at most 7; with ``mask``, 1.
        steps: of LieGAN; by default 3000, with one channel 5000.
        sequences: whether a sample's tokens (a vector target's after those of x) are the frames of a sequence; by default where the
            target is a vector.
        seed: of everything random.
        quiet: no progress bars.

    Of tokens whose span has more than 32 dimensions the inputs are searched with a ``mask`` only (or planes); the task of more than 16
    plain columns is searched among the at most 16 directions that it listens to, and the answer says so. Of
    more than 100,000 samples (fewer where tokens have more than 36 components) a draw with a fixed seed is looked at.

    Raises:
        ArgumentError: data that are empty, not finite, of shapes that do not fit, or copies of a few samples.

    >>> x = torch.randn(3000, 1, 2, generator=torch.Generator().manual_seed(0))
    >>> found = discover(x, steps=800, quiet=True)
    >>> found.algebra
    so(2)
    """
    given = samples_of(x, y, kind)
    everything = given.thinned()
    names = names or (x.names if isinstance(x, DataSet) else ())
    n = everything.x.shape[-1]
    if names and len(names) != n:
        raise ArgumentError("names", f"{n} names", list(names))
    data = _seen(everything, tokens)
    constant = warn_constants(data.tokens, names)
    own = None if kinds is None else kinds_finding(everything, kinds, seed)
    # Copies of a sample stay on one side, or the evidence would be asked about data that were searched.
    same = distinct(data.tokens)
    order = arranged(same, torch.Generator().manual_seed(seed))
    cut = boundary(same, order, int(len(data) * (1 - HELD_OUT)))
    if cut == len(data):
        raise ArgumentError("x", "enough different samples to keep some from the discoverers", int(same.max()) + 1)
    train, held = data.subset(order[:cut]), data.subset(order[cut:])
    if mask is None and _planes(names):
        mask = torch.kron(torch.eye(n // 2), torch.ones(2, 2))
    span = data_span(data.tokens)
    if mask is None and span.shape[1] > MOST_COMPONENTS:
        # Of the inputs nothing is searched; what few directions of many columns a task listens to, and what it keeps of those, can be.
        task = task_answer(everything, seed)
        wide = _too_wide(span.shape[1])
        found = Discovered(None, wide, names=tuple(names))
        if task is not None:
            note = f"of the inputs: {wide.reason}; of the task: {task.reason}" if task else ""
            found = replace(found, others=[f for f in (task.finding(), own) if f is not None], task=task, note=note)
        return united(found, everything)
    search = _Search(train, held, everything, mask, span, seed, steps, quiet)
    with one_thread():
        search.quadric()
        task = task_answer(everything, seed)
        # Where exact derivatives of a number have answered, what the inputs alone look like is not needed.
        answered = task is not None and task.decided and everything.scalars.shape[1] > 0 and channels is None
        # Linear maps that keep a distribution keep the one quadric that it lies on, too: once the algebra of that stands, none is larger.
        asked = channels is not None or steps is not None or mask is not None
        answered |= bool(search.standing()) and not asked and not everything.y.shape[1]
        for count in [] if answered else _channel_counts(n if mask is not None else span.shape[1], channels, mask):
            search.liegan(count)
            if search.standing():
                break
        groups = [group_of(c.algebra) for c in search.standing() if c.algebra is not None]
        belief = task_belief(everything, groups, seed)
        moving = everything.y.shape[1] > 0 if sequences is None else sequences
        motion = motion_finding(everything, seed) if moving else None
        discrete = discrete_answer(everything, task, seed)
    rows = (None if task is None else task.finding(), own, discrete, None if belief is None else belief.finding(), motion)
    found = replace(search.answer(constant, names), others=[f for f in rows if f is not None], belief=belief, task=task)
    if len(everything) < len(given):
        seen = f"{len(everything)} of {len(given)} samples, drawn with a fixed seed, were looked at"
        found = replace(found, note="; ".join(filter(None, (found.note, seen))))
    return united(found, everything)


class _Search:
    """The candidates so far, and how each comes about."""

    def __init__(
        self,
        train: Samples,
        held: Samples,
        everything: Samples,
        mask: Tensor | None,
        span: Tensor,
        seed: int,
        steps: int | None,
        quiet: bool,
    ) -> None:
        self.train, self.held, self.everything = train, held, everything
        self.mask, self.span, self.seed, self.steps, self.quiet = mask, span, seed, steps, quiet
        self.candidates: list[Candidate] = []
        self.metric: Metric | None = None
        self.on_quadric: LieAlgebra | None = None
        self.cone = False
        # On a proper subspace the search goes on in its own coordinates, unless a mask ties it to the given ones.
        self.reduce = mask is None and span.shape[1] < span.shape[0]

    def standing(self) -> list[Candidate]:
        """Those that the evidence is for, largest first."""
        return sorted((c for c in self.candidates if c.verdict), key=lambda c: -c.algebra.dim if c.algebra else 0)

    # ---- discoverers ----

    def quadric(self) -> None:
        """A quadric that all tokens lie on."""
        started = time.perf_counter()
        tokens = self._reduced(self.everything.tokens)
        n = tokens.shape[-1]
        if not 2 <= n <= MOST_COMPONENTS or tokens.shape[0] * tokens.shape[1] <= n * (n + 1):
            return
        fit = fit_quadric(tokens)
        seconds = time.perf_counter() - started
        note = f"residual {fit.residual:.1e}"
        if not fit:
            self.candidates.append(Candidate("quadric fit", seconds=seconds, note=f"the data lie on none ({note})"))
            return
        self.cone = fit.is_cone
        if not self.reduce:
            self.metric = fit.algebra().metric(conformal=True)
        named = nearest_named(fit.algebra())
        exact = self._lifted(named.algebra)
        self.on_quadric = exact
        shape = "cone" if fit.is_cone else "quadric"
        self._consider("quadric fit", exact, fit.algebra().basis, named.overlap, started, f"the data lie on a {shape} ({note})")

    def liegan(self, channels: int) -> None:
        """Learned generators: their metric's algebra, and the nearest named algebra of their span."""
        started = time.perf_counter()
        steps = self.steps or (3000 if channels > 1 else 5000)
        train = self._reduced_samples(self.train)
        gan = LieGAN(
            train.x.shape[-1],
            channels,
            mask=self.mask,
            init="masked" if self.mask is not None else "random",
            eta=0.1 if channels > 1 else 1.0,
            batch_size=128 if channels > 1 else 64,
            steps=steps,
            seed=self.seed,
            quiet=self.quiet,
        )
        gan.fit_samples(train)
        learned = LieAlgebra(gan.basis_)
        strong = LieAlgebra(gan.basis_[gan.norms_ >= STRONG * gan.norms_.max()])
        method = f"LieGAN, {channels} channel{'s' if channels > 1 else ''}"
        note = f"{strong.dim} of {channels} channels are strong"
        before = len(self.candidates)
        if learned.dim > 1:
            metric = learned.metric(tolerance=WORTH_A_TRY, conformal=True)
            if not self.reduce:
                self.metric = metric
            if metric:
                named = nearest_named(LieAlgebra(algebra_of_form(metric.form)))
                overlap = float(strong.principal_cosines(named.algebra).square().mean())
                self._consider(method, self._lifted(named.algebra), strong.basis, overlap, started, f"by its metric; {note}")
        named = nearest_named(strong)
        known = [c.name for c in self.candidates[before:]]
        if named.overlap >= AGREES and named.name not in known and not named.name.startswith("gl("):
            self._consider(method, self._lifted(named.algebra), strong.basis, named.overlap, started, note)
        if len(self.candidates) == before:
            seconds = time.perf_counter() - started
            self.candidates.append(
                Candidate(method, learned=gan.basis_, seconds=seconds, note=f"nothing near a known algebra (best: {named})")
            )

    def _consider(self, method: str, exact: LieAlgebra, learned: Tensor, overlap: float, started: float, note: str) -> None:
        seconds = time.perf_counter() - started
        verdict = self._evidence(exact)
        learned = learned.to(torch.float64)
        learned = self.span @ learned @ self.span.mT if self.reduce else learned
        self.candidates.append(Candidate(method, exact.name, exact, learned, overlap, verdict, seconds, note))

    def _evidence(self, exact: LieAlgebra) -> Verdict:
        for c in self.candidates:
            if c.verdict is not None and c.algebra is not None and c.algebra.same_span(exact):
                return c.verdict
        return evidence(exact.basis, self.held, self.mask, self.seed, on_quadric=exact is self.on_quadric)

    # ---- coordinates ----

    def _reduced(self, tokens: Tensor) -> Tensor:
        return tokens @ self.span.to(tokens) if self.reduce else tokens

    def _reduced_samples(self, data: Samples) -> Samples:
        if not self.reduce:
            return data
        return Samples(self._reduced(data.x), self._reduced(data.y), data.scalars, data.labels, data.classes)

    def _lifted(self, algebra: LieAlgebra) -> LieAlgebra:
        return lift(algebra, self.span) if self.reduce else algebra

    # ---- the answer ----

    def answer(self, constant: list[str], names: Sequence[str]) -> Discovered:
        """The largest algebra that stands."""
        standing = self.standing()
        metric = self.metric
        cosine = 0.0 if metric is None else standard_cosine(metric)
        ambiguity = []
        n, r = self.span.shape
        if r < n:
            ambiguity.append(f"the data span {r} of {n} dimensions: maps that vanish there may be added to a generator")
        if standing and self.cone:
            ambiguity.append("the data lie on a cone, which dilations keep, too")
        if constant:
            ambiguity.append(f"constant components: {', '.join(constant)}")
        if standing:
            verdict = standing[0].verdict
            algebra = standing[0].algebra
        else:
            judged = [c.verdict for c in self.candidates if c.verdict is not None]
            verdict = max(judged, key=lambda v: -v["auc"]) if judged else _nothing()
            algebra = None
        assert verdict is not None
        agree = [c.method for c in standing if algebra is not None and c.algebra is not None and c.algebra.same_span(algebra)]
        note = f"found independently by {' and '.join(agree)}" if len(agree) > 1 else ""
        return Discovered(algebra, verdict, self.candidates, metric, cosine, "; ".join(ambiguity), note, tuple(names))


def _seen(data: Samples, tokens: int | None) -> Samples:
    """The tokens that the learned discoverer sees."""
    if data.y.shape[1]:
        k = tokens or 1
        return Samples(data.x[:, -k:], data.y[:, :k], data.scalars, data.labels, data.classes)
    filled = (data.x.abs().sum(-1) > 0).double().mean(0)  # [T]
    usable = int((filled >= 0.9).to(torch.int64).cumprod(0).sum())
    k = tokens or max(1, min(2, usable))
    x = data.x[:, :k]
    keep = (x.abs().sum(-1) > 0).all(1)
    labels = None if data.labels is None else data.labels[keep]
    return Samples(x[keep], data.y[keep], data.scalars[keep], labels, data.classes)


def _planes(names: Sequence[str]) -> bool:
    """Whether components come in pairs that are called ...x and ...y."""
    if len(names) < 4 or len(names) % 2:
        return False
    return all(a.endswith("x") and b.endswith("y") and a[:-1] == b[:-1] for a, b in zip(names[::2], names[1::2]))


def _channel_counts(n: int, channels: int | None, mask: Tensor | None) -> list[int]:
    if channels is not None:
        return [channels]
    if mask is not None:
        return [1]
    many = min(n * (n - 1) // 2 + 1, MOST_CHANNELS)
    return [many, 1] if many > 1 else [1]


def _nothing(reason: str = "no candidate came near a known algebra") -> Verdict:
    return Verdict(False, "the data look the same after the moves of some algebra", "search", reason=reason)


def _too_wide(components: int) -> Verdict:
    return _nothing(
        f"not searched: tokens of {components} components, and the search ends at {MOST_COMPONENTS}; give smaller tokens x [N, T, n], name "
        "components in planes (q1x, q1y, ...), or say where generators may be non-zero (mask)"
    )
