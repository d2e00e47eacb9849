"""MT003 and MT004: what happens when the area is hidden that is looked at."""

import numpy as np
import pytest

from findings.observations import observed
from masktune.evaluation import wilson
from masktune.findings import mt003_leans_on, mt004_faithful


def hiding(salient_flips, random_flips, *, n=100, area=0.04, same_classes=True):
    """Two classes, all right; hiding the salient area flips the first images, a random one the last."""
    labels = np.arange(n) % 2
    sure = 4 * np.eye(2)[labels]
    logits = {}
    for name, flipped in (
        ("salient", np.arange(n) < salient_flips),
        ("random", np.arange(n) >= n - random_flips),
    ):
        logits[name] = np.where(flipped[:, None], sure[:, ::-1], sure).astype(np.float32)
    logits["least_salient"] = sure.astype(np.float32)
    return observed(labels, sure, hidden_logits=logits, hidden=np.full(n, area), same_classes=same_classes)


def numbers(finding):
    return {one.name: one for one in finding.evidence}


def test_a_small_area_that_decides_is_a_hint():
    (found,) = mt003_leans_on.ask(hiding(60, 10))
    assert found.verdict == "hint"
    told = numbers(found)
    assert told["flip rate, salient area hidden"].value == 0.6
    assert told["flip rate, random area hidden"].value == 0.1
    assert told["flip rate, least salient area hidden"].value == 0
    assert told["flip rate, salient minus random"].value == 0.5
    assert told["accuracy, salient area hidden"].value == 0.4
    assert told["accuracy, salient minus random area hidden"].value == pytest.approx(-0.5)
    # 60 lost and 10 gained against the random area: exact McNemar.
    from scipy.stats import binomtest

    assert told["accuracy, salient minus random area hidden"].p_value == pytest.approx(
        binomtest(10, 70).pvalue
    )
    assert len(found.samples) == 12


def test_a_large_area_or_few_flips_are_none():
    assert mt003_leans_on.ask(hiding(60, 10, area=0.2))[0].verdict == "passed"
    assert mt003_leans_on.ask(hiding(20, 10))[0].verdict == "passed"


def test_nothing_of_right_and_wrong_with_classes_of_its_own():
    (found,) = mt003_leans_on.ask(hiding(60, 10, same_classes=False))
    assert not any("accuracy" in name for name in numbers(found))


def test_leaning_is_not_applicable_without_maps():
    assert mt003_leans_on.ask(hiding(0, 0, area=0.0))[0].verdict == "not_applicable"
    assert mt004_faithful.ask(hiding(0, 0, area=0.0))[0].verdict == "not_applicable"


def test_a_faithful_map():
    (found,) = mt004_faithful.ask(hiding(60, 10))
    assert found.verdict == "passed"
    drop = 1 / (1 + np.exp(-4)) - 1 / (1 + np.exp(4))  # Of an image that flips: 0.982 to 0.018.
    told = numbers(found)
    assert told["fall of its probability, salient area hidden"].value == pytest.approx(0.6 * drop)
    assert told["fall, salient minus random"].value == pytest.approx(0.5 * drop)


def test_a_map_no_better_than_chance_is_a_hint():
    (found,) = mt004_faithful.ask(hiding(20, 20))
    assert found.verdict == "hint"
    assert "Do not trust the heat maps" in found.advice


def test_many_empty_maps_are_a_hint():
    seen = hiding(60, 10)
    seen.hidden[70:] = 0
    (found,) = mt004_faithful.ask(seen)
    assert found.verdict == "hint"
    assert found.reason.endswith("but 30 % of the images have no map")


def test_the_two_tests_of_accuracy_are_corrected_for_each_other():
    from scipy.stats import binomtest

    (found,) = mt003_leans_on.ask(hiding(12, 4))
    told = numbers(found)
    random, least = (
        told[f"accuracy, salient minus {name} area hidden"].p_value for name in ("random", "least salient")
    )
    # Holm: the smaller (12 lost, none gained) twice, the larger (12 lost, 4 gained) as it is.
    assert least == pytest.approx(2 * binomtest(0, 12).pvalue)
    assert random == pytest.approx(binomtest(4, 16).pvalue)


def test_shares_have_intervals():
    seen = hiding(60, 10)
    seen.hidden[:] = np.where(np.arange(100) < 20, 0.0, 0.05)
    hidden = numbers(mt003_leans_on.ask(seen)[0])["share of the picture that is hidden, mean"]
    assert hidden.value == pytest.approx(0.04)
    # The mean of a coin of 0.8 times 0.05: standard error 0.002.
    assert (hidden.low, hidden.high) == pytest.approx((0.036, 0.044), abs=0.0008)
    empty = numbers(mt004_faithful.ask(seen)[0])["share of images with nothing hidden"]
    expected = wilson(20, 100)
    assert (empty.value, empty.low, empty.high) == pytest.approx((0.2, expected.low, expected.high))
