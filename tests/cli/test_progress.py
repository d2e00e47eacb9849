import io

import pytest
from rich.console import Console

from masktune.cli import progress
from masktune.types import Step


def test_piped_output_is_plain_lines_when_a_piece_of_work_ends(capsys):
    with progress.shown_progress(quiet=False) as show:
        for done in (50, 100):
            show(Step("training, epoch 1 of 2", done, 100, "loss 0.5"))
        show(Step("training, epoch 2 of 2", 100, 100))
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("training, epoch 1 of 2: 100 images in ")
    assert first.endswith(" s, loss 0.5")
    assert second.startswith("training, epoch 2 of 2: 100 images in ")


def test_a_long_piece_says_how_long_is_left(capsys, monkeypatch):
    clock = iter([0.0, 20.0, 40.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.shown_progress(quiet=False) as show:
        for done in (0, 25, 50):
            show(Step("training", done, 100))
    # 25 images took 20 s, so 75 take 60 s; 50 took 40 s, so 50 take 40 s.
    assert capsys.readouterr().err.splitlines() == [
        "training: 25 of 100 images, 60 s left",
        "training: 50 of 100 images, 40 s left",
    ]


def test_what_an_earlier_run_did_is_not_counted_as_this_ones_speed(capsys, monkeypatch):
    clock = iter([0.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.shown_progress(quiet=False) as show:
        show(Step("looking", 512, 600))
        show(Step("looking", 522, 600))
    # 10 images took 20 s, so 78 take 156 s.
    assert capsys.readouterr().err.splitlines() == ["looking: 522 of 600 images, 156 s left"]


def test_nothing_done_yet_says_nothing_of_what_is_left(capsys, monkeypatch):
    clock = iter([0.0, 16.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.shown_progress(quiet=False) as show:
        for _ in range(2):
            show(Step("jobs on Ray", 0, 4, unit="jobs"))
    assert capsys.readouterr().err.splitlines() == ["jobs on Ray: 0 of 4 jobs"]


def test_what_has_ended_is_a_line_and_quick_pieces_are_none(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 30.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.shown_progress(quiet=False, least=10.0) as show:
        show(Step("quick", 0, 4))
        show(Step("quick", 4, 4))
        show(Step("bench", 1, 9, unit="jobs", ended="1 of 9: erm is done"))
        show(Step("slow", 0, 4))
        show(Step("slow", 4, 4))
    assert capsys.readouterr().err.splitlines() == ["1 of 9: erm is done", "slow: 4 images in 28.0 s"]


@pytest.mark.parametrize("steps", [1, 3])
def test_quiet_shows_nothing(capsys, steps):
    with progress.shown_progress(quiet=True) as show:
        for done in range(steps):
            show(Step("training", done, steps))
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal_a_bar_says_what_is_going_on(monkeypatch):
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=140)
    monkeypatch.setattr(progress, "Console", lambda stderr: console)
    with progress._Bar() as bar:
        bar.show(Step("training, epoch 1 of 2", 50, 100, "loss 0.5"))
        bar.bars.refresh()
        bar.show(Step("training, epoch 2 of 2", 0, 200))
        bar.bars.refresh()
    shown = terminal.getvalue()
    assert "training, epoch 1 of 2" in shown
    assert "50 of 100 images" in shown
    assert "loss 0.5" in shown
    assert "0 of 200 images" in shown
