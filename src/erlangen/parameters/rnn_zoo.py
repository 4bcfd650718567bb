"""A zoo of recurrent networks that learn to add: "7+15=" in, "22." out, one character at a time.

Encoder and decoder are plain recurrent networks whose hidden units are permuted together, for the decoder starts where the encoder ends.

Source: A. Zhou, C. Finn, J. Harrison, NeurIPS 2024, arXiv:2402.05232, with gated cells of size 128 there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from erlangen.errors import ArgumentError
from erlangen.parameters.mlp_zoo import adam_step
from erlangen.parameters.spec import WeightSpec
from erlangen.reporting import progress

LETTERS = "0123456789+=. "
STACK = 100


@dataclass(frozen=True)
class RecurrentZooConfig:
    """The networks and how they differ.

    Attributes:
        networks: how many.
        hidden: units of encoder and decoder.
        largest: the numbers that are added are below this.
        log_lr: of Adam, powers of ten.
        log_scale: of the initial weights, powers of ten, times one over the root of the hidden units.
        steps: of training.
        batch: samples in a step.
        seed: of everything.
    """

    networks: int = 4000
    hidden: int = 16
    largest: int = 20
    log_lr: tuple[float, float] = (-3.0, -1.5)
    log_scale: tuple[float, float] = (-0.5, 0.3)
    steps: tuple[int, int] = (300, 1500)
    batch: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for argument in ("networks", "hidden", "batch"):
            if getattr(self, argument) < 1:
                raise ArgumentError(argument, "a positive number", getattr(self, argument))


def sums(largest: int) -> tuple[Int[Tensor, "pairs letters"], Int[Tensor, "pairs answer"]]:
    """All sums of two numbers as letters: questions padded on the left, answers on the right.

    >>> questions, answers = sums(20)
    >>> "".join(LETTERS[i] for i in questions[47]), "".join(LETTERS[i] for i in answers[47])
    ('  2+7=', '9. ')
    """
    pairs = [(a, b) for a in range(largest) for b in range(largest)]
    long, short = len(f"{largest - 1}+{largest - 1}="), len(f"{2 * largest - 2}.")
    questions = [f"{a}+{b}=".rjust(long) for a, b in pairs]
    answers = [f"{a + b}.".ljust(short) for a, b in pairs]
    return tuple(torch.tensor([[LETTERS.index(c) for c in text] for text in texts]) for texts in (questions, answers))  # type: ignore[return-value]


def train_recurrent_zoo(
    config: RecurrentZooConfig | None = None, *, quiet: bool = False
) -> tuple[dict[str, Float[Tensor, "networks 1 ..."]], Float[Tensor, " networks"], WeightSpec]:
    """The weights of trained networks, the share of unseen sums that each gets right, and their specification.

    >>> params, success, spec = train_recurrent_zoo(RecurrentZooConfig(networks=3, hidden=4, steps=(2, 3)), quiet=True)
    >>> success.shape, spec.axes["decoder.weight_hh"], params["head.weight"].shape
    (torch.Size([3]), ('h', 'h'), torch.Size([3, 1, 14, 4]))
    """
    config = config or RecurrentZooConfig()
    generator = torch.Generator().manual_seed(config.seed)
    questions, answers = sums(config.largest)
    order = torch.randperm(len(questions), generator=generator)
    cut = len(order) // 4
    held, known = order[:cut], order[cut:]
    letters, h = len(LETTERS), config.hidden
    shapes: dict[str, tuple[int, ...]] = {}
    axes: dict[str, tuple[str | None, ...]] = {}
    for part in ("encoder", "decoder"):
        shapes |= {f"{part}.weight_ih": (h, letters), f"{part}.weight_hh": (h, h), f"{part}.bias": (h,)}
        axes |= {f"{part}.weight_ih": ("h", None), f"{part}.weight_hh": ("h", "h"), f"{part}.bias": ("h",)}
    shapes |= {"head.weight": (letters, h), "head.bias": (letters,)}
    axes |= {"head.weight": (None, "h"), "head.bias": (None,)}
    parts: list[dict[str, Tensor]] = []
    scores: list[Tensor] = []
    with progress(config.networks, "training the recurrent zoo", quiet=quiet) as bar:
        for start in range(0, config.networks, STACK):
            count = min(STACK, config.networks - start)
            params = _train_stack(shapes, count, questions[known], answers[known], config, generator)
            with torch.no_grad():
                said = _run(params, questions[held].expand(count, -1, -1), None, answers.shape[1]).argmax(-1)
            scores.append(_right(said, answers[held]).float().mean(1))
            parts.append(params)
            bar.advance(count)
    stacked = {name: torch.cat([p[name] for p in parts]).unsqueeze(1) for name in shapes}
    return stacked, torch.cat(scores), WeightSpec(shapes, axes)


def _train_stack(
    shapes: dict[str, tuple[int, ...]],
    count: int,
    questions: Tensor,
    answers: Tensor,
    config: RecurrentZooConfig,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    lr, scale = 10 ** draw(*config.log_lr), 10 ** draw(*config.log_scale) / config.hidden**0.5
    last = draw(config.steps[0], config.steps[1] + 1)
    params = {
        name: scale.reshape(-1, *[1] * len(s)) * torch.randn(count, *s, generator=generator)
        if len(s) > 1
        else torch.zeros(count, *s)
        for name, s in shapes.items()
    }
    first, second = ({name: torch.zeros_like(w) for name, w in params.items()} for _ in range(2))
    for step in range(config.steps[1]):
        index = torch.randint(len(questions), (count, config.batch), generator=generator)
        target = answers[index]
        leaves = {name: w.detach().requires_grad_() for name, w in params.items()}
        logits = _run(leaves, questions[index], target, target.shape[-1])
        loss = cross_entropy(logits.flatten(0, 2), target.flatten(), reduction="sum") / (config.batch * target.shape[-1])
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        # A network whose steps are done learns at rate zero.
        settings = {"lr": torch.where(last > step, lr, 0.0), "decay": torch.zeros(count)}
        adam_step(params, first, second, gradients, step, settings)
    return params


def _run(params: dict[str, Tensor], questions: Tensor, answers: Tensor | None, steps: int) -> Tensor:
    """Logits ``[networks, samples, steps, letters]``; the decoder reads the right letters where they are given, else its own."""
    size = len(LETTERS)
    state = params["encoder.bias"].new_zeros(*questions.shape[:2], params["encoder.bias"].shape[-1])
    blank = torch.full(questions.shape[:2], LETTERS.index(" "))

    def cell(part: str, letter: Tensor, state: Tensor) -> Tensor:
        inp = one_hot(letter, size).to(state.dtype) @ params[f"{part}.weight_ih"].mT
        return torch.tanh(inp + state @ params[f"{part}.weight_hh"].mT + params[f"{part}.bias"].unsqueeze(1))

    for t in range(questions.shape[-1]):
        state = cell("encoder", questions[..., t], state)
    letter, logits = blank, []
    for t in range(steps):
        state = cell("decoder", letter, state)
        logits.append(state @ params["head.weight"].mT + params["head.bias"].unsqueeze(1))
        letter = logits[-1].argmax(-1) if answers is None else answers[..., t]
    return torch.stack(logits, 2)


def _right(said: Tensor, answers: Tensor) -> Tensor:
    """Whether everything up to the full stop is right, ``[networks, samples]``."""
    stop = LETTERS.index(".")
    before = (answers == stop).cumsum(-1) - (answers == stop).long()
    return ((said == answers) | (before > 0)).all(-1)
