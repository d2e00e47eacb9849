import numpy as np
import pytest

from masktune.findings.mt015_other_task import ask, other_order

from .observations import Clean, observed


def guesses(labels, classes, seed=0):
    return np.random.default_rng(seed).normal(size=(len(labels), classes))


def test_guesses_are_a_problem():
    labels = np.arange(400) % 4
    (found,) = ask(observed(labels, guesses(labels, 4)))
    assert (found.code, found.verdict) == ("MT015", "problem")
    accuracy, chance = found.evidence
    assert found.reason == (
        f"accuracy is at chance or below: {100 * accuracy.value:.0f} % (classes alike), 25 % by chance; are "
        "these weights of this task?"
    )
    assert accuracy.low < 0.25 < accuracy.high
    assert chance.value == 0.25


def test_the_larger_class_for_all_is_at_chance_although_mostly_right():
    labels = np.repeat([0, 1], [270, 30])
    (found,) = ask(observed(labels, np.tile([1.0, 0.0], (300, 1))))
    assert (found.verdict, found.evidence[0].value) == ("problem", 0.5)


def test_few_guesses_are_a_hint():
    labels = np.arange(12) % 2
    logits = np.eye(2)[[0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0]]  # 8 of 12 right.
    (found,) = ask(observed(labels, logits))
    assert found.verdict == "hint"
    assert found.reason.startswith("12 images are too few to tell this accuracy from chance: 67 % (classes")


@pytest.mark.parametrize(("right", "verdict"), [(42, "hint"), (60, "passed")])
def test_a_little_above_chance_is_a_hint(right, verdict):
    """Weights of another task may lean the right way: 30 % of the way from 1/3 is 53 %."""
    labels = np.arange(900) % 3
    said = np.where(np.arange(900) // 3 % 100 < right, labels, (labels + 1 + np.arange(900) // 3 % 2) % 3)
    (found,) = ask(observed(labels, 3 * np.eye(3)[said]))
    assert found.verdict == verdict
    assert f"{right} % (classes alike), 33 % by chance" in found.reason


def test_swapped_classes_are_named_in_their_order():
    labels = np.arange(100) % 2
    (found,) = ask(observed(labels, 3 * np.eye(2)[1 - labels], classes=("cat", "dog")))
    assert found.verdict == "problem"
    assert found.reason == "the classes seem to be in another order: the logits fit dog, cat"
    assert found.evidence[2].value == 1
    assert len(found.samples) == 12


def test_turned_classes_are_named_in_their_order():
    # Column 0 stands for class 2, column 1 for class 0, column 2 for class 1; 9 in 10 are right.
    labels = np.random.default_rng(0).integers(0, 3, size=300)
    column = np.array([1, 2, 0])[labels]
    column[::10] = (column[::10] + 1) % 3
    seen = observed(labels, 3 * np.eye(3)[column], classes=("a", "b", "c"))
    assert other_order(seen.predictions).tolist() == [2, 0, 1]
    (found,) = ask(seen)
    assert found.reason.endswith("the logits fit c, a, b")
    assert found.evidence[2].value == 0.9


def test_two_swapped_of_ten_are_found_though_accuracy_is_above_chance():
    labels = np.arange(500) % 10
    swapped = np.array([0, 1, 2, 7, 4, 5, 6, 3, 8, 9])
    (found,) = ask(observed(labels, guesses(labels, 10) + 6 * np.eye(10)[swapped[labels]]))
    assert found.verdict == "problem"
    names = [f"class {i}" for i in swapped]
    assert found.reason.endswith(f"the logits fit {', '.join(names)}")


def test_two_classes_that_are_confused_are_no_other_order():
    # Of class 0 six in ten are called 1; of class 1 all are right.
    labels = np.arange(200) % 2
    said = np.where((labels == 0) & (np.arange(200) % 20 < 12), 1, labels)
    seen = observed(labels, np.eye(2)[said])
    assert other_order(seen.predictions) is None
    assert ask(seen)[0].verdict == "passed"


def test_guesses_have_no_order():
    for seed in range(20):
        labels = np.arange(60) % 10
        assert other_order(observed(labels, guesses(labels, 10, seed)).predictions) is None


def test_more_than_ten_classes_are_not_reordered():
    labels = np.arange(220) % 11
    seen = observed(labels, 3 * np.eye(11)[(labels + 1) % 11])
    assert other_order(seen.predictions) is None
    assert ask(seen)[0].verdict == "problem"


def test_subjects_count_not_images():
    labels, subjects = np.repeat([0, 1, 0, 1, 0, 1], 50), np.repeat(np.arange(6), 50)
    said = np.repeat([0, 1, 0, 0, 1, 1], 50)  # Right on four of six subjects.
    assert ask(observed(labels, np.eye(2)[said]))[0].verdict == "passed"
    assert ask(observed(labels, np.eye(2)[said], subjects=subjects))[0].verdict == "hint"


def test_a_clean_set_passes():
    (found,) = ask(Clean().observed())
    assert found.verdict == "passed"
    assert found.evidence[0].low > 0.5


@pytest.mark.parametrize(
    ("labels", "more", "reason"),
    [
        (
            [0, 1] * 20,
            {"same_classes": False},
            "the net has classes of its own, so right and wrong cannot be told",
        ),
        ([1] * 40, {}, "there are images of only one class"),
    ],
)
def test_not_applicable(labels, more, reason):
    (found,) = ask(observed(labels, **more))
    assert (found.verdict, found.reason) == ("not_applicable", reason)


def test_chance_is_that_of_the_classes_that_have_images():
    """With 3 of 10 classes here, one answer for all is right about a third of them."""
    labels = np.arange(300) % 3
    (found,) = ask(observed(labels, np.tile(np.eye(10)[0], (300, 1)), classes=tuple("abcdefghij")))
    accuracy, chance = found.evidence
    assert accuracy.value == chance.value == pytest.approx(1 / 3)
    assert found.verdict == "problem"
