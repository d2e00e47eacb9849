from dataclasses import replace

import numpy as np
import pytest

from masktune.findings import mt005_border
from masktune.findings.mt005_border import ask
from masktune.findings.places import rows_to_ask
from masktune.testing import Marker, ShortcutImages

from .observations import Clean, marked, noise, observed, swapped, tiny_of


def edge(n=400, **given):
    """A mark in the middle of the top edge, far from the corners' narrow parts."""
    return marked(n, at=(0, 14), **given)


TOP = (swapped("top edge", recurs=0.9),)


def test_a_mark_at_the_edge_that_takes_the_answer_along_is_a_problem():
    labels, carries, tiny, logits = edge()
    (found,) = ask(observed(labels, logits, tiny=tiny, transplants=TOP))
    assert (found.code, found.verdict) == ("MT005", "problem")
    assert found.about == {"place": "top edge"}
    accuracy, chance, gain, area = found.evidence
    # The mark is right about 95 % of the images, and the probe can do no better.
    told = ((labels == 0) == carries).mean()
    assert accuracy.value == pytest.approx(told, abs=0.02)
    assert (chance.value, accuracy.n) == (0.5, 400)
    assert gain.low > 0.75
    assert area.low > 0.8
    misled = {f"{row:05d}.png" for row in np.flatnonzero((labels == 0) != carries)}
    assert set(found.samples) <= misled
    assert len(found.samples) == 12


def test_samples_come_hardest_first():
    labels, _, tiny, logits = edge()
    seen = observed(labels, logits, tiny=tiny)
    (found,) = ask(seen)
    margins = dict(zip(seen.ids.tolist(), seen.margin.tolist(), strict=True))
    assert [margins[name] for name in found.samples] == sorted(margins[name] for name in found.samples)


@pytest.mark.parametrize(
    ("transplants", "says"),
    [
        ((), "are harder for the classifier, but it was not swapped: it may be a background"),
        ((swapped("bottom edge"),), "but it was not swapped"),
        (
            (swapped("top edge", 0.8),),
            "but swapped between images it does not clearly take the class along",
        ),  # May be an object.
        (
            (swapped("top left corner", 0.02),),
            "but swapped between images it does not clearly take the class along",
        ),
        ((swapped("border", 0.1),), "but swapped between images it does not clearly take the class along"),
    ],
)
def test_misled_images_alone_do_not_show_that_a_place_is_used(transplants, says):
    """Trucks stand on roads: what they share at the border, a classifier of trucks may be right about."""
    labels, _, tiny, logits = edge()
    (found,) = ask(observed(labels, logits, tiny=tiny, transplants=transplants))
    assert found.verdict == "hint"
    assert says in found.reason


def test_a_mark_that_the_classifier_does_not_follow_is_a_hint():
    labels, _, tiny, _ = edge()
    logits = np.random.default_rng(5).normal(size=(400, 2)) + 3 * np.eye(2)[labels]
    (found,) = ask(observed(labels, logits, tiny=tiny))
    assert found.verdict == "hint"
    assert found.reason.endswith("the classifier does not clearly go with it")


def test_a_mark_without_exceptions_is_a_hint_because_nothing_parts_it_from_the_class():
    labels, _, tiny, logits = edge(share=1.0)
    (found,) = ask(observed(labels, logits, tiny=tiny))
    assert found.verdict == "hint"
    assert "too few to see whether the classifier does likewise" in found.reason
    (found,) = ask(observed(labels, logits, tiny=tiny, transplants=TOP))
    assert found.verdict == "problem"  # The swap parts it from the class.


def test_a_weak_tie_is_a_hint():
    labels, _, tiny, logits = edge(share=0.78)  # A gain of at most 0.56.
    (found,) = ask(observed(labels, logits, tiny=tiny))
    assert found.verdict == "hint"
    assert 0.3 <= found.evidence[2].low < 0.5
    assert found.reason.endswith("images that mislead the probe are harder for the classifier")


