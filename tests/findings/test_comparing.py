"""Two scans image by image."""

from dataclasses import replace

import numpy as np
import pytest

from findings.observations import observed
from masktune.errors import InputError
from masktune.findings.comparing import compare_scans
from masktune.findings.finding import Finding
from masktune.findings.shown import Scanned

N = 40


def scanned(wrong, *, findings=(), sha256="a", labels=None, ids=None, **settings):
    """A scan of two classes where these positions are classified wrong."""
    labels = np.arange(N) % 2 if labels is None else labels
    said = np.where(np.isin(np.arange(N), wrong), 1 - labels, labels)
    logits = 4.0 * np.eye(2)[said]
    seen = observed(labels, logits, classes=("cat", "dog"), ids=ids)
    return Scanned(
        name="pets", findings=tuple(findings), observed=seen, shown=(), settings=settings, sha256=sha256
    )


def finding(code="MT002", verdict="problem", **about):
    return Finding(code=code, title="?", verdict=verdict, reason="because", advice="do", about=about)


def by_name(compared):
    return {change.name: change for change in compared.changes}


def test_what_got_better_and_worse_by_hand():
    """Ten cats wrong before, one dog wrong after."""
    cats = list(range(0, 20, 2))
    compared = compare_scans(scanned(cats), scanned([1]))
    change = by_name(compared)
    assert (change["accuracy"].before, change["accuracy"].after) == (0.75, 0.975)
    # 10 gained, 1 lost: exact McNemar 2 * (1 + 11) / 2^11; four changes, Holm.
    assert change["accuracy of cat"].p_value == pytest.approx(4 * 2 / 2**10)
    assert change["accuracy"].p_value == pytest.approx(3 * 2 * 12 / 2**11)
    assert change["accuracy of cat"].verdict == change["accuracy"].verdict == "better"
    assert change["accuracy of dog"].verdict == "no evidence"
    assert compared.gained == tuple(f"{i:05d}.png" for i in cats)
    assert compared.lost == ("00001.png",)
    back = by_name(compare_scans(scanned([1]), scanned(cats)))
    assert back["accuracy"].verdict == "worse"


def test_every_difference_is_named():
    before = scanned([], batch_size=32, seed=0)
    after = scanned([], sha256="b", batch_size=16, seed=0)
    records = (
        {"weights_sha256": "w1", "versions": {"torch": "1"}, "settings": {"split": "test", "seed": 0}},
        {"weights_sha256": "w2", "versions": {"torch": "2"}, "settings": {"split": "train", "seed": 0}},
    )
    assert compare_scans(before, after, records).differences == (
        "other data: a, then b",
        "batch_size was 32, is 16",
        "weights_sha256 was w1, is w2",
        "split was test, is train",
        "torch was 1, is 2",
    )


def test_findings_that_went_and_came():
    before = scanned([], findings=[finding(place="corner"), finding("MT005", "hint")])
    after = scanned([], findings=[finding("MT005", "hint"), finding("MT008", "problem", column="size")])
    compared = compare_scans(before, after)
    assert compared.gone == ("MT002 (problem): because",)
    assert compared.new == ("MT008 (problem): because",)


def test_paired_by_id_whatever_the_order_and_only_what_both_have():
    before = scanned([0])
    ids = [f"{i:05d}.png" for i in range(5, N + 5)]
    after = scanned([], labels=np.arange(5, N + 5) % 2, ids=ids)
    compared = compare_scans(before, after)
    assert (compared.n, compared.only_before, compared.only_after) == (N - 5, 5, 5)
    assert by_name(compared)["accuracy"].before == 1
    turned = replace(before, observed=_turned(before.observed))
    assert compare_scans(before, turned).differences == ()
    assert compare_scans(before, turned).changes[0].before == compare_scans(before, turned).changes[0].after


def _turned(seen):
    return observed(
        seen.labels[::-1],
        seen.predictions.logits[::-1],
        classes=seen.data_classes,
        ids=seen.ids[::-1].tolist(),
    )


def test_nothing_in_common():
    with pytest.raises(InputError, match="expected two runs with images in common, paired by id; they have"):
        compare_scans(scanned([]), scanned([], ids=[f"other {i}" for i in range(N)]))
