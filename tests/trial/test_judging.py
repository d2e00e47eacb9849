from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from masktune.evaluation import bootstrap_interval, mcnemar, sign_flip
from masktune.evaluation.resampling import subject_sums
from masktune.seeds import seed_of
from masktune.trial import judging
from masktune.trial.judging import REPEATS, judged
from masktune.trial.scores import SCORES, Score

ALONE = np.arange


def score_of(values, cells=None, *, name="worst_class", equal_shares=False):
    """A score of these arms' values; all images in one cell unless told otherwise."""
    values = {arm: np.asarray(of, dtype=np.float64) for arm, of in values.items()}
    n = len(values["masktune"])
    cells = np.zeros(n, dtype=np.int64) if cells is None else np.asarray(cells)
    names = tuple(f"cell {at}" for at in range(cells.max() + 1))
    return Score(name, cells, names, values, equal_shares)


def one(values, cells=None, units=None, seed=0):
    """The one score, judged."""
    score = score_of(values, cells)
    return judged([score], ALONE(len(score.cells)) if units is None else np.asarray(units), seed)[0]


def mixed(random, values, share):
    """The values, a share of them drawn anew."""
    return np.where(random.random(len(values)) < share, random.random(len(values)), values)


def random_score(seed, n, *, cells=3, whole=True):
    """Values of three arms, alike for most images, in some cells and in none (-1)."""
    random = np.random.default_rng(seed)
    hard = random.random(n)
    made = [mixed(random, hard, 0.3) for _ in range(3)]
    values = [(of < chance) if whole else of for of, chance in zip(made, (0.5, 0.6, 0.8), strict=True)]
    arms = ("untouched", "continue_erm", "masktune")
    return score_of(dict(zip(arms, values, strict=True)), random.integers(-1, cells, size=n))


def traded(random, n):
    """Two arms as good in their worst class, which is the first one's first and the other's second."""
    classes = np.arange(n) % 2
    values = {
        arm: random.random(n) < np.where(classes == hard, 0.7, 0.9)
        for arm, hard in (("untouched", 0), ("masktune", 1))
    }
    return values, classes


def worst(values, cells, images):
    """The lowest mean of a cell; None without an image of any."""
    means = []
    for cell in sorted({int(cells[at]) for at in images} - {-1}):
        own = [float(values[at]) for at in images if cells[at] == cell]
        means.append(sum(own) / len(own))
    return min(means, default=None)


