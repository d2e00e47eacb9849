import numpy as np
import pytest

from masktune.findings.mt007_tiny import ask
from masktune.testing import ShortcutImages

from .observations import Clean, marked, noise, observed, tiny_of


def test_a_class_of_another_colour_is_told_by_sixteen_cells():
    labels = np.arange(200) % 2
    tiny = noise(200, 0)
    tiny[labels == 0, ..., 0] = 230
    (found,) = ask(observed(labels, tiny=tiny))
    assert (found.code, found.verdict) == ("MT007", "hint")
    assert found.about == {"place": "picture of 4 x 4 cells"}
    assert found.evidence[0].value == 1
    assert len(found.evidence) == 3


def test_a_small_thing_needs_more_cells():
    labels, _, tiny, logits = marked(300, at=(12, 12), side=3)
    (found,) = ask(observed(labels, logits, tiny=tiny))
    assert found.about == {"place": "picture of 8 x 8 cells"}
    four, _, _, eight, _, _ = found.evidence
    assert four.value < 0.65 + 0.1
    assert eight.value > four.value + 0.1


def test_it_is_never_more_than_a_hint_even_where_it_is_followed():
    labels, carries, tiny, logits = marked(300)
    tiny[carries, :16] = 240
    (found,) = ask(observed(labels, logits, tiny=tiny))
    assert found.verdict == "hint"
    assert found.evidence[2].low > 0.8
    assert found.samples


def test_one_class_of_many_is_named():
    labels = np.random.default_rng(0).permutation(np.arange(300) % 5)
    tiny = noise(300, 2)
    tiny[labels == 3] //= 4
    (found,) = ask(observed(labels, tiny=tiny))
    assert found.about["class"] == "class 3"


def test_noise_and_shapes_pass():
    (found,) = ask(Clean().observed())
    assert found.verdict == "passed"
    assert len(found.evidence) == 6
    data = ShortcutImages.no_shortcut(600)
    (found,) = ask(observed(np.asarray(data.labels), tiny=tiny_of(data)))
    assert found.verdict == "passed"


@pytest.mark.parametrize("labels", [[0] * 40, [0] * 40 + [1] * 19])
def test_too_little_is_not_applicable(labels):
    (found,) = ask(observed(labels))
    assert found.verdict == "not_applicable"
