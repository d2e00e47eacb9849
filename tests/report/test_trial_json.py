"""`report.json` of a trial and its schema."""

import json
from typing import get_args

import pytest
from tests.report.trials import REASONS, secret_trial, trial_of

from masktune.report.page import trial_words
from masktune.report.report_json import report_schema
from masktune.report.trial_json import trial_json
from masktune.trial.changes import Kind
from masktune.trial.scores import SCORES
from masktune.trial.settings import ARMS
from masktune.trial.verdict import Why

jsonschema = pytest.importorskip("jsonschema")


def check(report):
    jsonschema.Draft202012Validator(report_schema()).validate(json.loads(json.dumps(report, allow_nan=False)))


@pytest.mark.parametrize(
    "trialled",
    [
        trial_of(),
        trial_of("collapsed", stopped={"masktune": "it broke"}, groups=False, sha256=""),
        trial_of("cannot_be_known", arms=("untouched", "continue_erm"), shown=(), test=False),
        secret_trial(),
    ],
)
def test_a_trial_fits_the_schema(trialled):
    check(trial_json(trialled, ["One."]))
    check(trial_json(trialled, ["One."], pseudonymous=True))


def test_report_json_holds_the_records():
    trialled = trial_of()
    report = trial_json(trialled, ["One."], command="masktune tune", made="today", versions={"torch": "2.9"})
    assert (report["schema"], report["command"]) == ("masktune.report/1", "tune")
    assert (report["verdict"], report["why"], report["findings"]) == ("helped", "gain", [])
    assert report["data"]["images"] == 720 + 80 + 200 + 120
    assert [arm["name"] for arm in report["arms"]] == [arm.name for arm in trialled.arms]
    accuracy = report["arms"][4]["measures"]["validation"][0]
    assert (accuracy["metric"], accuracy["value"], accuracy["n"]) == ("accuracy", 0.945, 200)
    assert report["right_on_conflicting"]["masktune"] == 7
    assert report["scores"][0]["best_control"] == "least_salient_mask"
    assert report["scores"][0]["gains"][0]["value"] == pytest.approx(0.3)
    assert [one["name"] for one in report["changes"]] == [one.name for one in trialled.changes]
    assert sum(one["sure"] for one in report["changes"]) == 2
    assert report["rate"]["tried"][0] == {"rate": 3e-3, "accuracy": None, "behind": None, "allowed": None}
    assert report["counts"]["validation"] == {"cat": 100, "dog": 100}
    assert report["kind"] == {"images": False, "names": True}


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        ({"verdict": None}, "verdict"),
        ({"why": "because"}, "why"),
        ({"arms": []}, "arms"),
        ({"rate": {"rate": 0, "tried": []}}, "rate"),
        ({"command": "scan"}, "verdict"),
        ({"counts": {"train": {"cat": -1}}}, "counts"),
    ],
)
def test_the_schema_refuses(broken, where):
    report = json.loads(json.dumps(trial_json(trial_of(), ["One."]) | broken))
    found = jsonschema.Draft202012Validator(report_schema()).iter_errors(report)
    assert where in {str(error.absolute_path[0]) for error in found if error.absolute_path}


def test_the_schema_wants_the_verdict_explained():
    report = trial_json(trial_of(), ["One."])
    del report["why"]
    with pytest.raises(jsonschema.ValidationError, match="'why' is a required property"):
        check(report)


def test_the_schema_knows_all_words_of_the_records():
    schema = report_schema()
    arm, score, change = (schema["$defs"][name] for name in ("arm_name", "score", "change"))
    assert set(schema["properties"]["why"]["enum"]) == set(get_args(Why))
    assert set(arm["enum"]) == set(ARMS)
    assert set(score["properties"]["name"]["enum"]) == set(SCORES)
    assert set(change["properties"]["kind"]["enum"]) == set(get_args(Kind))


def test_there_are_words_for_all_words_of_the_records():
    assert set(trial_words.ARMS) == set(ARMS)
    assert set(trial_words.SCORES) == set(SCORES)
    assert set(trial_words.KINDS) == set(get_args(Kind))
    assert set(REASONS) == set(get_args(Why))
    for why in get_args(Why):
        assert trial_words.advice(trial_of(why))
