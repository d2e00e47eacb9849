from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from masktune.errors import InputError
from masktune.testing import Marker
from masktune.testing.plan import group_names, plan
from masktune.testing.settings import ShortcutSettings


def counts(n, seed=0, first=0, **given):
    settings = ShortcutSettings(**given)
    return Counter(group_names(plan(n, seed, first, settings), settings).tolist())


def test_counts_by_hand():
    # 150 a class; round(0.95 * 150) = 142 (142.5 is even), round(0.05 * 150) = 8 (7.5).
    assert counts(300, marker=Marker()) == {
        "circle with marker": 142,
        "circle without marker": 8,
        "cross with marker": 8,
        "cross without marker": 142,
    }


def test_counts_of_a_clinic():
    # 100 subjects, 4 of them positive, 4 images each: 16 positives of which round(14.4) carry it, 384 others.
    found = counts(
        400,
        classes=("no finding", "finding"),
        class_shares=(0.96, 0.04),
        images_per_subject=4,
        marker=Marker("tag", of_class="finding", share=0.9, conflicting=0.01),
    )
    assert found == {
        "finding with marker": 14,
        "finding without marker": 2,
        "no finding with marker": 4,
        "no finding without marker": 380,
    }


def test_two_shortcuts_do_not_know_each_other():
    second = Marker("tag", place="top", of_class="cross", share=0.5, conflicting=0.5)
    found = counts(400, marker=Marker(share=0.5, conflicting=0.5), second=second)
    assert set(found) == {
        f"{name} {one} marker and {two} second marker"
        for name in ("circle", "cross")
        for one in ("with", "without")
        for two in ("with", "without")
    }
    # 100 of 200 carry each; of the 100 that carry one, half carry the other: 50, give or take 3 x 3.5.
    assert all(40 <= count <= 60 for count in found.values())


def test_without_a_marker_the_groups_are_the_classes():
    assert counts(10) == {"circle": 5, "cross": 5}


def test_the_conflicting_share_is_of_each_other_class():
    found = counts(300, classes=("a", "b", "c"), marker=Marker(of_class="b", share=1, conflicting=0.1))
    assert found == {
        "b with marker": 100,
        "a with marker": 10,
        "c with marker": 10,
        "a without marker": 90,
        "c without marker": 90,
    }


@given(
    n=st.integers(40, 300),
    each=st.integers(1, 5),
    parts=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    seed=st.integers(0, 99),
)
def test_counts_are_as_near_to_the_shares_as_can_be(n, each, parts, seed):
    shares = tuple(part / sum(parts) for part in parts)
    settings = ShortcutSettings(
        classes=tuple("abcd")[: len(parts)], class_shares=shares, images_per_subject=each
    )
    assume(-(-n // each) * min(shares) >= 1)
    laid_out = plan(n, seed, 7, settings)
    subjects, at = np.unique(laid_out.subjects, return_index=True)
    assert subjects.tolist() == list(range(7, 7 + -(-n // each)))
    found = np.bincount(laid_out.labels[at], minlength=len(parts))
    assert (abs(found - len(subjects) * np.array(shares)) < 1).all()
    for subject in subjects:
        of_subject = laid_out.subjects == subject
        assert len(set(laid_out.labels[of_subject])) == len(set(laid_out.sites[of_subject])) == 1
        assert laid_out.views[of_subject].tolist() == list(range(of_subject.sum()))
        assert of_subject.sum() == each or subject == subjects[-1]


def test_the_seed_chooses_who():
    settings = ShortcutSettings(marker=Marker())

    def drawn(seed, first=0):
        laid_out = plan(200, seed, first, settings)
        return np.column_stack([laid_out.labels, laid_out.carries])

    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))
    assert not np.array_equal(drawn(1), drawn(1, first=200))
    # No order gives the class away: about half of the first half is of the first class.
    assert 35 <= (drawn(1)[:100, 0] == 0).sum() <= 65


def test_sites_go_with_the_class_but_for_a_tenth():
    laid_out = plan(300, 0, 0, ShortcutSettings(classes=("a", "b", "c")))
    for label, own in enumerate(("site a", "site b", "site c")):
        found = Counter(laid_out.sites[laid_out.labels == label].tolist())
        assert found[own] == 90
        assert found.total() == 100
        assert set(found) == {"site a", "site b", "site c"}


@pytest.mark.parametrize(
    ("each", "sentence"),
    [
        (1, "expected enough images for each class, got 10, of which class 'b' would have none; make more"),
        (2, "expected enough subjects for each class, got 5, of which class 'b' would have none; make more"),
    ],
)
def test_an_empty_class_is_refused(each, sentence):
    settings = ShortcutSettings(classes=("a", "b"), class_shares=(0.96, 0.04), images_per_subject=each)
    with pytest.raises(InputError) as caught:
        plan(10, 0, 0, settings)
    assert str(caught.value) == sentence