def chunks(count):
    """The sizes of the chunks in which the draws of so many units are made."""
    size = max(1, judging._AT_ONCE // count)
    return [min(size, REPEATS - start) for start in range(0, REPEATS, size)]


def drawn_by_hand(score, units, seed):
    """Draw by draw and image by image: each arm's score, where a draw has one."""
    count = int(units.max()) + 1
    members = [np.flatnonzero(units == unit).tolist() for unit in range(count)]
    random = np.random.default_rng(seed_of("drawn again", seed))
    rows = []
    for number in chunks(count):
        chosen = random.integers(count, size=(count, number))
        for draw in range(number):
            images = [at for unit in chosen[:, draw].tolist() for at in members[unit]]
            row = [worst(values, score.cells, images) for values in score.values.values()]
            if None not in row:
                rows.append(row)
    return np.array(rows)


def flipped_by_hand(score, units, seed, over):
    """Draw by draw: MaskTune's score less the other's, with the two on other sides in some units."""
    count = int(units.max()) + 1
    random = np.random.default_rng(seed_of("flipped", seed))
    ours, other, everything = score.values["masktune"], score.values[over], range(len(units))
    found = []
    for number in chunks(count):
        bits = random.integers(2, size=(count, number), dtype=np.int8)
        for draw in range(number):
            flip = bits[units, draw] == 0
            first, second = np.where(flip, other, ours), np.where(flip, ours, other)
            found.append(worst(first, score.cells, everything) - worst(second, score.cells, everything))
    return np.array(found)


SCORES_BY_HAND = {
    "right": random_score(1, 30),
    "probabilities": random_score(1, 30, whole=False),
    # The p-value of the draws is 0.052 and counts, that of the flips 0.026; elsewhere the latter is larger.
    "traded": score_of(*traded(np.random.default_rng(9), 30)),
}


@pytest.mark.parametrize("at_once", [1_000_000, 30 * 700])
@pytest.mark.parametrize(
    ("made", "a_subject"), [("right", 1), ("right", 2), ("probabilities", 1), ("traded", 1)]
)
def test_all_numbers_are_those_of_a_loop_over_draws(monkeypatch, at_once, made, a_subject):
    monkeypatch.setattr(judging, "_AT_ONCE", at_once)
    score, units = SCORES_BY_HAND[made], np.arange(30) // a_subject
    found = judged([score], units, seed=5)[0]
    drawn = drawn_by_hand(score, units, seed=5)
    arms = list(score.values)
    everything = range(30)
    for at, (arm, values) in enumerate(score.values.items()):
        made = found.arms[arm]
        assert made.value == pytest.approx(worst(values, score.cells, everything))
        assert (made.low, made.high) == pytest.approx(tuple(np.quantile(drawn[:, at], (0.025, 0.975))))
    for gain in found.gains:
        differences = drawn[:, arms.index("masktune")] - drawn[:, arms.index(gain.over)]
        assert gain.value == pytest.approx(found.arms["masktune"].value - found.arms[gain.over].value)
        assert (gain.low, gain.high) == pytest.approx(tuple(np.quantile(differences, (0.025, 0.975))))
        differences = differences.round(9)
        tail = min(sum(differences <= 0), sum(differences >= 0))
        flipped = flipped_by_hand(score, units, 5, gain.over)
        as_large = sum(np.abs(flipped).round(9) >= round(abs(gain.value), 9))
        assert gain.p_value == pytest.approx(min(1, max(2 * (tail + 1), as_large + 1) / (REPEATS + 1)))
    assert [gain.over for gain in found.gains] == arms[:-1]
    counts = np.bincount(score.cells[score.cells >= 0])
    assert (found.n, found.least) == (counts.sum(), counts.min())


def test_the_interval_of_a_plain_mean_is_that_of_the_evaluation():
    values = np.random.default_rng(0).random(200) < 0.3
    found = one({"untouched": np.zeros(200), "masktune": values})
    low, high = bootstrap_interval(values.astype(float))
    # A standard error is 0.032; an end moves by a tenth of it, and steps are 0.005.
    for made in (found.arms["masktune"], found.gains[0]):
        assert (made.low, made.high) == pytest.approx((low, high), abs=0.012)


def test_four_images_a_subject_make_the_interval_twice_as_wide():
    ratios = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        right = {arm: np.repeat(random.random(100) < 0.6, 4) for arm in ("untouched", "masktune")}
        cells = np.repeat(np.arange(100) % 2, 4)
        of_subjects = one(right, cells, np.arange(400) // 4, seed).gains[0]
        alone = one(right, cells, seed=seed).gains[0]
        assert of_subjects.value == alone.value
        ratios.append((of_subjects.high - of_subjects.low) / (alone.high - alone.low))
    assert np.mean(ratios) == pytest.approx(2, rel=0.1)


def lent(seed, positives=40, each=10):
    """Two arms alike: an answer to a negative hangs on which positive lent its place, and on nothing else."""
    random = np.random.default_rng(seed)
    donors = np.tile(np.arange(positives), each)
    values = {arm: (random.random(positives) < 0.6)[donors] for arm in ("untouched", "masktune")}
    return replace(score_of(values, name="swapped"), units=donors)


def test_donors_that_are_used_ten_times_widen_the_intervals_as_ten_images_of_a_subject_do():
    ratios = []
    for seed in range(12):
        score = lent(seed)
        by_donor, alone = (judged([of], ALONE(400))[0].gains[0] for of in (score, replace(score, units=None)))
        assert by_donor.value == alone.value
        ratios.append((by_donor.high - by_donor.low) / (alone.high - alone.low))
    assert np.mean(ratios) == pytest.approx(np.sqrt(10), rel=0.1)


def test_without_an_effect_shared_donors_make_few_p_values_small():
    scores = [lent(seed) for seed in range(200)]
    by_donor, alone = (
        sum(judged([of], ALONE(400), seed)[0].p_value < 0.05 for seed, of in enumerate(found))
        for found in (scores, [replace(of, units=None) for of in scores])
    )
    assert by_donor <= 10 + 3 * np.sqrt(200 * 0.05 * 0.95)
    assert alone > 60  # What the images by themselves would call sure.


def test_subjects_make_a_difference_less_sure():
    # Twelve images gained and none lost, of three subjects or of twelve: 2 / 2**3 and 2 / 2**12.
    right = {"untouched": np.repeat([0, 1], 12), "masktune": np.ones(24)}
    assert one(right, units=np.arange(24) // 4).gains[0].p_value == pytest.approx(0.25, abs=0.04)
    assert one(right).gains[0].p_value < 0.004


def test_a_class_that_is_missing_in_a_draw_is_left_out_of_it():
    # The one image of cell 1 is missing in a third of the draws, and all arms are wrong there.
    cells, right = [0] * 19 + [1], np.array([1] * 19 + [0])
    found = one({"untouched": right, "masktune": right}, cells)
    assert (found.arms["masktune"].value, found.arms["masktune"].cell) == (0, "cell 1")
    assert (found.arms["masktune"].low, found.arms["masktune"].high) == (0, 1)
    gain = found.gains[0]
    # Of one unit that does not differ Wilson's upper end is 0.79.
    assert (gain.value, gain.low, gain.high) == (0, pytest.approx(-0.7935, abs=1e-4), -gain.low)
    assert gain.p_value == 1
    assert found.least == 1


@pytest.mark.filterwarnings("error")
def test_a_draw_without_any_image_that_counts_is_left_out_and_no_sign_of_a_gain():
    # One image counts, and it is in 63 % of the draws only.
    cells = [-1] * 19 + [0]
    found = one({"untouched": np.zeros(20), "masktune": np.ones(20)}, cells)
    # All draws give 1, so that the interval is Wilson's for one of one.
    assert (found.arms["masktune"].low, found.arms["masktune"].high) == (pytest.approx(0.2065, abs=1e-4), 1)
    assert (found.gains[0].low, found.gains[0].high) == (pytest.approx(0.2065, abs=1e-4), 1)
    assert (found.n, found.gains[0].p_value) == (1, pytest.approx(1, abs=0.3))


def test_worst_cells_are_named_and_may_differ():
    values = {"untouched": [1, 1, 0, 0], "masktune": [1, 0, 1, 1]}
    found = one(values, [0, 0, 1, 1])
    assert (found.arms["untouched"].value, found.arms["untouched"].cell) == (0, "cell 1")
    assert (found.arms["masktune"].value, found.arms["masktune"].cell) == (0.5, "cell 0")
    assert found.gains[0].value == 0.5


def test_of_one_cell_the_p_value_is_mcnemars():
    random = np.random.default_rng(3)
    for n, more in ((12, 0.6), (40, 0.2), (300, 0.05)):
        first = random.random(n) < 0.3
        second = first ^ (random.random(n) < more)
        found = one({"untouched": first, "masktune": second}).gains[0].p_value
        exact = mcnemar(first, second)
        assert found == pytest.approx(exact, abs=4 * np.sqrt(exact / REPEATS) + 0.001)


def test_of_one_cell_and_subjects_the_p_value_is_that_of_the_sign_flips():
    random = np.random.default_rng(0)
    units = np.arange(60) // 3
    first, second = random.random(60) < 0.5, random.random(60) < 0.7
    change = second.astype(float) - first
    exact = sign_flip(subject_sums(change, units.astype(str)).astype(np.int64))
    found = one({"untouched": first, "masktune": second}, units=units).gains[0].p_value
    assert 0.01 < exact < 0.5
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact / REPEATS))


def alike(random, n):
    """Two arms that are right in 70 % of the cases, alike for half of the images."""
    hard = random.random(n)
    return {arm: mixed(random, hard, 0.5) < 0.7 for arm in ("untouched", "masktune")}, np.arange(n) % 2


def probabilities(random, n):
    """Numbers between 0 and 1 in one cell, as those of the hardest tenth; with 6 the draws alone call one in
    six differences sure."""
    hard = random.random(n)
    return {arm: mixed(random, hard, 0.5) for arm in ("untouched", "masktune")}, np.zeros(n, dtype=np.int64)


@pytest.mark.parametrize(
    ("made", "n"),
    [(alike, 8), (alike, 16), (alike, 60), (traded, 200), (probabilities, 6), (probabilities, 12)],
)
def test_without_an_effect_few_p_values_are_small(made, n):
    cases = 200
    found = []
    for seed in range(cases):
        values, cells = made(np.random.default_rng(seed), n)
        found.append(one(values, cells, seed=seed).gains[0].p_value)
    for level in (0.05, 0.2):
        allowed = cases * level + 3 * np.sqrt(cases * level * (1 - level))
        assert sum(value < level for value in found) <= allowed


def test_five_of_five_gained_are_not_sure():
    # 2 / 2**5; all draws of these five have a gain.
    right = {"untouched": np.zeros(5), "masktune": np.ones(5)}
    assert one(right).gains[0].p_value == pytest.approx(2 / 32, abs=0.025)


def test_a_clear_gain_is_found():
    found = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        hard = random.random(200)
        values = {"untouched": hard < 0.6, "masktune": hard < 0.8}
        found.append(one(values, np.arange(200) % 2, seed=seed).gains[0])
    assert max(gain.p_value for gain in found) < 0.05
    assert np.mean([gain.value for gain in found]) == pytest.approx(0.2, abs=0.03)
    assert min(gain.low for gain in found) > 0


def test_p_values_are_corrected_for_the_six_scores_but_not_those_at_equal_shares():
    random = np.random.default_rng(0)
    lost = [0, 1, 2, 3, 4, 9]
    scores = []
    for name, number in zip(SCORES, lost, strict=True):
        right = random.permutation([1] * 10 + [0] * 10)
        better = right.copy()
        better[np.flatnonzero(right == 0)] = 1
        better[np.flatnonzero(right == 1)[:number]] = 0
        scores.append(score_of({"untouched": right, "masktune": better}, name=name))
    scores.append(score_of(scores[3].values, name="worst_class", equal_shares=True))
    found = judged(scores, ALONE(20))
    raw = [of.p_value for of in found]
    # McNemar: 10 gained, so many lost; none of them equal.
    exact = [min(1, 2 * binom.cdf(number, number + 10, 0.5)) for number in lost]
    assert raw[:6] == pytest.approx(exact, abs=0.04)
    assert raw[:6] == sorted(raw[:6])
    by_hand = []
    for rank, value in enumerate(raw[:6]):
        by_hand.append(min(1, max([value * (6 - rank), *by_hand])))
    assert [of.corrected for of in found[:6]] == pytest.approx(by_hand)
    assert found[6].corrected == raw[6]


def test_the_best_control_is_the_one_over_which_the_gain_is_smallest():
    right = np.arange(40)
    found = one(
        {
            "untouched": right < 30,
            "continue_erm": right < 10,
            "random_mask": right < 24,
            "masktune": right < 28,
        }
    )
    assert (found.over_control.over, found.over_control.value) == ("random_mask", pytest.approx(0.1))
    assert (found.over_best.over, found.over_best.value) == ("untouched", pytest.approx(-0.05))
    assert found.over_untouched == found.over_best
    assert [gain.over for gain in found.controls] == ["continue_erm", "random_mask"]
    assert found.lowest == min(gain.low for gain in found.gains)
    # Over random_mask 4 gained of 4: 2 / 2**4. Over untouched 2 lost of 2: 2 / 2**2, and that is the largest.
    assert found.over_control.p_value == pytest.approx(1 / 8, abs=0.03)
    assert found.p_value == found.over_untouched.p_value == pytest.approx(1 / 2, abs=0.03)


def test_without_controls_the_untouched_classifier_is_one():
    found = one({"untouched": [0, 1, 1], "masktune": [1, 1, 1]})
    assert found.controls == found.gains
    assert found.over_control.over == "untouched"


def test_the_same_seed_gives_the_same_numbers_and_another_one_others():
    values = random_score(0, 40, whole=False).values
    assert one(values, seed=1) == one(values, seed=1)
    assert one(values, seed=1).gains != one(values, seed=2).gains
