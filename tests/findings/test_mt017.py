import numpy as np
import pytest
from scipy.stats import fisher_exact

from masktune.evaluation import wilson
from masktune.findings.mt017_at_risk import ask

from .observations import Clean, observed

LABELS = np.arange(200) % 4


def said(labels, wrong):
    """Logits that are right but for the images `wrong`."""
    return 3 * np.eye(4)[np.where(wrong, (labels + 1) % 4, labels)]


def test_a_class_that_is_often_wrong_is_a_hint():
    wrong = (LABELS == 2) & (np.arange(200) % 8 == 2)  # 25 of 50.
    (found,) = ask(observed(LABELS, said(LABELS, wrong)))
    assert (found.code, found.verdict, found.about) == ("MT017", "hint", {"class": "class 2"})
    assert found.reason == "accuracy lies 10 points or more behind the other classes': class 2"
    worst = found.evidence[0]
    expected = wilson(25, 50)
    assert (worst.name, worst.value, worst.low, worst.high) == (
        "accuracy, class 2",
        0.5,
        expected.low,
        expected.high,
    )
    assert [each.name for each in found.evidence[:3]] == [
        "accuracy, class 2",
        "accuracy, class 0",
        "accuracy, class 1",
    ]


def test_flips_are_shown_and_not_judged():
    """Black looks like class 0 to this classifier, so all others flip: no class hangs on anything."""
    (found,) = ask(observed(LABELS, said(LABELS, np.zeros(200, bool)), salient=said(0 * LABELS, False)))
    assert found.verdict == "passed"
    names = [each.name.removeprefix("flip rate with the salient area hidden, ") for each in found.evidence]
    assert names[3:] == ["class 1", "class 2", "class 3"]
    assert [each.value for each in found.evidence[3:]] == [1, 1, 1]


def test_all_that_are_behind_are_named_the_worst_first():
    wrong = (LABELS == 2) | ((LABELS == 1) & (np.arange(200) < 140))  # All 50, and 35 of 50.
    (found,) = ask(observed(LABELS, said(LABELS, wrong)))
    assert found.reason.endswith("behind the other classes': class 2, class 1")
    assert found.about == {"class": "class 2"}


def test_all_classes_alike_pass_whatever_the_rate():
    flips = np.arange(200) < 100
    (found,) = ask(observed(LABELS, said(LABELS, np.zeros(200, bool)), salient=said(LABELS, flips)))
    assert found.verdict == "passed"
    assert [each.value for each in found.evidence] == [1.0] * 3 + [0.5] * 3


def test_a_little_worse_passes():
    wrong = (LABELS == 2) & (np.arange(200) < 36)  # 9 of 50: the interval reaches up to 0.91.
    (found,) = ask(observed(LABELS, said(LABELS, wrong)))
    assert found.verdict == "passed"


def test_samples_are_right_but_flip_then_hardest():
    logits = said(LABELS, np.zeros(200, bool))
    logits[[10, 20, 30]] *= np.array([[0.1], [0.2], [0.3]])  # Margins 0.3, 0.6, 0.9.
    flips = np.zeros(200, bool)
    flips[[50, 30]] = True
    (found,) = ask(observed(LABELS, logits, salient=said(LABELS, flips)))
    assert found.samples[:5] == ("00030.png", "00050.png", "00010.png", "00020.png", "00000.png")
    assert len(set(found.samples)) == 12


def test_subjects_widen_the_interval():
    wrong = (LABELS == 2) & (np.arange(200) % 8 == 2)
    # Two subjects of class 2, one right and one wrong throughout.
    subjects = np.where(LABELS == 2, 1000 + wrong, np.arange(200))
    (found,) = ask(observed(LABELS, said(LABELS, wrong), subjects=subjects))
    assert found.verdict == "passed"
    assert found.evidence[0].high == 1


def test_other_classes_leave_the_flips():
    flips = LABELS == 1
    (found,) = ask(observed(LABELS, salient=said(LABELS, flips), same_classes=False))
    assert (found.verdict, found.reason) == (
        "passed",
        "accuracy cannot be told, since the classifier has its own classes",
    )
    assert [each.name.split(",")[0] for each in found.evidence] == [
        "flip rate with the salient area hidden"
    ] * 3
    assert found.samples[0] == "00001.png"


def test_nothing_known_is_not_applicable():
    (found,) = ask(observed(LABELS, hidden_logits={}, same_classes=False))
    assert found.verdict == "not_applicable"
    assert ask(observed(LABELS, hidden_logits={}))[0].verdict == "passed"


def test_few_images_are_not_applicable():
    (found,) = ask(observed([0] * 30 + [1] * 9))
    assert (found.verdict, found.reason) == (
        "not_applicable",
        "fewer than two classes have 10 images or more",
    )


def test_a_clean_set_passes():
    assert ask(Clean().observed())[0].verdict == "passed"


def test_of_many_equal_classes_none_falls_behind_by_chance():
    """100 classes of 10, accuracy 0.8: one of them often seems to lie clearly behind."""
    hints = 0
    for seed in range(20):
        labels = np.arange(1000) % 100
        right = np.random.default_rng([seed, 1]).random(1000) < 0.8
        (found,) = ask(observed(labels, 3 * np.eye(100)[np.where(right, labels, (labels + 1) % 100)]))
        hints += found.verdict == "hint"
    assert hints <= 2


def test_the_p_value_is_fishers_times_the_classes():
    wrong = (LABELS == 2) & (np.arange(200) % 8 == 2)
    (found,) = ask(observed(LABELS, said(LABELS, wrong)))
    expected = fisher_exact([[25, 25], [0, 150]]).pvalue
    assert found.evidence[0].p_value == pytest.approx(4 * expected)
    assert found.evidence[1].p_value is None


def test_a_bad_class_among_many_is_still_found():
    labels = np.arange(1000) % 100
    wrong = labels == 7
    right = (np.random.default_rng(0).random(1000) < 0.9) & ~wrong
    (found,) = ask(observed(labels, 3 * np.eye(100)[np.where(right, labels, (labels + 1) % 100)]))
    assert found.about == {"class": "class 7"}


def test_subjects_are_permuted_whole():
    # 20 subjects a class, 5 images each; those of class 2 are all wrong for half of its subjects.
    subjects = np.repeat(np.arange(80), 5)
    labels = subjects % 4
    wrong = (labels == 2) & (subjects < 40)
    (found,) = ask(observed(labels, said(labels, wrong), subjects=subjects))
    assert (found.verdict, found.about) == ("hint", {"class": "class 2"})
    # Of 80 subjects 10 fell into the 20 of one class: about 4e-7, where the least p-value is 1 in 10,000.
    assert found.evidence[0].p_value == pytest.approx(4e-4)


def test_the_advice_does_not_judge_flips():
    wrong = (LABELS == 2) & (np.arange(200) % 8 == 2)
    (found,) = ask(observed(LABELS, said(LABELS, wrong)))
    assert "Flip rates stand beside it and are not judged" in found.advice
