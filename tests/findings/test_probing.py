import time
from collections import Counter

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from masktune.errors import InputError
from masktune.evaluation import Rate, difference, wilson
from masktune.findings import (
    mt005_border,
    mt006_corners,
    mt007_tiny,
    mt012_diversity,
    mt013_duplicates,
    mt014_collapse,
    mt015_other_task,
    mt016_crop,
    mt017_at_risk,
)
from masktune.findings.probing import (
    FOLDS,
    Probe,
    cells,
    contrasts,
    deal,
    discriminate,
    draw_by_class,
    followed,
    probe,
    rate,
    rates_within,
)

from .observations import Clean, marked, observed, swapped


def clouds(n, classes=3, features=6, apart=1.0, seed=0):
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n) % classes)
    centres = random.normal(size=(classes, features)) * apart
    return random.normal(size=(n, features)) + centres[labels], labels


def voted(labels, votes):
    return Probe(np.array(labels), np.arange(len(labels)), np.array(votes))


def test_the_discriminant_equals_scikit_learns():
    known, labels = clouds(60, features=20)
    asked, _ = clouds(200, features=20, seed=1)
    scaled = (known - known.mean(0)) / known.std(0)
    within = sum(np.cov(scaled[labels == c].T, bias=True) for c in range(3)) / 3
    wanted = within / 2 + np.trace(within) / 20 / 2 * np.eye(20)

    class Same(BaseEstimator):
        """The covariance of every class is the shrunken one of all."""

        def fit(self, values):
            self.covariance_ = wanted
            return self

    theirs = LinearDiscriminantAnalysis("lsqr", covariance_estimator=Same(), priors=[1 / 3] * 3)
    votes = theirs.fit(scaled, labels).predict((asked - known.mean(0)) / known.std(0))
    assert (discriminate(known, labels, asked) == votes).all()
    unshrunken = LinearDiscriminantAnalysis("lsqr", priors=[1 / 3] * 3).fit(scaled, labels)
    assert (unshrunken.predict((asked - known.mean(0)) / known.std(0)) != votes).any()


def test_two_clouds_by_hand():
    # Centres 0 and 10, equal spread: the border lies half way.
    known = np.array([[-1.0], [1.0], [9.0], [11.0]])
    votes = discriminate(known, np.array([4, 4, 7, 7]), np.array([[4.9], [5.1], [-100.0]]))
    assert votes.tolist() == [4, 7, 4]


def test_each_class_has_the_same_say():
    # 90 of 100 images lie left; the border still lies half way.
    known = np.concatenate([np.tile([-1.0, 1.0], 45), np.tile([9.0, 11.0], 5)])[:, None]
    votes = discriminate(known, np.repeat([0, 1], [90, 10]), np.array([[4.9], [5.1]]))
    assert votes.tolist() == [0, 1]


def test_features_that_never_vary_tell_nothing():
    votes = discriminate(np.ones((6, 3)), np.array([0, 0, 0, 1, 1, 1]), np.zeros((2, 3)))
    assert votes.tolist() == [0, 0]


def test_a_separable_class_is_told_and_noise_is_not():
    features, labels = clouds(400, classes=2, apart=4.0)
    found = probe(features, labels, np.arange(400))
    assert found.accuracy.value > 0.97
    assert found.accuracy.value == pytest.approx(balanced_accuracy_score(labels, found.votes))
    blind = probe(np.random.default_rng(1).normal(size=(400, 200)), labels, np.arange(400))
    assert blind.accuracy.low < 0.5 < blind.accuracy.high


def test_chance_lies_in_the_interval_about_95_times_in_100():
    _, labels = clouds(200, classes=2)
    inside = 0
    for seed in range(100):
        features = np.random.default_rng(seed).normal(size=(200, 30))
        found = probe(features, labels, np.arange(200), seed=seed).accuracy
        inside += found.low <= 0.5 <= found.high
    assert inside >= 88  # Folds share their training images, which costs a little.


def test_what_is_told_is_not_learned_from_the_same_subject():
    # Each subject has a number of its own, and ten images; no number goes with the class across subjects.
    random = np.random.default_rng(0)
    subjects = np.repeat(np.arange(40), 10)
    labels = subjects % 2
    features = random.normal(size=(40, 60))[subjects] + 0.01 * random.normal(size=(400, 60))
    assert probe(features, labels, np.arange(400)).accuracy.value > 0.95
    honest = probe(features, labels, subjects).accuracy
    assert honest.low < 0.5 < honest.high