def test_classes_of_the_nets_own_leave_a_hint():
    labels, _, tiny, logits = edge()
    (found,) = ask(observed(labels, logits, tiny=tiny, same_classes=False))
    assert found.verdict == "hint"
    assert "since its classes are others" in found.reason
    assert len(found.evidence) == 3


def test_a_clean_border_passes():
    (found,) = ask(Clean().observed())
    assert found.verdict == "passed"
    assert found.evidence[0].low < 0.5 < found.evidence[0].high
    assert not found.samples


def test_a_frame_around_one_class_is_named_as_the_border():
    labels, carries, _, logits = edge()
    tiny = noise(400, 3)
    frame = np.ones((32, 32), bool)
    frame[2:-2, 2:-2] = False
    tiny[np.ix_(carries.nonzero()[0], *map(np.arange, (32, 32)))] += (frame * 39).astype(np.uint8)[..., None]
    (found,) = ask(observed(labels, logits, tiny=tiny, transplants=(swapped("border"),)))
    assert found.verdict == "problem"
    assert found.about == {"place": "border"}


def test_one_marked_class_of_six_is_named():
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(900) % 6)
    carries = random.random(900) < np.where(labels == 4, 0.9, 0.02)
    tiny = noise(900, 1)
    tiny[carries, :2, 13:17] = 250
    follows = np.where(carries, 4, np.where(labels == 4, 0, labels))
    logits = random.normal(size=(900, 6)) + 3 * np.eye(6)[follows]
    (found,) = ask(observed(labels, logits, tiny=tiny, transplants=TOP))
    assert found.verdict == "hint"  # What was swapped was class 0's.
    own = (swapped("top edge", recurs=0.9, label=4),)
    (found,) = ask(observed(labels, logits, tiny=tiny, transplants=own))
    assert found.verdict == "problem"
    assert found.about == {"place": "top edge", "class": "class 4"}
    assert "tells class 4 from the other classes" in found.reason


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([0] * 50, "there is only one class"),
        ([0] * 50 + [1] * 19, "fewer than two classes have 20 images or more"),
    ],
)
def test_too_little_is_not_applicable(labels, reason):
    (found,) = ask(observed(labels))
    assert (found.verdict, found.reason) == ("not_applicable", reason)


def test_few_subjects_are_not_applicable():
    labels = np.arange(90) % 2
    seen = observed(labels, subjects=[f"p{i // 10}" for i in range(90)])
    (found,) = ask(seen)
    assert found.verdict == "not_applicable"
    assert found.reason == "the images show 9 subjects; 10 or more are needed to leave some out"


def test_small_classes_are_left_out_and_many_images_are_drawn():
    labels = np.repeat([0, 1, 2], [6000, 40, 5])
    rows = rows_to_ask(observed(labels))
    assert np.bincount(labels[rows]).tolist() == [4960, 40]


def test_an_unmarked_set_of_the_same_pictures_passes():
    labels, _, tiny, logits = edge()
    plain = replace(observed(labels, logits, tiny=tiny), tiny=noise(400, 0))
    assert [found.verdict for found in ask(plain)] == ["passed"]


def test_a_burnt_in_letter_on_textured_ground_is_found():
    data = ShortcutImages(600, marker=Marker("tag", 8, "bottom"), seed=2)
    carries = np.char.endswith(data.groups, "with marker")
    logits = np.random.default_rng(0).normal(size=(600, 2)) + 3 * np.eye(2)[np.where(carries, 0, 1)]
    low = (swapped("bottom edge", recurs=0.9),)
    (found,) = ask(observed(np.asarray(data.labels), logits, tiny=tiny_of(data), transplants=low))
    assert found.verdict == "problem"
    assert found.about == {"place": "bottom edge"}


def test_shapes_without_a_shortcut_pass():
    data = ShortcutImages.no_shortcut(600)
    (found,) = ask(observed(np.asarray(data.labels), tiny=tiny_of(data)))
    assert found.verdict == "passed"


def test_what_it_names_is_what_it_asks():
    assert mt005_border.QUESTION.ask is ask
    assert mt005_border.QUESTION.code == "MT005"
