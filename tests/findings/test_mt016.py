import numpy as np
import pytest

from masktune.findings.mt016_crop import ask

from .observations import Clean, observed

LABELS = np.arange(100) % 2


def test_cut_images_that_are_wrong_are_a_problem():
    seen = np.where(np.arange(100) < 30, 0.5, 0.9)
    logits = np.eye(2)[np.where(np.arange(100) < 15, 1 - LABELS, LABELS)]
    (found,) = ask(observed(LABELS, logits, seen=seen))
    assert (found.code, found.verdict) == ("MT016", "problem")
    assert found.reason == "images of which less than 60% is seen lose 50 points of accuracy"
    gap = found.evidence[-1]
    assert (gap.value, gap.n) == (-0.5, 100)
    assert gap.low < -0.5 < gap.high < 0
    assert found.samples == tuple(f"{i:05d}.png" for i in range(12))


def test_a_class_that_is_harder_anyway_is_no_loss():
    """Of cut images nine in ten are of class 1, half of which are wrong, cut or not."""
    at = np.arange(200)
    labels = (at >= 90).astype(np.int64)  # 110 of class 1.
    cut = ((labels == 1) & (at % 2 == 0) & (at < 180)) | (at < 5)  # 45 of class 1 and 5 of class 0.
    wrong = (labels == 1) & (at // 2 % 2 == 0)
    logits = np.eye(2)[np.where(wrong, 0, labels)]
    right = ~wrong
    assert right[~cut].mean() - right[cut].mean() > 0.2
    (found,) = ask(observed(labels, logits, seen=np.where(cut, 0.5, 1.0)))
    assert found.verdict != "problem"
    assert abs(found.evidence[-1].value) < 0.03


def test_a_small_loss_is_no_problem():
    # 2 of 30 wrong: 7 points.
    logits = np.eye(2)[np.where(np.arange(100) < 2, 1 - LABELS, LABELS)]
    (found,) = ask(observed(LABELS, logits, seen=np.where(np.arange(100) < 30, 0.5, 1.0)))
    assert found.verdict == "passed"


def test_few_cut_images_are_not_compared():
    logits = np.eye(2)[np.where(np.arange(100) < 9, 1 - LABELS, LABELS)]
    (found,) = ask(observed(LABELS, logits, seen=np.where(np.arange(100) < 9, 0.5, 1.0)))
    assert found.verdict == "passed"


def test_little_seen_is_a_hint():
    (found,) = ask(observed(LABELS, seen=np.full(100, 0.7)))
    assert (found.verdict, found.reason) == ("hint", "the net sees 70% of the picture")
    assert found.evidence[0].value == pytest.approx(0.7)


def test_unlike_classes_are_a_hint_and_the_one_is_named():
    (found,) = ask(observed(LABELS, seen=np.where(LABELS == 1, 0.8, 0.95), classes=("wide", "tall")))
    assert (found.verdict, found.about) == ("hint", {"class": "tall"})
    assert found.reason == "of wide 95% of the picture is seen, of tall 80%"


def test_a_difference_of_ten_points_is_allowed():
    (found,) = ask(observed(LABELS, seen=np.where(LABELS == 1, 0.8, 0.89)))
    assert found.verdict == "passed"


def test_small_classes_are_not_compared():
    labels = np.repeat([0, 1], [91, 9])
    assert ask(observed(labels, seen=np.where(labels == 1, 0.5, 1.0)))[0].verdict == "passed"


def test_wrong_is_not_asked_of_other_classes():
    seen = np.where(np.arange(100) < 50, 0.55, 1.0)
    logits = np.eye(2)[np.where(np.arange(100) < 50, 1 - LABELS, LABELS)]
    assert ask(observed(LABELS, logits, seen=seen))[0].verdict == "problem"
    assert ask(observed(LABELS, logits, seen=seen, same_classes=False))[0].verdict == "passed"


def test_a_clean_set_passes():
    (found,) = ask(Clean().observed())
    assert found.verdict == "passed"


def test_few_images_are_not_applicable():
    (found,) = ask(observed([0, 1] * 4))
    assert (found.verdict, found.reason) == ("not_applicable", "there are fewer than 10 images")


def test_a_loss_needs_more_than_chance_within_classes():
    """No effect, 10 classes of 20: its interval alone was below 0 in 1 of 10 such sets."""
    problems = 0
    for seed in range(60):
        random = np.random.default_rng([5, seed])
        labels = np.arange(200) % 10
        cut, right = random.random(200) < 0.5, random.random(200) < 0.8
        logits = 3 * np.eye(10)[np.where(right, labels, (labels + 1) % 10)]
        (found,) = ask(observed(labels, logits, seen=np.where(cut, 0.5, 0.9)))
        loss = next(one for one in found.evidence if one.name.startswith("accuracy where less"))
        assert 0 < loss.p_value <= 1
        problems += found.verdict == "problem"
    assert problems <= 3


def test_many_small_classes_of_one_distribution_are_not_unlike():
    """100 classes of 10: the largest and the smallest mean always lie more than 0.1 apart."""
    hints = 0
    for seed in range(12):
        seen = np.clip(np.random.default_rng(seed).normal(0.85, 0.12, 1000), 0.3, 1)
        (found,) = ask(observed(np.arange(1000) % 100, seen=seen))
        apart = next(
            one for one in found.evidence if one.name == "largest less smallest share seen of a class"
        )
        assert apart.value > 0.1
        hints += found.verdict == "hint"
    assert hints <= 2


def test_unlike_subjects_are_what_counts():
    # Two subjects a class: their aspect is theirs, and says nothing of the class.
    labels, subjects = np.repeat([0, 1], 50), np.repeat([0, 1, 2, 3], 25)
    seen = np.where(np.isin(subjects, [2, 3]), 0.8, 0.95)
    assert ask(observed(labels, seen=seen))[0].verdict == "hint"
    assert ask(observed(labels, seen=seen, subjects=subjects))[0].verdict == "passed"


def test_shares_have_intervals_over_subjects():
    seen = np.where(np.arange(100) < 50, 0.8, 1.0)
    (alone,) = ask(observed(LABELS, seen=seen))
    whole = alone.evidence[0]
    assert (whole.low, whole.value, whole.high) == pytest.approx((0.88, 0.9, 0.92), abs=0.003)
    (few,) = ask(observed(LABELS, seen=seen, subjects=np.arange(100) // 25))
    assert (few.evidence[0].low, few.evidence[0].high) == pytest.approx((0.8, 1.0))
    assert all(one.low is not None for one in few.evidence[:3])
