"""A fine-tuned text model on disk: the adapter as a folder, the head as safetensors, and what else is needed as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.fitting.adapting.goal import Goal
from erlangen.fitting.adapting.text_model import Loaded, TextModel, in_chunks, load_text_model, trimmed
from erlangen.parameters.adapters import AdaptedModel
from erlangen.serialization import load_weights, read_json, save_weights, write_json

ABOUT, HEAD, ADAPTER, WHOLE = "text_model.json", "head.safetensors", "adapter", "model"


class TextPredictor:
    """A fine-tuned text model that takes texts.

    Attributes:
        model: encoder and head.
        goal: what it predicts.
    """

    def __init__(self, loaded: Loaded, model: TextModel, goal: Goal, longest: int) -> None:
        self.loaded, self.model, self.goal, self.longest = loaded, model.eval(), goal, longest

    def outputs(self, texts: Sequence[str]) -> Tensor:
        """What the head gives ``[N, out]``: logits of classes, or numbers in units of the training targets' spread.

        Raises:
            ArgumentError: no texts.
        """
        if isinstance(texts, str) or not len(texts):
            raise ArgumentError("texts", "a list of at least one text", repr(texts))
        return in_chunks(self.model, lambda *t: self.model(*trimmed(*t)), self.loaded.tokens(texts, self.longest))

    def predict(self, texts: Sequence[str]) -> list[str] | list[float]:
        """The most likely class of each text, or the number."""
        found = self.goal.predictions(self.outputs(texts)).tolist()
        return [self.goal.classes[i] for i in found] if self.goal.classes else found


def save_adapted(directory: Path, loaded: Loaded, model: TextModel, goal: Goal, longest: int) -> None:
    """Write a fine-tuned model; the frozen one stays where it is, unless all of it was trained."""
    whole = not isinstance(model.encoder, AdaptedModel)
    if whole:
        encoder: Any = model.encoder
        encoder.save_pretrained(str(directory / WHOLE))
        loaded.tokenizer.save_pretrained(str(directory / WHOLE))
    else:
        model.encoder.save_pretrained(directory / ADAPTER)  # type: ignore[operator]
    save_weights(model.head, directory / HEAD)
    base = None if whole else str(loaded.folder.resolve())
    write_json(directory / ABOUT, {"base": base, "goal": goal.as_dict(), "max_tokens": longest})


def load_adapted(directory: str | Path, model: str | Path | None = None) -> TextPredictor:
    """The model that :func:`adapt` wrote to a directory, ready to predict.

    Args:
        directory: of the run.
        model: the folder of the frozen model, where it is no longer at its place.

    Raises:
        ArgumentError: the directory does not hold one, or the frozen model is missing or another one.
    """
    path = Path(directory)
    if not (path / ABOUT).is_file():
        raise ArgumentError("directory", f"a directory with {ABOUT}", repr(str(directory)))
    about = read_json(path / ABOUT, "directory")
    loaded = load_text_model(model or (about["base"] if about["base"] else path / WHOLE))
    encoder: nn.Module = loaded.encoder
    if about["base"]:
        encoder = AdaptedModel.from_pretrained(encoder, path / ADAPTER)
    goal = Goal.from_dict(about["goal"])
    head = nn.Linear(loaded.width, goal.outputs)
    load_weights(head, path / HEAD)
    made = TextModel(encoder, head)
    made.requires_grad_(False)
    return TextPredictor(loaded, made, goal, about["max_tokens"])
