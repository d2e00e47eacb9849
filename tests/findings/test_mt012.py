import numpy as np
import pytest

from masktune.data.idx import read_mnist
from masktune.evaluation import wilson
from masktune.findings.mt012_diversity import ask, spread
from masktune.testing import ShortcutImages
from shared_data import SHARED_DATA, needs_shared_data

from .observations import Clean, noise, observed, tiny_of


def alike(n, seed=0, *, differ=30):
    """Pictures of one ground, each a little lighter or darker than it."""
    shift = np.random.default_rng(seed).integers(0, differ, size=(n, 1, 1, 1))
    return (noise(1, seed) // 2 + shift).astype(np.uint8)


def sets(differ, labels):
    tiny = noise(len(labels), 1)
    tiny[labels == 1] = alike(int((labels == 1).sum()), differ=differ)
    return tiny


def test_spread_by_hand():
    tiny = np.zeros((3, 2, 2, 3), np.uint8)
    tiny[1], tiny[2] = 10, 40
    values = spread(tiny, np.random.default_rng(0))
    assert values[0] == pytest.approx((10 + 40 + 30) / 3, abs=2e-3)
    # At most the first and the last, 40 apart, are drawn.
    assert values[1:].max() == pytest.approx(40, abs=2e-3)
    assert len(values) == 2001


def test_a_class_of_one_ground_that_is_always_right_is_a_problem():
    labels = np.arange(120) % 2
    (found,) = ask(observed(labels, tiny=sets(30, labels)))
    assert (found.code, found.verdict, found.about) == ("MT012", "problem", {"class": "class 1"})
    ratio, accuracy = found.evidence
    assert ratio.low <= ratio.value <= ratio.high < 0.35
    assert (ratio.n, accuracy.value, accuracy.n) == (60, 1.0, 60)
    assert "Masking cannot mend it" in found.advice


def test_it_is_a_hint_where_the_class_is_often_wrong():
    labels = np.arange(120) % 2
    logits = np.eye(2)[np.where(np.arange(120) % 10 == 1, 0, labels)]
    (found,) = ask(observed(labels, logits, tiny=sets(30, labels)))
    assert found.verdict == "hint"
    assert found.evidence[1].value == 0.8


def test_it_is_a_hint_where_the_class_is_somewhat_less_diverse():
    labels = np.arange(120) % 2
    (found,) = ask(observed(labels, tiny=sets(90, labels)))
    assert found.verdict == "hint"
    assert 0.35 < found.evidence[0].value < 0.6


def test_right_and_wrong_are_not_asked_of_other_classes():
    labels = np.arange(120) % 2
    (found,) = ask(observed(labels, tiny=sets(30, labels), same_classes=False))
    assert (found.verdict, len(found.evidence)) == ("hint", 1)


def test_a_class_of_equal_pictures_has_no_diversity():
    labels = np.arange(120) % 2
    tiny = noise(120, 1)
    tiny[labels == 1] = noise(1, 5)
    (found,) = ask(observed(labels, tiny=tiny))
    assert (found.verdict, found.evidence[0].high < 0.01) == ("problem", True)


def test_all_pictures_equal_is_no_matter_of_one_class():
    (found,) = ask(observed(np.arange(120) % 2))
    assert (found.verdict, found.evidence[0].value) == ("passed", 1)


def test_images_of_one_subject_are_not_diversity():
    # Class 1 has 40 subjects of 5 equal images each, as diverse as the 200 single images of class 0.
    labels = np.repeat([0, 1], 200)
    subjects = np.concatenate([np.arange(200), np.repeat(np.arange(200, 240), 5)])
    tiny = noise(240, 0)[subjects]
    (found,) = ask(observed(labels, tiny=tiny, subjects=subjects))
    assert (found.verdict, found.evidence[0].n) == ("passed", 40)
    assert found.evidence[0].value == pytest.approx(1, abs=0.1)


def test_clean_sets_pass():
    assert ask(Clean(400, 4).observed())[0].verdict == "passed"
    data = ShortcutImages.no_shortcut(600)
    assert ask(observed(np.asarray(data.labels), tiny=tiny_of(data)))[0].verdict == "passed"


@needs_shared_data
def test_mnists_ones_are_no_false_alarm():
    images, digits = read_mnist(SHARED_DATA / "mnist", "test")
    padded = np.pad(images[:2000], ((0, 0), (2, 2), (2, 2)))[..., None].repeat(3, axis=3)
    (found,) = ask(observed(digits[:2000], tiny=padded))
    assert found.verdict == "passed"
    assert found.evidence[0].name.startswith("diversity of class 1 over")
    assert 0.55 < found.evidence[0].value < 0.75


def test_few_images_are_not_applicable():
    (found,) = ask(observed([0] * 30 + [1] * 19))
    assert found.verdict == "not_applicable"
    assert found.reason == "fewer than two classes have 20 images (of different subjects) or more"


def test_the_accuracy_has_an_interval():
    labels = np.arange(120) % 2
    (found,) = ask(observed(labels, tiny=sets(30, labels)))
    expected = wilson(60, 60)
    accuracy = found.evidence[1]
    assert (accuracy.name, accuracy.value, accuracy.low) == ("accuracy on class 1", 1, expected.low)
