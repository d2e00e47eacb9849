import pytest

from masktune.bench import Cell, Difference, Line, Published
from masktune.evaluation import Comparison
from masktune.report import in_percent, summary_of, verdict_of


def line(method, published=None, **means):
    cells = {column: Cell(mean, 0.01, (mean,)) for column, mean in means.items()}
    return Line(method, cells, 11, 93.0, "none", "last", published or {})


def difference(method, value, low, high, p, seed=0):
    return Difference(method, seed, Comparison(value, low, high, p, 100, 80, 2), p)


def test_helps_when_every_interval_is_above_zero_and_every_p_is_small():
    lines = [line("erm", conflicting=0.2, aligned=0.99), line("masktune", conflicting=0.9, aligned=0.9)]
    found = [difference("erm", 0.7, 0.6, 0.8, 1e-9), difference("random_mask", 0.65, 0.5, 0.7, 1e-8, seed=1)]
    assert verdict_of(lines, found, "conflicting") == (
        "MaskTune helps here: 90.0 % on conflicting, more than erm and random_mask with every seed (smallest "
        "gain 65.0 points against random_mask with seed 1, 95 % interval +50.0 to +70.0; all p < 0.05 after "
        "Holm's correction). What got worse than with ERM: aligned from 99.0 to 90.0 %."
    )


@pytest.mark.parametrize(
    "found",
    [difference("erm", 0.01, -0.01, 0.03, 0.3), difference("erm", 0.01, 0.001, 0.03, 0.06)],
)
def test_no_evidence_when_one_interval_holds_zero_or_one_p_is_large(found):
    lines = [line("erm", conflicting=0.2), line("masktune", conflicting=0.21)]
    strong = difference("random_mask", 0.5, 0.4, 0.6, 1e-9)
    said = verdict_of(lines, [strong, found], "conflicting")
    assert said.startswith(
        "No evidence that MaskTune helps here: 21.0 % on conflicting, 1.0 points against erm"
    )


def test_nothing_is_said_without_another_method():
    said = verdict_of([line("masktune", conflicting=0.9)], [], "conflicting")
    assert "nothing is said about whether it helps" in said


def test_the_summary_holds_command_table_published_number_and_differences():
    published = {"conflicting": Published("erm", "conflicting", 0.1859, "the paper")}
    lines = [line("erm", published, conflicting=0.2), line("masktune", conflicting=0.9)]
    text = summary_of(
        "biased-mnist (sorted)",
        "masktune reproduce biased-mnist",
        lines,
        [difference("erm", 0.7, 0.6, 0.8, 1e-9), difference("random_mask", 0.7, 0.6, 0.8, 0.0)],
        "conflicting",
        [0, 1],
    )
    assert "`masktune reproduce biased-mnist`" in text
    assert "mean ± standard deviation over 2 seeds" in text
    assert "| erm | 20.00 ± 1.00 | 11 | 93 | none | last |" in text
    assert "Published for erm on conflicting: 18.59 (the paper)." in text
    assert "| erm | 0 | +70.00 | +60.0 to +80.0 | 80 | 2 | 1e-09 |" in text
    assert "| random_mask | 0 | +70.00 | +60.0 to +80.0 | 80 | 2 | < 1e-300 |" in text  # Below float64's least.


def test_per_cent():
    assert in_percent(Cell(0.98765, 0.0123, (0.9,))) == "98.77 ± 1.23"
    assert in_percent(Cell(0.98765, None, (0.9,)), digits=1) == "98.8"
    assert in_percent(None) == "–"
