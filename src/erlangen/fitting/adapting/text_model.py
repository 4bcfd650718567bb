"""`TextModel`: a language model of transformers whose mean token vector a linear head reads; texts as its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.training.modes import evaluating

#: Texts that are looked at together where no gradient is needed.
CHUNK = 64


class Tokens(NamedTuple):
    """Texts as a model takes them.

    Attributes:
        ids: numbers of tokens ``[N, T]``, filled up at the end.
        mask: 1 where there is a token ``[N, T]``.
    """

    ids: Tensor
    mask: Tensor


class TextModel(nn.Module):
    """An encoder, the mean of its token vectors, and a linear head.

    Args:
        encoder: a model of transformers, with adapters or without.
        head: from the width of the encoder to the outputs.
    """

    def __init__(self, encoder: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def embed(self, ids: Int[Tensor, "N T"], mask: Int[Tensor, "N T"]) -> Float[Tensor, "N d"]:
        """The mean of the vectors of each text's tokens, in float32 or wider."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        wide = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
        kept = mask.unsqueeze(-1).to(wide.dtype)
        return (wide * kept).sum(1) / kept.sum(1).clamp(min=1)

    def forward(self, ids: Int[Tensor, "N T"], mask: Int[Tensor, "N T"]) -> Float[Tensor, "N out"]:
        found: Tensor = self.head(self.embed(ids, mask))
        return found


class Loaded(NamedTuple):
    """A model folder, read.

    Attributes:
        encoder: without a pooler, in evaluation mode, its dropout off.
        tokenizer: of transformers.
        folder: where it was.
    """

    encoder: nn.Module
    tokenizer: Any
    folder: Path

    @property
    def width(self) -> int:
        """Of the token vectors."""
        return int(self.encoder.config.hidden_size)  # type: ignore[union-attr, arg-type]

    def tokens(self, texts: Sequence[str], longest: int) -> Tokens:
        """Texts as tokens, cut at ``longest`` of them; all of one length, that of the longest."""
        places = getattr(self.encoder.config, "max_position_embeddings", None) or longest
        limit = min(
            longest, places, self.tokenizer.model_max_length
        )  # the tokenizer knows of places that a model keeps back (RoBERTa)
        made = self.tokenizer(list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt")
        ids, mask = made["input_ids"], made["attention_mask"]
        if not bool(mask.any(1).all()):  # an empty text, of a tokenizer that marks no beginning: one token of filling stands for it
            mask = mask.clone()
            mask[:, 0] = 1
        return Tokens(ids, mask)


def load_text_model(folder: str | Path) -> Loaded:
    """The model and the tokenizer in a folder that ``save_pretrained`` of transformers wrote. Nothing is downloaded or unpickled.

    Raises:
        MissingExtra: transformers is not installed.
        ArgumentError: no such folder, no model or tokenizer in it, or a model with a decoder of its own (T5).
    """
    path = Path(folder).expanduser()
    if not (path / "config.json").is_file():
        raise ArgumentError("model", "a folder with a model of transformers (config.json, model.safetensors)", repr(str(folder)))
    transformers = engine("language", "transformers")
    with _hushed(transformers):
        try:
            encoder = transformers.AutoModel.from_pretrained(str(path), local_files_only=True, use_safetensors=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(path), local_files_only=True)
        except Exception as problem:  # of transformers, safetensors, tokenizers: each has its own
            said = " ".join(str(problem).split())[:200]
            raise ArgumentError("model", "a folder with a model of transformers and its tokenizer", f"'{path}' ({said})") from None
    if getattr(encoder.config, "is_encoder_decoder", False) or not hasattr(encoder.config, "hidden_size"):
        raise ArgumentError("model", "a language model that is one stack of blocks", f"{type(encoder).__name__} in '{path}'")
    if isinstance(getattr(encoder, "pooler", None), nn.Module):
        encoder.pooler = None  # it reads the first token alone
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ArgumentError("model", "a tokenizer with a token to fill up with, or one for the end", f"neither in '{path}'")
    tokenizer.padding_side = "right"
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return Loaded(encoder.eval(), tokenizer, path)


def blocks_of(encoder: nn.Module) -> tuple[str, nn.ModuleList]:
    """The stack of blocks of an encoder and its name: the first list of as many modules as the config has layers.

    Raises:
        ArgumentError: there is none.
    """
    count = getattr(encoder.config, "num_hidden_layers", 0)
    for name, module in encoder.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return name, module
    raise ArgumentError("model", "a list of as many blocks as its config has layers", f"none in {type(encoder).__name__}")


def trimmed(ids: Tensor, mask: Tensor) -> Tokens:
    """A batch without the columns in which no text has a token."""
    width = int(mask.sum(1).max())
    return Tokens(ids[:, :width], mask[:, :width])


@torch.no_grad()
def in_chunks(model: nn.Module, apply: Any, tensors: Sequence[Tensor]) -> Tensor:
    """``apply(*batch)`` for all samples, those of a like length together, in the order of the samples.

    Args:
        model: is in evaluation mode meanwhile.
        tensors: ``ids``, ``mask`` and what else belongs to the samples.
    """
    order = tensors[1].sum(1).argsort(stable=True)
    with evaluating(model):
        found = torch.cat([apply(*(t[part] for t in tensors)) for part in order.split(CHUNK)])
    return found[order.argsort()]


@contextmanager
def _hushed(transformers: Any) -> Iterator[None]:
    """Without the bars and hints of transformers, which are not ours."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
