"""A column that changes where the classifier looks, and nothing else."""

import numpy as np
import pytest

from masktune.findings import mt008_properties, mt009_names, mt011_columns
from masktune.findings.column_attention import looks
from masktune.findings.columns import Asked

from .made import words
from .observations import Clean, observed

BY = "share of where it looks that goes with it, within classes (R squared)"


def places(n, seed, corner=None):
    """A square of 4 x 4 cells at one of 16 places at random; where `corner`, at the top left in 3 of 4."""
    random = np.random.default_rng([seed, 7])
    top, left = 4 * random.integers(0, 4, n), 4 * random.integers(0, 4, n)
    if corner is not None:
        moved = corner & (random.random(n) < 0.75)
        top[moved], left[moved] = 0, 0
    where = np.zeros((n, 16, 16), np.uint8)
    for at in range(n):
        where[at, top[at] : top[at] + 4, left[at] : left[at] + 4] = 255
    return where


def two_sites(seed=0, n=400, share=0.3):
    return np.random.default_rng([seed, 8]).random(n) < share


def letters(which):
    return words(np.where(which, "B", "A"))


def test_a_site_where_it_looks_elsewhere_is_a_hint():
    at_b = two_sites()
    seen = Clean(400).observed(columns={"site": letters(at_b)}, where=places(400, 0, at_b))
    (found,) = mt011_columns.ask(seen)
    assert (found.verdict, found.reason) == ("hint", 'it looks elsewhere where "site" is "B"')
    assert found.about == {"column": "site", "value": "B"}
    assert found.advice.startswith("Hold the heat maps of the samples against those of other images")
    assert all(at_b[int(name[:5])] for name in found.samples)
    look = next(one for one in found.evidence if one.name == BY)
    assert (look.n, look.p_value) == (400, 1e-4)
    # Of two parts at 16 places the spread between them is known: 0.21 * |difference of mean shares|^2.
    far = 0.75**2 * (15 / 16)
    between = 0.3 * 0.7 * far
    mean = 0.7 / 16 * np.ones(16) + 0.3 * (0.25 / 16 + 0.75 * (np.arange(16) == 0))
    assert look.value == pytest.approx(between / (1 - (mean**2).sum()), abs=0.04)


def test_it_is_no_verdict_for_what_a_picture_shows():
    at_b = two_sites()
    seen = Clean(400).observed(properties={"blue": at_b.astype(float)}, where=places(400, 0, at_b))
    assert mt008_properties.ask(seen)[0].verdict == "passed"


def test_folders_are_asked_too_and_nets_with_other_classes():
    at_b = two_sites()
    seen = observed(
        np.arange(400) % 2, facts={"folder 1": letters(at_b)}, where=places(400, 0, at_b), same_classes=False
    )
    (found,) = mt009_names.ask(seen)
    assert found.reason == 'it looks elsewhere where "folder 1" is "B"'


def test_a_split_may_be_looked_at_elsewhere():
    at_b = two_sites()
    splits = np.where(at_b, "test", "train")
    seen = Clean(400).observed(splits=splits, where=places(400, 0, at_b))
    assert mt011_columns.ask(seen)[0].verdict == "passed"


def test_chance_is_no_look_elsewhere():
    fired = 0
    for seed in range(30):
        random = np.random.default_rng([seed, 9])
        many = {f"word {at}": words(f"w{one}" for one in random.integers(0, 20, 300)) for at in range(5)}
        seen = Clean(300, 3, seed).observed(columns=many, where=places(300, seed))
        found = mt011_columns.ask(seen)
        fired += any(one.reason.startswith("it looks elsewhere") for one in found)
        assert found[0].verdict != "passed" or "nor look elsewhere" in found[0].reason
    assert fired <= 3


def test_many_bins_explain_much_by_chance_which_is_taken_off():
    asked = Asked.of(
        Clean(300, 3).observed(
            where=places(300, 0), columns={"word": words(f"w{at % 20}" for at in range(300))}
        )
    )
    (look,) = looks(asked, asked.usable("columns"), 1)
    assert look.depends.explained > 0.1
    assert abs(look.beyond) < 0.05
    assert not look.clear


def test_p_values_are_corrected_for_the_columns_of_all_families():
    at_b = two_sites()
    seen = Clean(400).observed(columns={"site": letters(at_b)}, where=places(400, 0, at_b))
    asked = Asked.of(seen)
    alone, among = (looks(asked, asked.usable("columns"), count)[0] for count in (1, 40))
    assert among.depends.p_value == pytest.approx(40 * alone.depends.p_value)


def test_images_that_hide_nothing_are_not_asked():
    at_b = two_sites()
    where = places(400, 0)
    where[at_b] = 0  # Empty maps are no other place.
    seen = Clean(400).observed(columns={"site": letters(at_b)}, where=where)
    assert mt011_columns.ask(seen)[0].verdict == "passed"
    asked = Asked.of(Clean(400).observed(columns={"site": letters(at_b)}))
    (look,) = looks(asked, asked.usable("columns"), 1)
    assert (look.n, look.depends.p_value, look.clear) == (0, 1, False)


def test_at_most_600_images_are_asked():
    at_b = two_sites(n=3000)
    asked = Asked.of(Clean(3000).observed(columns={"site": letters(at_b)}, where=places(3000, 0, at_b)))
    (look,) = looks(asked, asked.usable("columns"), 1)
    assert (look.n, look.clear) == (600, True)


def test_subjects_are_what_counts():
    # Six subjects of 60 images, three at either site: where each looks is one observation.
    subjects = np.arange(720) // 60
    at_b = subjects // 2 % 2 == 1
    corner = np.isin(subjects, [2, 3])
    seen = observed(
        subjects % 2, columns={"site": letters(at_b)}, subjects=subjects, where=places(720, 0, corner)
    )
    assert mt011_columns.ask(seen)[0].verdict == "passed"
