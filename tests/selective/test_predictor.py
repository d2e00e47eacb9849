"""From two models' predictions to answers, and to JSON and back."""

import json
from dataclasses import replace

import numpy as np
import pytest

from masktune.errors import CannotCertify, DataDamaged, DataNotFound, InputError
from masktune.evaluation import Predictions
from masktune.selective import (
    EmpiricalRisk,
    GuaranteedRisk,
    JointError,
    Parentage,
    Score,
    SelectivePredictor,
    TargetCoverage,
    by_group,
    fit_temperature,
    worst_group,
)
from masktune.selective.predictor import one_a_subject


def said(n=1000, seed=0, classes=3, sure=3.0, prefix="a", **columns):
    random = np.random.default_rng(seed)
    labels = np.random.default_rng(99).integers(classes, size=n)
    logits = random.normal(size=(n, classes))
    logits[np.arange(n), labels] += sure * random.random(n)
    return Predictions(
        logits.astype(np.float32), labels, np.array([f"{prefix}{i}" for i in range(n)]), **columns
    )


PAIR = said(), said(seed=1)
OTHERS = said(prefix="b", seed=2), said(prefix="b", seed=3)


def test_it_answers_or_abstains():
    ready = SelectivePredictor(Score("product"), TargetCoverage(0.7)).calibrate(*PAIR)
    decisions = ready.predict(*OTHERS)
    scored = Score("product").of(*OTHERS)
    expected = scored.scores >= ready.found[0].threshold
    assert (decisions.accepted == expected).all()
    assert (decisions.labels == np.where(expected, scored.labels, -1)).all()
    assert decisions.accepted.mean() == pytest.approx(0.7, abs=0.06)


def test_what_is_judged_can_be_counted_by_hand():
    groups = np.where(np.arange(1000) % 3 == 0, "few", "many")
    first = replace(OTHERS[0], groups=groups)
    ready = SelectivePredictor(Score("product"), TargetCoverage(0.7)).calibrate(*PAIR)
    judged = ready.judge(first, OTHERS[1])
    scored = Score("product").of(*OTHERS)
    taken, wrong = scored.scores >= ready.found[0].threshold, scored.labels != first.labels
    assert judged.coverage.value == taken.mean()
    assert judged.risk.value == wrong[taken].mean()
    assert judged.risk.n == taken.sum()
    assert judged.wrong_rejected.value == wrong[~taken].mean()
    assert judged.agreement.value == (OTHERS[0].predicted == OTHERS[1].predicted).mean()
    few = judged.groups[0]
    assert (few.group, few.coverage.n) == ("few", (groups == "few").sum())
    assert few.risk.value == wrong[taken & (groups == "few")].mean()
    # The group-agnostic reference: all accepted right and wrong answers, spread by the groups' shares.
    right_share, wrong_share = (~wrong & taken).sum() / (~wrong).sum(), (wrong & taken).sum() / wrong.sum()
    mine = groups == "few"
    rights, errors = right_share * (~wrong & mine).sum(), wrong_share * (wrong & mine).sum()
    assert few.reference == pytest.approx(errors / (rights + errors))
    assert few.gap == pytest.approx(few.risk.value - few.reference)
    # Group rows add up.
    for name in ("coverage", "risk"):
        total = sum(getattr(part, name).n for part in judged.groups)
        assert total == getattr(judged, name).n
    assert sum(part.risk.n * part.risk.value for part in judged.groups) == pytest.approx(wrong[taken].sum())


def test_a_group_without_an_accepted_image_has_no_risk():
    parts = by_group(np.array(["a", "a", "b"]), np.array([True, True, False]), np.array([True, False, False]))
    assert (parts[1].risk.value, parts[1].coverage.value) == (None, 0.0)
    assert worst_group(parts).group == "a"
    assert parts[0].few


def test_the_calibration_images_are_not_judged_on():
    ready = SelectivePredictor(Score("sr"), TargetCoverage(0.7)).calibrate(PAIR[0])
    with pytest.raises(InputError, match="the images that the threshold was found on"):
        ready.judge(PAIR[0])


@pytest.mark.parametrize("rule", [GuaranteedRisk(0.2), JointError(0.2)])
@pytest.mark.parametrize("role", ["model-selection", "training"])
def test_a_guarantee_needs_unread_images(rule, role):
    """Bug 7."""
    with pytest.raises(InputError, match="calibration-share"):
        SelectivePredictor(Score("sr"), rule).calibrate(PAIR[0], role=role)
    assert SelectivePredictor(Score("sr"), EmpiricalRisk(0.2)).calibrate(PAIR[0], role=role).role == role


def test_a_guarantee_reads_one_image_of_a_subject():
    subjects = np.array([f"{i // 4}" for i in range(1000)])
    first = replace(PAIR[0], subjects=subjects)
    ready = SelectivePredictor(Score("product"), GuaranteedRisk(0.5)).calibrate(first, PAIR[1])
    assert ready.found[0].n == 250
    kept = one_a_subject(first, seed=3)
    assert sorted(subjects[kept].tolist()) == sorted({*subjects})
    assert (one_a_subject(first, seed=3) == kept).all()
    assert (one_a_subject(first, seed=4) != kept).any()
    scored = Score("product").of(*PAIR)
    chosen = one_a_subject(first)
    expected = GuaranteedRisk(0.5).found(scored.scores[chosen], (scored.labels != first.labels)[chosen])
    assert ready.found[0] == replace(expected, promise=f"{expected.promise}; one image of each subject")
    assert SelectivePredictor(Score("sr"), TargetCoverage(0.5)).calibrate(first).found[0].n == 1000


