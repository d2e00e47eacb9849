import pytest

from masktune.bench import Cell, Difference, Line, Published
from masktune.evaluation import Comparison
from masktune.report import in_percent, summary_of, verdict_of


def line(method, published=None, **means):
    cells = {column: Cell(mean, 0.01, (mean,)) for column, mean in means.items()}
    return Line(method, cells, 11, 93.0, "none", "last", published or {})


def difference(method, value, low, high, p, seed=0):
    return Difference(method, seed, Comparison(value, low, high, p, 100, 80, 2), p)


OTHERS = ("erm", "continue_erm", "random_mask", "least_salient_mask")


def lines_of(masktune, erm=0.2, **erms):
    controls = [line(name, conflicting=0.2) for name in OTHERS[1:]]
    return [line("erm", conflicting=erm, **erms), *controls, masktune]


def strong(*but):
    """A clear gain against each method but those given."""
    given = {difference.method: difference for difference in but}
    return [given.get(name, difference(name, 0.7, 0.6, 0.8, 1e-9)) for name in OTHERS]


def test_helps_when_every_interval_is_above_zero_and_every_p_is_small():
    lines = lines_of(line("masktune", conflicting=0.9, aligned=0.9), aligned=0.99)
    found = strong(difference("random_mask", 0.65, 0.5, 0.7, 1e-8, seed=1))
    assert verdict_of(lines, found, "conflicting") == (
        "MaskTune helps here: 90.0 % on conflicting, more than erm, continue_erm, random_mask and "
        "least_salient_mask with every seed (least: +65.0 points against random_mask with seed 1, 95 % "
        "interval +50.0 to +70.0; all p < 0.05 after Holm's correction). "
        "What got worse than with ERM: aligned from 99.0 to 90.0 %."
    )


@pytest.mark.parametrize(
    "weak",
    [difference("erm", 0.01, -0.01, 0.03, 0.3), difference("erm", 0.01, 0.001, 0.03, 0.06)],
)
def test_no_evidence_when_one_interval_holds_zero_or_one_p_is_large(weak):
    said = verdict_of(lines_of(line("masktune", conflicting=0.21)), strong(weak), "conflicting")
    assert said.startswith(
        "No evidence that MaskTune helps here: 21.0 % on conflicting, +1.0 points against erm"
    )


def test_harm_is_said():
    worse = difference("erm", -0.1, -0.12, -0.08, 1e-9)
    said = verdict_of(lines_of(line("masktune", conflicting=0.1)), strong(worse), "conflicting")
    assert said == (
        "MaskTune does harm here: 10.0 % on conflicting, -10.0 points against erm with seed 0, 95 % interval "
        "-12.0 to -8.0. What got worse than with ERM: conflicting from 20.0 to 10.0 %."
    )


def test_a_gain_counts_only_against_all_controls():
    lines = [
        line("erm", conflicting=0.2),
        line("random_mask", conflicting=0.2),
        line("masktune", conflicting=0.9),
    ]
    said = verdict_of(lines, strong()[:1], "conflicting")
    assert said == (
        "No verdict: a gain counts only against all controls, and continue_erm and least_salient_mask "
        "were not run."
    )


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
    assert (
        "| random_mask | 0 | +70.00 | +60.0 to +80.0 | 80 | 2 | < 1e-300 |" in text
    )  # Below float64's least.


def test_per_cent():
    assert in_percent(Cell(0.98765, 0.0123, (0.9,))) == "98.77 ± 1.23"
    assert in_percent(Cell(0.98765, None, (0.9,)), digits=1) == "98.8"
    assert in_percent(None) == "–"
