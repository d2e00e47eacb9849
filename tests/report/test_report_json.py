"""`report.json` and its schema."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.report.scans import SECRETS, scan_of, secret_scan

from masktune.findings.finding import Evidence, Finding
from masktune.report.report_json import report_json, report_schema

jsonschema = pytest.importorskip("jsonschema")
SUMMARY = ["One.", "Two."]


def check(report):
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(report, allow_nan=False)))


def test_a_scan_fits_the_schema_and_holds_the_records():
    scan = scan_of(sha256="ab" * 32)
    report = report_json(scan, SUMMARY, command="masktune scan pets", made="today", versions={"torch": "2.9"})
    check(report)
    assert report["schema"] == "masktune.report/1"
    assert report["verdict"] is None
    assert report["arms"] == []
    assert report["reason"].startswith("a scan trains nothing")
    assert report["data"] == {"name": "pets", "sha256": "ab" * 32, "images": 40, "classes": ["cat", "dog"]}
    assert report["summary"] == SUMMARY
    assert report["muted"] == ["MT007"]
    assert report["kind"] == {"images": False, "names": True}
    assert report["line"] == "masktune scan pets"
    again = [Finding.from_json(one) for one in json.loads(json.dumps(report))["findings"]]
    assert tuple(again) == scan.findings


def test_what_is_no_number_is_null_and_numpys_numbers_are_plain():
    evidence = (
        Evidence("a", float("nan"), 3),
        Evidence("b", np.float64(0.5), 4, 0.1, float("inf")),
    )
    scan = scan_of(findings=(replace(scan_of().findings[0], evidence=evidence),))
    report = report_json(scan, SUMMARY)
    check(report)
    first, second = report["findings"][0]["evidence"]
    assert first["value"] is None
    assert (second["n"], second["low"], second["high"]) == (4, 0.1, None)
    assert type(second["value"]) is float


def test_pseudonymous_reports_hold_no_names():
    scan = secret_scan()
    report = report_json(
        scan, ["PAT-001 at Charité"], command="masktune scan /home/mueller", pseudonymous=True
    )
    check(report)
    text = json.dumps(report, ensure_ascii=False)
    assert [secret for secret in SECRETS if secret.lower() in text.lower()] == []
    assert report["kind"]["names"] is False
    assert report["findings"][1]["samples"] == ["image 0002", "image 0003"]
    assert report["notes"] == []
    assert report["line"] == ""


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"schema": "masktune.report/2"}, "schema"),
        ({"muted": ["MT7"]}, "muted"),
        ({"further": 1}, ""),
        ({"kind": {"images": True, "names": True}}, "kind"),
    ],
)
def test_the_schema_refuses(broken, where):
    report = report_json(scan_of(), SUMMARY) | broken
    with pytest.raises(jsonschema.ValidationError) as refused:
        check(report)
    assert (str(refused.value.absolute_path[0]) if refused.value.absolute_path else "") == where


def test_the_schema_refuses_a_finding_without_evidence_list():
    report = report_json(scan_of(), SUMMARY)
    del report["findings"][0]["evidence"]
    with pytest.raises(jsonschema.ValidationError, match="'evidence' is a required property"):
        check(report)
