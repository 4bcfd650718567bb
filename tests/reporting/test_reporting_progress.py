"""Progress, in a log and on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from erlangen.reporting import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_ten_seconds(capsys, clock):
    with progress(100, "training") as bar:
        for _step in range(100):
            clock[0] += 0.5
            bar.advance(1, loss=0.25)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 5  # 50 seconds
    assert lines[0] == "training: 20/100, 10 s, 40 s left  loss 0.25"
    assert bar.done == 100


def test_a_short_job_and_a_quiet_one_print_nothing(capsys, clock):
    with progress(5, "short") as bar:
        bar.advance(5)
    with progress(5, "quiet", quiet=True) as bar:
        clock[0] += 100
        bar.advance(5, loss=1.0)
    assert bar.done == 5
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_on_standard_error(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")

    def interrupted():
        with progress(4, "[fit]") as bar:
            bar.advance(2, loss=0.25)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    shown = terminal.getvalue()
    assert "[fit]" in shown
    assert "2/4" in shown
    assert "loss 0.25" in shown
    assert shown.count("\x1b[?25h") == 1  # the cursor is back
    assert capsys.readouterr().out == ""


def test_bars_nest_and_an_unknown_total_counts_up(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress(2, "seeds") as outer, progress(None, "steps") as inner:
        inner.advance(7)
        outer.advance()
    assert "7" in terminal.getvalue()
