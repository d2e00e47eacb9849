import numpy as np
import pytest

from masktune.findings.mt014_collapse import ask

from .observations import Clean, observed

LABELS = np.arange(60) % 3


def varied(logits, seed=0):
    return logits + np.random.default_rng(seed).normal(size=logits.shape) * 0.1


def test_identical_logits_are_a_problem():
    (found,) = ask(observed(LABELS, np.tile([0.3, 0.2, 0.1], (60, 1))))
    assert (found.code, found.verdict) == ("MT014", "problem")
    assert found.reason == "the logits are the same for all images: the net does not see them"
    assert found.evidence[0].value == 0


def test_rounding_is_no_variation():
    logits = np.tile([300.0, 200.0, 100.0], (60, 1))
    logits[::2, 0] += 1e-4
    assert ask(observed(LABELS, logits))[0].reason.startswith("the logits are the same")


def test_one_class_for_all_is_a_problem():
    (found,) = ask(observed(LABELS, varied(np.tile([0.0, 2.0, 0.0], (60, 1)))))
    assert (found.verdict, found.reason) == ("problem", "all 60 images are called class 1")
    assert found.about == {"class": "class 1"}


def test_few_images_make_it_a_hint():
    (found,) = ask(observed([0, 1, 2], varied(np.tile([0.0, 2.0, 0.0], (3, 1)))))
    assert found.verdict == "hint"


def test_one_class_that_is_all_there_is_passes():
    logits = varied(np.tile([0.0, 2.0], (60, 1)))
    assert ask(observed(np.ones(60), logits))[0].verdict == "passed"
    assert ask(observed(np.zeros(60), logits))[0].verdict == "problem"


@pytest.mark.parametrize(("count", "verdict"), [(20, "problem"), (19, "hint")])
def test_a_class_that_is_never_predicted(count, verdict):
    labels = np.repeat([0, 1, 2], [40, 40, count])
    logits = varied(3 * np.eye(3)[np.where(labels == 2, 1, labels)])
    (found,) = ask(observed(labels, logits))
    assert found.verdict == verdict
    assert found.reason == "no image is called class 2, though the data have such images"
    assert found.evidence[0].value == count
    assert found.samples[0] == "00080.png"


def test_many_missing_classes_are_counted():
    labels = np.arange(90) % 9
    logits = varied(3 * np.eye(9)[labels % 2])
    (found,) = ask(observed(labels, logits))
    assert found.reason.startswith(
        "no image is called class 2, class 3, class 4, class 5, class 6 and 2 more,"
    )


def test_a_class_without_images_need_not_be_predicted():
    labels = np.arange(60) % 2
    logits = varied(3 * np.eye(3)[labels])
    assert ask(observed(labels, logits, classes=("a", "b", "c")))[0].verdict == "passed"


def test_saturated_probabilities_are_a_hint():
    (found,) = ask(observed(LABELS, varied(20 * np.eye(3)[LABELS])))
    assert found.verdict == "hint"
    assert found.reason == "every image has a probability above 0.9999 for its predicted class"
    assert found.evidence[0].value > 0.9999


def test_classes_of_its_own_are_not_missed():
    logits = varied(3 * np.eye(4)[LABELS + 1])
    seen = observed(LABELS, logits, classes=("a", "b", "c", "d"), same_classes=False)
    assert ask(seen)[0].verdict == "passed"


def test_a_clean_set_passes():
    (found,) = ask(Clean(classes=5).observed())
    assert (found.verdict, found.evidence[0].value) == ("passed", 5)


def test_one_image_is_not_applicable():
    assert ask(observed([1]))[0].verdict == "not_applicable"