def test_folds_keep_units_whole_and_classes_even():
    random = np.random.default_rng(0)
    units = np.repeat(np.arange(50), 3)
    labels = (units % 5 == 0).astype(np.int64)  # 10 units of class 1.
    folds = deal(units, labels, random)
    assert all(len(set(folds[units == unit])) == 1 for unit in range(50))
    assert [len(set(units[(folds == fold) & (labels == 1)])) for fold in range(FOLDS)] == [2] * 5
    assert [len(set(units[folds == fold])) for fold in range(FOLDS)] == [10] * 5


def test_a_draw_takes_rare_classes_whole():
    labels = np.repeat([0, 1, 2], [1000, 30, 500])
    rows = draw_by_class(labels, 130, np.random.default_rng(0))
    assert np.bincount(labels[rows]).tolist() == [50, 30, 50]
    assert (np.diff(rows) > 0).all()
    assert len(draw_by_class(labels, 5000, np.random.default_rng(0))) == 1530


def test_the_same_seed_gives_the_same_votes():
    features, labels = clouds(120)
    one, other = (probe(features, labels, np.arange(120), seed=3).votes for _ in range(2))
    assert (one == other).all()
    assert (probe(features, labels, np.arange(120), seed=4).votes != one).any()


def test_gain_by_hand():
    found = voted([0, 0, 0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1, 0, 2])
    # Class 0: 3 of 4 are told, 1 of the 4 others gets its vote. Class 1: all, and 1 of 6.
    assert found.gain(0).value == pytest.approx(3 / 4 - 1 / 4)
    assert found.gain(1).value == pytest.approx(1 - 1 / 6)
    assert found.best_told() == 1
    assert found.told(0).tolist() == [True, True, True, False, True, True, False, True]
    assert found.accuracy.value == pytest.approx((3 / 4 + 1 + 1 / 2) / 3)


def test_a_class_that_is_never_voted_for_gains_nothing():
    found = voted([0] * 10 + [1] * 10, [0] * 20)
    assert found.gain(0).value == 0
    assert found.gain(0).low < 0 < found.gain(0).high


def test_followed_by_hand():
    # Class 0: the wrong image has the lowest of 3 margins. Class 1: 1 of 2 pairs is in order.
    found = voted([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0])
    area = followed(found, 0, np.array([3.0, 2.0, -1.0, 0.0, 1.0, -1.0]))
    assert area.value == pytest.approx((2 * 1.0 + 2 * 0.5) / 4)


def test_followed_equals_scikit_learn_in_one_class():
    random = np.random.default_rng(0)
    votes, margin = np.repeat([0, 1], 50), random.normal(size=101)
    found = voted([0] * 100 + [1], [*votes, 1])
    area = followed(found, 0, margin)
    assert area.value == pytest.approx(roc_auc_score(votes == 0, margin[:100]))
    assert area.low < area.value < area.high


def test_followed_is_undefined_where_the_probe_is_always_right():
    assert followed(voted([0, 0, 1, 1], [0, 0, 1, 1]), 0, np.zeros(4)).value is None


def test_a_rate_counts_subjects():
    which = np.repeat([True, False], 50)
    alone, few = rate(which, np.arange(100)), rate(which, np.repeat(np.arange(10), 10))
    assert alone.value == few.value == 0.5
    assert few.high - few.low > 2 * (alone.high - alone.low)
    assert rate(which[:0], np.arange(0)) == Rate(None, 0)


def test_cells_and_contrasts_by_hand():
    tiny = np.zeros((1, 4, 4, 3), np.uint8)
    tiny[0, 0, 0] = 80
    tiny[0, 2:, 2:] = 10
    assert cells(tiny, (2, 2)).tolist() == [[20, 0, 0, 10]]  # Grey: one channel.
    most, least, spread = contrasts(tiny, (2, 2)).reshape(3, 4)
    assert most.tolist() == [80, 0, 0, 10]
    assert least.tolist() == [0, 0, 0, 10]
    assert spread == pytest.approx([np.std([80, 0, 0, 0]), 0, 0, 0])
    tiny[0, 0, 0] = (80, 40, 0)
    assert cells(tiny, (2, 2)).shape == (1, 12)