def test_per_class_thresholds_share_delta():
    ready = SelectivePredictor(Score("sr"), GuaranteedRisk(0.5, delta=0.06), per_class=True)
    ready = ready.calibrate(PAIR[0])
    for label, one in enumerate(ready.found):
        part = PAIR[0].predicted == label
        scored = Score("sr").of(PAIR[0])
        expected = GuaranteedRisk(0.5, delta=0.02).found(
            scored.scores[part], (scored.labels != PAIR[0].labels)[part]
        )
        assert (one.threshold, one.n) == (expected.threshold, part.sum())
    decisions = ready.predict(OTHERS[0])
    thresholds = np.array([one.threshold for one in ready.found])
    assert (decisions.accepted == (decisions.scored.scores >= thresholds[OTHERS[0].predicted])).all()


def test_a_class_that_cannot_be_certified_is_never_answered():
    first = said(300, classes=2, sure=8.0)
    worse = first.logits.copy()
    flip = (first.labels == 1) & (np.arange(300) % 2 == 0)
    worse[flip] = worse[flip][:, ::-1]  # Half of class 1 is called class 0.
    first = replace(first, logits=worse)
    ready = SelectivePredictor(Score("sr"), GuaranteedRisk(0.1), per_class=True).calibrate(first)
    assert [one.certified for one in ready.found] == [False, True]
    assert ready.found[0].threshold == np.inf
    assert not (ready.predict(said(100, classes=2, prefix="c")).labels == 0).any()
    with pytest.raises(CannotCertify):
        SelectivePredictor(Score("sr"), GuaranteedRisk(0.001), per_class=True).calibrate(first)


@pytest.mark.parametrize(
    "predictor",
    [
        SelectivePredictor(Score("product"), TargetCoverage(0.7)),
        SelectivePredictor(Score("agree_min", on_disagree="rank_last"), TargetCoverage(1.0)),
        SelectivePredictor(Score("mean", temperatures=(1.5, 0.7)), GuaranteedRisk(0.4, delta=0.1, starts=2)),
        SelectivePredictor(Score("product"), EmpiricalRisk(0.0)),
        SelectivePredictor(Score("product"), JointError(0.2)),
        SelectivePredictor(Score("product"), TargetCoverage(0.5), per_class=True),
    ],
)
def test_json_round_trip(predictor, tmp_path):
    weights = Parentage("aa", "bb", "aa")
    ready = predictor.calibrate(*PAIR, weights=weights)
    ready.save(tmp_path / "predictor.json")
    back = SelectivePredictor.load(tmp_path / "predictor.json")
    assert back == ready
    assert back.weights.related
    assert (back.predict(*OTHERS).labels == ready.predict(*OTHERS).labels).all()
    json.loads((tmp_path / "predictor.json").read_text(), parse_constant=pytest.fail)  # No NaN, no Infinity.


def test_what_is_no_predictor(tmp_path):
    path = tmp_path / "predictor.json"
    with pytest.raises(DataNotFound, match="there is no predictor"):
        SelectivePredictor.load(path)
    for content in ("", "[]", "{}", '{"schema": "masktune.selective/2"}'):
        path.write_text(content)
        with pytest.raises(DataDamaged, match="is no predictor of masktune"):
            SelectivePredictor.load(path)


def test_an_uncalibrated_one_answers_nothing(tmp_path):
    with pytest.raises(InputError, match="call calibrate first"):
        SelectivePredictor().predict(*PAIR)
    with pytest.raises(InputError, match="call calibrate first"):
        SelectivePredictor().save(tmp_path / "predictor.json")
    assert not list(tmp_path.iterdir())


def test_other_classes_are_refused():
    ready = SelectivePredictor(Score("sr"), TargetCoverage(0.7)).calibrate(PAIR[0])
    with pytest.raises(InputError, match="predictions of 3 classes, got 4"):
        ready.predict(said(classes=4))


def test_per_class_needs_a_rule_that_can():
    with pytest.raises(InputError, match="thresholds by class"):
        SelectivePredictor(Score("sr"), JointError(0.1), per_class=True)


def test_a_temperature_is_found_again():
    """Labels drawn from softmax(z / 2.5): the likeliest temperature is near 2.5."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 3)) * 4
    powers = np.exp(logits / 2.5)
    shares = np.cumsum(powers / powers.sum(axis=1, keepdims=True), axis=1)
    labels = (random.random(20_000)[:, None] > shares).sum(axis=1)
    ids = np.array([f"{i}" for i in range(20_000)])
    assert fit_temperature(Predictions(logits.astype(np.float32), labels, ids)) == pytest.approx(
        2.5, rel=0.03
    )


def test_a_perfect_classifier_has_a_finite_temperature():
    """Bug 52: without a bound it runs to infinity or below 0."""
    logits = np.array([[5, 0], [0, 5]], dtype=np.float32)
    found = fit_temperature(Predictions(logits, np.array([0, 1]), np.array(["a", "b"])))
    assert 0.05 <= found < 0.06
