"""`adapt`: a local text model fine-tuned on texts with labels, beside what needs no fine-tuning; saved, with a report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from erlangen.data import Texts
from erlangen.errors import ArgumentError, StorageError
from erlangen.fitting.adapting.baselines import Baseline, baselines
from erlangen.fitting.adapting.config import AdaptConfig
from erlangen.fitting.adapting.report import adapted_outcome
from erlangen.fitting.adapting.store import TextPredictor, save_adapted
from erlangen.fitting.adapting.text_model import Loaded, load_text_model
from erlangen.fitting.adapting.tune import Method, Workshop, tune, tune_head
from erlangen.fitting.run import Stopped
from erlangen.reporting import Outcome, run_directory
from erlangen.serialization import read_json, write_json
from erlangen.training.lock import alone
from erlangen.training.processes import by_main, is_main

#: Fewest texts to learn from.
FEWEST = 20
#: Fraction of the data that is trained on where no test data are given.
TRAIN_FRACTION = 0.7
NOTE = "adapt.json"


@dataclass(frozen=True)
class Adapted:
    """What :func:`adapt` returns.

    Attributes:
        predictor: the fine-tuned model.
        method, head: what was measured of it, and of a head on the frozen model.
        baselines: linear models on TF-IDF and on frozen vectors.
        outcome: the report, every number.
        directory: where all of it was written.
    """

    predictor: TextPredictor
    method: Method
    head: Method
    baselines: list[Baseline]
    outcome: Outcome
    directory: Path


def adapt(
    model: str | Path,
    data: Texts,
    test: Texts | None = None,
    config: AdaptConfig | None = None,
    *,
    root: str | Path = "runs",
    resume: str | Path | None = None,
    quiet: bool = False,
) -> Adapted:
    """Fine-tune a text model on texts, beside a head on the frozen one and linear models on TF-IDF and on frozen vectors.

    All are trained on the same texts, and choose rates and weights by the same held-out ones. The encoder computes without dropout;
    what stands below the lowest adapted block is computed once.

    Args:
        model: a folder with a model of transformers and its tokenizer; nothing is downloaded.
        data: training texts, see :func:`erlangen.data.read_texts`.
        test: test texts; by default 30 % of ``data``. Copies of a text stay together.
        config: see :class:`AdaptConfig`.
        root: the run is written to ``root/NAME/DATE``.
        resume: the directory of an interrupted run, to continue it instead.
        quiet: print nothing.

    Returns:
        :class:`Adapted`. The directory holds ``report.html``, ``metrics.json``, ``config.json``, ``adapter/`` (see
        :meth:`~erlangen.parameters.adapters.AdaptedModel.save_pretrained`), ``head.safetensors`` and ``text_model.json``;
        :func:`load_adapted` reads them.

    Raises:
        MissingExtra: transformers is not installed.
        ArgumentError: no model in the folder, no layer that is meant, too few texts, one class, other classes in ``test``, a
            ``resume`` of another run.
        StorageError: a file could not be written; the message says how to continue.
        Stopped: a KeyboardInterrupt that says how to continue.
    """
    config = config or AdaptConfig()
    train, held, given = parts_of(data, test, config)
    loaded = load_text_model(model)
    _check_layers(loaded, config)
    started = time.perf_counter()
    quiet = quiet or not is_main()
    directory = by_main(lambda: _open(loaded, data, test, config, root, resume))
    try:
        with alone(directory if is_main() else None, "resume"):
            shop = Workshop.of(loaded, train, held, given, config, directory / "checkpoints", quiet)
            head, beside = tune_head(shop, config), baselines(shop)
            method = tune(shop, config.method, config, head.model.head)
            outcome = adapted_outcome(shop, config, method, head, beside, time.perf_counter() - started)
            if is_main():
                save_adapted(directory, loaded, method.model, shop.goal, config.max_tokens)
                outcome.save(directory)
    except KeyboardInterrupt:
        raise Stopped(directory) from None
    except OSError as problem:
        where = f"'{problem.filename}'" if problem.filename else f"a file in '{directory}'"
        kept = f"what was finished is kept; continue with resume={str(directory)!r}"
        raise StorageError(f"{where}: {problem.strerror or problem}; {kept}") from problem
    if not quiet:
        from rich.console import Console

        console = Console()
        console.print(outcome.answer, markup=False)
        console.print(f"report: {directory / 'report.html'}", soft_wrap=True, markup=False)
    return Adapted(TextPredictor(loaded, method.model, shop.goal, config.max_tokens), method, head, beside, outcome, directory)


def parts_of(data: Texts, test: Texts | None, config: AdaptConfig) -> tuple[Texts, Texts, Texts]:
    """The texts to train, to choose by and to test.

    Raises:
        ArgumentError: too few, a class that training texts do not have, numbers that are all alike in a part, or other classes.
    """
    if test is not None and test.classes != data.classes:
        raise ArgumentError(
            "test", f"the classes of the training texts ({', '.join(data.classes) or 'numbers'})", repr(test.classes)
        )
    if test is None:
        data, test = data.split(TRAIN_FRACTION, config.seed)
    train, held = data.split(1 - config.validation, config.seed + 1)
    if len(train) < FEWEST or min(len(held), len(test)) < 2:
        got = f"{len(train)}, {len(held)} to choose by, {len(test)} to test"
        raise ArgumentError("data", f"at least {FEWEST} training texts, 2 to choose by and 2 to test", got)
    for part, what in ((train, "to train"), (held, "to choose by"), (test, "to test")):
        if not data.classes and not bool((part.target != part.target[0]).any()):
            got = f"{float(part.target[0]):g} for all {len(part)} {what}"
            raise ArgumentError("target", "numbers that differ among the texts of each part", got, "Copies of a text stay together")
    missing = [c for i, c in enumerate(data.classes) if not bool((train.target == i).any())]
    if missing:
        raise ArgumentError("target", "some training texts of every class", f"none of '{missing[0]}'")
    return train, held, test


def _check_layers(loaded: Loaded, config: AdaptConfig) -> None:
    """Raise before anything is written where no layer is meant."""
    from erlangen.fitting.adapting.text_model import blocks_of
    from erlangen.parameters.adapters.targets import targets

    count = len(blocks_of(loaded.encoder)[1])
    if over := [n for n in config.layers if n >= count]:
        raise ArgumentError("layers", f"numbers of the model's {count} blocks, 0 to {count - 1}", repr(over[0]))
    if config.method != "full":
        targets(loaded.encoder, config.adapter())


def _open(
    loaded: Loaded, data: Texts, test: Texts | None, config: AdaptConfig, root: str | Path, resume: str | Path | None
) -> Path:
    """The run's directory, with a note of what is fine-tuned, so that only the same run continues it."""
    who = {
        "model": _sum(loaded),
        "texts": _sum_of(data),
        "test texts": None if test is None else _sum_of(test),
        **dataclasses.asdict(config),
    }
    who = json.loads(json.dumps(who))
    if resume is None:
        directory = run_directory(f"{data.name}-{config.method}", root)
        write_json(directory / NOTE, who)
        return directory
    directory = Path(resume)
    if not (directory / NOTE).is_file():
        raise ArgumentError("resume", "the directory of an interrupted run of adapt", repr(str(directory)))
    there = read_json(directory / NOTE, "resume")
    if other := [key for key in who if there.get(key) != who[key]]:
        raise ArgumentError("resume", "the directory of this run", f"that of another in '{directory}' (other {', '.join(other)})")
    return directory


def _sum(loaded: Loaded) -> str:
    found = hashlib.sha256()
    for name, p in loaded.encoder.named_parameters():
        found.update(f"{name}{tuple(p.shape)}{float(p.detach().double().sum())!r}".encode())
    return found.hexdigest()[:16]


def _sum_of(texts: Texts) -> str:
    told = json.dumps([texts.texts, texts.target.tolist(), texts.classes])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]