def test_one_class_is_refused():
    with pytest.raises(InputError, match=r"^expected images of two or more classes for a probe, got 1$"):
        probe(np.zeros((4, 2)), np.zeros(4, np.int64), np.arange(4))


def test_it_is_fast():
    features, labels = clouds(1000, classes=10, features=250)
    start = time.process_time()
    probe(features, labels, np.arange(1000))
    assert time.process_time() - start < 1.0  # Measured: 0.06 s.


ASKED = (
    mt005_border,
    mt006_corners,
    mt007_tiny,
    mt012_diversity,
    mt013_duplicates,
    mt014_collapse,
    mt015_other_task,
    mt016_crop,
    mt017_at_risk,
)


def test_of_40_clean_sets_none_gets_a_problem():
    verdicts = Counter()
    for seed in range(40):
        n, classes = (60, 120, 240, 400)[seed % 4], (2, 3, 5, 10)[seed // 4 % 4]
        clean = Clean(n, classes, seed, ease=(1.5, 2.5, 6.0)[seed % 3])
        splits = ["train"] * (n - n // 4) + ["test"] * (n // 4)
        subjects = np.arange(n) // 2 if seed % 5 == 0 else None
        seen = clean.observed(splits=splits, subjects=subjects)
        verdicts.update((found.code, found.verdict) for module in ASKED for found in module.ask(seen))
    assert sum(count for (_, verdict), count in verdicts.items() if verdict == "problem") <= 2
    assert verdicts["MT005", "hint"] + verdicts["MT006", "hint"] + verdicts["MT007", "hint"] <= 2
    assert verdicts["MT013", "passed"] == 40
    assert {code for code, _ in verdicts} == {module.QUESTION.code for module in ASKED}


def test_classifiers_that_lean_on_a_mark_get_the_right_problem():
    found, corner = 0, (swapped("bottom left corner"),)
    for seed in range(20):
        labels, _, tiny, logits = marked(200 + 20 * seed, seed=seed, at=(28, 1), share=0.9 + 0.003 * seed)
        found += any(
            (each.verdict, dict(each.about)) == ("problem", {"place": "bottom left corner"})
            for each in mt006_corners.ask(observed(labels, logits, tiny=tiny, transplants=corner))
        )
    assert found >= 19


@pytest.mark.parametrize(("per_cell", "classes"), [(1, 60), (2, 40), (5, 20), (20, 10)])
def test_rates_within_many_small_classes_hold_what_they_promise(per_cell, classes):
    """No difference, accuracy 0.8: with 2.5 % on either side, 7 of 120 are two standard errors too many."""
    above = below = 0
    for seed in range(120):
        labels = np.repeat(np.arange(classes), 2 * per_cell)
        first = np.arange(len(labels)) % 2 == 0
        right = np.random.default_rng([seed, per_cell]).random(len(labels)) < 0.8
        gap = difference(*rates_within(right, labels, np.arange(len(labels)), first, ~first))
        above, below = above + (gap.low > 0), below + (gap.high < 0)
    assert max(above, below) <= 6


def test_rates_within_one_class_keep_their_own_intervals():
    which, first = np.arange(20) < 9, np.arange(20) < 10
    pair = rates_within(which, np.zeros(20, np.int64), np.arange(20), first, ~first)
    assert pair == (wilson(9, 10), wilson(0, 10))


def test_rates_within_two_classes_by_hand():
    # In each class 4 of 4 of the first are right: distance 1 - low of Wilson's to either side, over root 2.
    labels, first = np.repeat([0, 1], 8), np.arange(16) % 2 == 0
    right = rates_within(np.ones(16, bool), labels, np.arange(16), first, ~first)[0]
    far = 1 - wilson(4, 4).low
    assert (right.value, right.high) == (1, 1)
    assert right.low == pytest.approx(1 - far / np.sqrt(2))
    # One of the classes all wrong: as far up as down.
    mixed = rates_within(labels == 0, labels, np.arange(16), first, ~first)[0]
    assert mixed.high - 0.5 == pytest.approx(0.5 - mixed.low) == pytest.approx(far / np.sqrt(2))
