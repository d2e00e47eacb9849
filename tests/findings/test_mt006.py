import time

import numpy as np
import pytest

from masktune.findings.mt006_corners import PARTS, QUESTION, ask
from masktune.testing import Marker, ShortcutImages

from .observations import Clean, marked, observed, swapped, tiny_of

CORNERS = {(1, 1): "top left", (1, 28): "top right", (28, 1): "bottom left", (28, 28): "bottom right"}


@pytest.mark.parametrize(("at", "name"), CORNERS.items())
def test_a_mark_that_takes_the_answer_along_is_a_problem_and_its_corner_is_named(at, name):
    labels, _, tiny, logits = marked(300, at=at)
    (found,) = ask(observed(labels, logits, tiny=tiny, transplants=(swapped(f"{name} corner"),)))
    assert (found.code, found.verdict) == ("MT006", "problem")
    assert found.about == {"place": f"{name} corner"}
    assert found.reason.startswith(f"from the {name} corner alone a probe tells class 0 from class 1")
    assert found.advice.startswith(f"Look at the {name} corner of the samples.")


def test_marks_in_two_corners_are_named_together():
    labels, carries, tiny, logits = marked(300)
    tiny[carries, 28:31, 28:31] = 5
    for place, verdict in (("bottom right corner", "problem"), ("border", "problem"), ("centre", "hint")):
        (found,) = ask(observed(labels, logits, tiny=tiny, transplants=(swapped(place),)))
        assert (found.about, found.verdict) == ({"place": "corners"}, verdict)


@pytest.mark.parametrize("side", [6, 8, 10])
@pytest.mark.parametrize("kind", ["square", "tag"])
def test_burnt_in_marks_of_6_to_10_pixels_are_found(side, kind):
    data = ShortcutImages(400, marker=Marker(kind, side, "top right"), seed=side)
    carries = np.char.endswith(data.groups, "with marker")
    logits = np.random.default_rng(0).normal(size=(400, 2)) + 3 * np.eye(2)[np.where(carries, 0, 1)]
    corner = (swapped("top right corner"),)
    (found,) = ask(observed(np.asarray(data.labels), logits, tiny=tiny_of(data), transplants=corner))
    assert found.verdict == "problem"
    assert found.about == {"place": "top right corner"}


def test_a_mark_in_the_middle_is_not_of_the_corners():
    labels, _, tiny, logits = marked(300, at=(14, 14))
    (found,) = ask(observed(labels, logits, tiny=tiny))
    assert found.verdict == "passed"


def test_a_clean_set_passes():
    (found,) = ask(Clean(classes=4).observed())
    assert (found.verdict, found.evidence[1].value) == ("passed", 0.25)


def test_one_class_is_not_applicable():
    (found,) = ask(observed([1] * 40))
    assert found.verdict == "not_applicable"


def test_subjects_are_not_divided():
    # Each subject has a corner of its own, in ten images: told by heart, but not across subjects.
    subjects = np.repeat(np.arange(30), 10)
    labels, random = subjects % 2, np.random.default_rng(0)
    tiny = random.integers(0, 256, size=(30, 32, 32, 3)).astype(np.uint8)[subjects]
    (blind,), (found,) = ask(observed(labels, tiny=tiny)), ask(observed(labels, tiny=tiny, subjects=subjects))
    assert blind.verdict == "hint"
    assert found.verdict == "passed"


def test_four_corners_of_a_quarter_each():
    tiny = np.zeros((1, 32, 32, 3), np.uint8)
    tiny[0, :8, :8], tiny[0, :8, -8:], tiny[0, -8:, :8], tiny[0, -8:, -8:] = 1, 2, 3, 4
    assert [part(tiny)[0, 0] for part in PARTS.values()] == [1, 2, 3, 4]
    # 16 means and 3 contrasts in each of 4 quarters.
    assert [part(tiny).shape for part in PARTS.values()] == [(1, 28)] * 4


def test_it_is_fast():
    labels, _, tiny, logits = marked(1000)
    seen = observed(labels, logits, tiny=tiny)
    start = time.process_time()
    QUESTION.ask(seen)
    assert time.process_time() - start < 1.5  # Measured: 0.2 s, with each corner alone.
