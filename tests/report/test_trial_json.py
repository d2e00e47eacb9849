"""`report.json` of a trial and its schema."""

import json

import pytest
from tests.report.trials import secret_trial, trial_of

from masktune.report.report_json import report_schema
from masktune.report.trial_json import trial_json

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
    assert report["scores"][0]["best_control"] == "least_salient_mask"
    assert report["scores"][0]["gains"][0]["value"] == pytest.approx(0.3)
    assert [one["name"] for one in report["changes"]] == [one.name for one in trialled.changes]
    assert sum(one["sure"] for one in report["changes"]) == 1
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
