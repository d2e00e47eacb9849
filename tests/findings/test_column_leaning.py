"""A column that the label does not go with, but the classifier does."""

import numpy as np
import pytest

from findings.observations import observed
from masktune.findings import mt008_properties, mt011_columns


def birds(flips, *, n=400, as_property=False):
    """Two classes, the place balanced over them; `flips`: share of wrong answers by (class, place)."""
    random = np.random.default_rng(0)
    labels, place = np.arange(n) % 2, np.arange(n) // 2 % 2
    wrong = (
        random.random(n) < np.array([[flips[label, at] for at in (0, 1)] for label in (0, 1)])[labels, place]
    )
    said = np.where(wrong, 1 - labels, labels)
    logits = 3 * np.eye(2)[said] + random.normal(0, 0.3, (n, 2))
    words = np.array(["land", "water"], dtype=object)[place]
    given = {"properties": {"blue": place.astype(float)}} if as_property else {"columns": {"place": words}}
    return observed(labels, logits, classes=("landbird", "waterbird"), **given)


TURNED = {(0, 0): 0.0, (0, 1): 0.5, (1, 0): 0.5, (1, 1): 0.0}


def test_errors_that_turn_around_are_a_problem():
    (found,) = mt011_columns.ask(birds(TURNED))
    assert found.verdict == "problem"
    assert found.about in (
        {"column": "place", "class": "waterbird", "value": "water"},
        {"column": "place", "class": "landbird", "value": "land"},
    )
    assert found.reason.startswith('the answer goes with "place": ')
    lower = [one for one in found.evidence if one.name.startswith("how much lower the accuracy")]
    assert [one.value for one in lower] == pytest.approx([0.5, 0.5], abs=0.1)
    assert all(one.n == 200 for one in lower)


def test_one_place_that_is_harder_for_all_is_a_hint():
    (found,) = mt011_columns.ask(birds({(0, 0): 0.0, (0, 1): 0.5, (1, 0): 0.0, (1, 1): 0.5}))
    assert found.verdict == "hint"
    assert not found.reason.startswith("the answer goes with")


def test_the_same_errors_everywhere_pass():
    (found,) = mt011_columns.ask(birds({(0, 0): 0.2, (0, 1): 0.2, (1, 0): 0.2, (1, 1): 0.2}))
    assert found.verdict == "passed"


def test_what_the_picture_shows_is_a_hint():
    (found,) = mt008_properties.ask(birds(TURNED, as_property=True))
    assert found.verdict == "hint"
    assert found.reason.startswith('the answer goes with "blue": ')
