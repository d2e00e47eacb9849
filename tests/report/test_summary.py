from dataclasses import replace

import pytest

from masktune.bench import Cell, Difference, Line, Published, Status
from masktune.bench.digits import SHOWN
from masktune.evaluation import Comparison
from masktune.report import About, in_percent, summary_of, verdict_of
from masktune.runs import Row


def line(method, published=None, **means):
    cells = {column: Cell(mean, 0.01, (mean,)) for column, mean in means.items()}
    return Line(method, cells, 11, 93.0, "none", "last", published or {})


def row(seed):
    return Row(
        dataset="d",
        method="erm",
        seed=seed,
        split="conflicting",
        metric="accuracy",
        value=0.2,
        n=9,
        supervision="none",
    )


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
    assert verdict_of(lines, found, SHOWN) == (
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
    said = verdict_of(lines_of(line("masktune", conflicting=0.21)), strong(weak), SHOWN)
    assert said.startswith(
        "No evidence that MaskTune helps here: 21.0 % on conflicting, +1.0 points against erm"
    )


def test_harm_is_said():
    worse = difference("erm", -0.1, -0.12, -0.08, 1e-9)
    said = verdict_of(lines_of(line("masktune", conflicting=0.1)), strong(worse), SHOWN)
    assert said == (
        "MaskTune does harm here: 10.0 % on conflicting, -10.0 points against erm with seed 0, 95 % interval "
        "-12.0 to -8.0. What got worse than with ERM: conflicting from 20.0 to 10.0 %."
    )


def test_a_loss_with_one_seed_of_two_is_no_harm():
    lines = lines_of(line("masktune", conflicting=0.19))
    below = [difference("erm", -0.1, -0.12, -0.08, 1e-9), difference("erm", 0.01, -0.01, 0.03, 1.0, seed=1)]
    assert verdict_of(lines, below, SHOWN).startswith(
        "No evidence that MaskTune helps here: 19.0 % on conflicting, -10.0 points against erm with seed 0"
    )
    below[1] = difference("erm", -0.01, -0.03, 0.01, 1.0, seed=1)
    assert verdict_of(lines, below, SHOWN).startswith("MaskTune does harm here: 19.0 % on conflicting, -10.0")


def test_harm_against_one_control_is_not_hidden_by_a_wide_interval_of_another():
    lines = lines_of(line("masktune", conflicting=0.15))
    found = [
        *(difference("erm", -0.1, -0.4, 0.2, 0.5, seed=seed) for seed in (0, 1)),
        *(difference("random_mask", -0.05, -0.07, -0.03, 1e-6, seed=seed) for seed in (0, 1)),
    ]
    said = verdict_of(lines, found, SHOWN)
    assert said.startswith("MaskTune does harm here: 15.0 % on conflicting, -5.0 points against random_mask")


def test_competitors_beside_the_arms_do_not_change_what_is_said():
    # The smallest p that 2,000 draws can give, three seeds: 12 comparisons leave it below 0.05, 51 would not.
    arms = [difference(name, 0.7, 0.6, 0.8, 2 / 2001, seed=seed) for name in OTHERS for seed in (0, 1, 2)]
    others = [difference(f"other {at}", -0.2, -0.3, -0.1, 2 / 2001, seed=at) for at in range(39)]
    lines = lines_of(line("masktune", conflicting=0.9))
    said = verdict_of(lines, [*arms, *others], SHOWN)
    assert said == verdict_of(lines, arms, SHOWN)
    assert said.startswith("MaskTune helps here")


def test_a_gain_counts_only_against_all_controls():
    lines = [
        line("erm", conflicting=0.2),
        line("random_mask", conflicting=0.2),
        line("masktune", conflicting=0.9),
    ]
    said = verdict_of(lines, strong()[:1], SHOWN)
    assert said == (
        "No verdict: a gain counts only against all controls, and continue_erm and least_salient_mask "
        "were not run."
    )


def test_the_summary_holds_command_table_published_number_and_differences():
    published = {"conflicting": Published("erm", "conflicting", 0.1859, "the paper")}
    lines = [line("erm", published, conflicting=0.2), line("masktune", conflicting=0.9)]
    about = About(
        title="biased-mnist (sorted)",
        command="masktune reproduce biased-mnist",
        sha256="0123456789abcdef",
        images={"train": 48000, "raw": 10000},
        pictures=True,
    )
    text = summary_of(
        about,
        [row(seed) for seed in (0, 1)],
        lines,
        [difference("erm", 0.7, 0.6, 0.8, 1e-9), difference("random_mask", 0.7, 0.6, 0.8, 0.0)],
        replace(
            SHOWN,
            notes=("of the digits few are left",),
            status=Status("stand-in only", "masktune reproduce x", seen="worst group 20 to 30"),
        ),
    )
    assert "`masktune reproduce biased-mnist`" in text
    assert "Images: train 48000, raw 10000; sha256 of the data 0123456789ab." in text
    assert "Of the digits few are left." in text
    assert "p is the probability of the true class" in text
    assert "mean ± standard deviation over 2 seeds" in text
    assert "| erm | 20.00 ± 1.00 | 11 | 93 | none | last |" in text
    assert "Published for erm on conflicting: 18.59 (the paper)." in text
    assert "Status of this recipe: stand-in only; `masktune reproduce x`; worst group 20 to 30." in text
    assert "| erm | 0 | +70.00 | +60.0 to +80.0 | 80 | 2 | 1e-09 |" in text
    assert (
        "| random_mask | 0 | +70.00 | +60.0 to +80.0 | 80 | 2 | < 1e-300 |" in text
    )  # Below float64's least.


def test_per_cent():
    assert in_percent(Cell(0.98765, 0.0123, (0.9,))) == "98.77 ± 1.23"
    assert in_percent(Cell(0.98765, None, (0.9,)), digits=1) == "98.8"
    assert in_percent(None) == "–"
