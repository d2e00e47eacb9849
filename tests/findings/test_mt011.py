import time
from dataclasses import replace

import numpy as np
import pytest

from masktune.findings import mt008_properties, mt009_names, mt010_tags
from masktune.findings.mt011_columns import QUESTION

from .made import Planted, chance, words
from .observations import observed


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("per_subject", [1, 4])
def test_fires_where_the_classifier_goes_with_a_site(classes, per_subject):
    made = Planted(n=800, classes=classes, per_subject=per_subject, share=0.9)
    (found,) = QUESTION.ask(made.observed(columns={"site": made.site}))
    assert (found.code, found.verdict) == ("MT011", "problem")
    assert found.about["value"] == f"site {found.about['class'][-1]}"


@pytest.mark.parametrize("per_subject", [1, 4])
def test_a_site_that_the_classifier_ignores_is_a_hint(per_subject):
    made = Planted(uses=False, per_subject=per_subject)
    (found,) = QUESTION.ask(made.observed(columns={"site": made.site}))
    assert found.verdict == "hint"


def test_ages_are_numbers():
    made = Planted()
    age = words(np.random.default_rng(0).integers(20, 50, 400) + 30 * made.copied)
    (found,) = QUESTION.ask(made.observed(columns={"age": age}))
    assert found.verdict == "problem"
    low, high = map(int, found.about["value"].split(" to "))
    assert (low, high) in ((20, 49), (50, 79)) or high - low > 20


def test_a_balanced_site_that_decides_is_a_problem():
    # Half of each class at either site, and the classifier says what the site says.
    labels, site = np.arange(400) % 2, np.arange(400) // 2 % 2
    logits = np.eye(2)[site] * 2 + np.random.default_rng(0).normal(0, 0.5, (400, 2))
    (found,) = QUESTION.ask(observed(labels, logits, columns={"site": words(site)}))
    assert found.verdict == "problem"
    # The site's number is the class that it speaks for.
    assert found.about["value"] == found.about["class"][-1]
    assert "points less often" in found.reason


def test_copies_of_one_subject_are_no_proof():
    # Three subjects a class, 100 images each: the site of all of a class's subjects may agree by chance.
    subjects = np.repeat(np.arange(12), 50)
    labels = subjects % 2
    site = np.random.default_rng(0).permutation(np.repeat([0, 1], 6))[subjects]
    (found,) = QUESTION.ask(observed(labels, columns={"site": words(site)}, subjects=subjects))
    assert found.verdict == "passed"


def test_correction_counts_the_columns_of_all_families():
    made = Planted(n=200, share=0.5)
    labels = made.labels
    seen = made.observed(columns={"site": words(labels)}, properties=chance(200, 60, 0)["properties"])
    (found,) = QUESTION.ask(seen)
    assert found.evidence[0].p_value == pytest.approx(31e-4)  # 30 numbers and the site.


def test_a_split_is_told_but_its_errors_are_not():
    labels = np.arange(400) % 2
    split = np.where(np.arange(400) < 200, "train", "test")
    logits = np.eye(2)[labels] * np.where(split == "train", 3, -1)[:, None]  # All of the test set is wrong.
    (found,) = QUESTION.ask(observed(labels, logits, splits=split))
    assert found.verdict == "passed"
    lopsided = np.where((np.arange(400) % 10 < 9) == (labels == 0), "train", "test")
    (found,) = QUESTION.ask(observed(labels, logits, splits=lopsided))
    assert (found.verdict, found.about["column"]) == ("hint", "split")


def test_not_applicable_without_columns():
    (found,) = QUESTION.ask(observed(np.arange(60) % 2))
    assert found.reason == "there is no manifest with further columns, and no group or split"
    ids = {"case": words(range(60)), "note": words(f"text {at}" for at in range(60))}
    (found,) = QUESTION.ask(observed(np.arange(60) % 2, columns={"note": ids["note"]}))
    assert found.verdict == "not_applicable"
    (found,) = QUESTION.ask(observed(np.arange(60) % 2, columns=ids))
    assert found.verdict == "passed"  # Numbers have an order that may go with the class.


def test_a_thousand_images_and_forty_columns_take_below_four_seconds():
    made = Planted(n=1000)
    more = chance(1000, 38, 0)
    seen = made.observed(
        properties=more["properties"],
        columns=more["columns"] | {"site": made.site},
        facts={"folder 1": made.site},
        where=np.random.default_rng(0).integers(0, 256, (1000, 16, 16)).astype(np.uint8),
    )
    started = time.perf_counter()
    for module in (mt008_properties, mt009_names, mt010_tags):
        module.QUESTION.ask(seen)
    QUESTION.ask(seen)
    assert time.perf_counter() - started < 4


@pytest.mark.parametrize(("against", "verdict"), [(4, "hint"), (5, "problem")])
def test_five_images_have_to_go_against_it(against, verdict):
    labels = np.arange(400) % 2
    site = labels.copy()
    site[: 2 * against : 2] = 1  # Of class 0.
    margin = np.random.default_rng(0).normal(4, 0.5, 400) - 5 * (site != labels)
    (found,) = QUESTION.ask(
        observed(labels, np.eye(2)[labels] * margin[:, None], columns={"site": words(site)})
    )
    assert found.verdict == verdict
    assert ("too few images go against it" in found.reason) == (verdict == "hint")


def test_images_that_go_against_it_and_are_easier_are_no_problem():
    made = Planted(share=0.9, uses=False)
    margin = np.random.default_rng(0).normal(2, 1, 400) + 3 * (made.copied != made.labels)
    seen = observed(made.labels, np.eye(2)[made.labels] * margin[:, None], columns={"site": made.site})
    (found,) = QUESTION.ask(seen)
    assert found.verdict == "hint"
    ranks = next(one for one in found.evidence if one.name.startswith("share of the margin's ranks"))
    assert ranks.p_value < 0.001
    area = next(one for one in found.evidence if one.name.startswith("chance that an image"))
    assert area.value < 0.1


def test_groups_with_the_class_in_their_names_are_asked_for_errors_alone():
    labels, place = np.arange(400) % 2, np.arange(400) // 2 % 2
    names = [f"class {label} on {on}" for label, on in zip(labels, place, strict=True)]
    even, seen = np.eye(2)[labels] * 3, observed(labels)
    for logits, verdict in ((even, "passed"), (even - 6 * np.eye(2)[labels] * (place == 1)[:, None], "hint")):
        predictions = replace(seen.predictions, logits=logits.astype(np.float32), groups=np.array(names))
        (found,) = QUESTION.ask(replace(seen, predictions=predictions))
        assert found.verdict == verdict
    assert found.about["value"].endswith("on 1")
    assert "points lower" in found.reason
