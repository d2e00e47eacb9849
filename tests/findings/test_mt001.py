"""MT001: a class that is looked at in one place."""

import numpy as np

from findings.observations import observed
from masktune.findings.mt001_one_place import QUESTION, mean_map


def looking(place, n=40):
    """Two classes; class 1 is looked at in one place, class 0 in a place drawn for each image."""
    random = np.random.default_rng(0)
    where = np.zeros((n, 16, 16), np.uint8)
    for at in range(n):
        top, left = place if at % 2 else random.integers(0, 14, 2)
        where[at, top : top + 3, left : left + 3] = 255
    return observed(np.arange(n) % 2, where=where, hidden=where.mean((1, 2)) / 255)


def test_fires_on_a_corner():
    (found,) = QUESTION.ask(looking((0, 13)))
    assert (found.code, found.verdict) == ("MT001", "hint")
    assert found.about == {"class": "class 1", "place": "top right corner"}
    (overlap,) = found.evidence
    assert (overlap.value, overlap.n) == (1, 20)  # All 20 masks are the same.
    assert len(found.samples) == 12
    assert all(int(name[:5]) % 2 for name in found.samples)


def test_quiet_in_the_middle_where_objects_are():
    (found,) = QUESTION.ask(looking((6, 6)))
    assert found.verdict == "passed"
    assert len(found.evidence) == 2


def test_quiet_where_each_image_has_its_own_place():
    random = np.random.default_rng(1)
    where = np.zeros((60, 16, 16), np.uint8)
    for at in range(60):
        top, left = random.integers(0, 14, 2)
        where[at, top : top + 3, left : left + 3] = 255
    (found,) = QUESTION.ask(observed(np.arange(60) % 2, where=where, hidden=where.mean((1, 2)) / 255))
    assert found.verdict == "passed"


def test_not_applicable_without_maps():
    (found,) = QUESTION.ask(observed(np.arange(40) % 2))
    assert found.verdict == "not_applicable"
    assert found.reason == "no class is given to 10 images or more that have a map"


def test_overlap_by_hand():
    """Masks of one cell; 3 of 4 images of the class share theirs: (2/3 + 2/3 + 2/3 + 0) / 4 = 1/2."""
    where = np.zeros((20, 16, 16), np.uint8)
    where[:15, 0, 0] = 255
    where[15:, 0, 15] = 255
    labels = np.zeros(20, np.int64)
    seen = observed(labels, where=where, hidden=where.mean((1, 2)) / 255)
    (found,) = QUESTION.ask(seen)
    # 15 images share with 14 of 19 others, 5 with 4 of 19.
    assert np.isclose(found.evidence[0].value, (15 * 14 + 5 * 4) / 19 / 20)
    assert mean_map(seen, labels == 0)[0, 0] == 0.75
