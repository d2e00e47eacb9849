"""Records as pandas tables."""

import sys

import numpy as np
import pytest

pd = pytest.importorskip("pandas")

from masktune import Predictions  # noqa: E402
from masktune.errors import InputError, MissingExtra  # noqa: E402
from masktune.findings.finding import Evidence, Finding  # noqa: E402
from masktune.integrations.records import to_pandas  # noqa: E402
from masktune.runs.results import read_results, write_results  # noqa: E402
from runs.fakes import DATA, all_rows, row  # noqa: E402

SPOT = Finding(
    code="MT002",
    title="Is one spot looked at?",
    verdict="problem",
    reason="In 8 of 10 images.",
    evidence=(
        Evidence("flip rate", 0.8, 10, 0.49, 0.94, 0.001),
        Evidence("accuracy lost", None, 0),
    ),
    advice="Crop it.",
    about={"class": "cat", "place": "top left corner"},
    samples=("a.png", "b.png"),
)
QUIET = Finding(code="MT010", title="Do copies cross splits?", verdict="not_applicable", reason="One split.")


def test_findings_have_a_line_for_each_number():
    frame = to_pandas([SPOT, QUIET])
    assert list(frame.columns) == [
        *("finding", "code", "title", "verdict", "reason", "advice", "page"),
        *("about_class", "about_place", "about_column", "about_value"),
        *("evidence", "value", "n", "low", "high", "p_value", "samples"),
    ]
    assert frame["finding"].tolist() == [0, 0, 1]
    assert frame["code"].tolist() == ["MT002", "MT002", "MT010"]
    assert frame["page"].tolist() == ["findings/MT002.md", "findings/MT002.md", "findings/MT010.md"]
    first = frame.iloc[0]
    assert first[["evidence", "value", "n", "low", "high", "p_value"]].tolist() == [
        *("flip rate", 0.8, 10, 0.49, 0.94, 0.001),
    ]
    assert first["about_place"] == "top left corner"
    assert first["samples"] == ("a.png", "b.png")
    assert frame["n"].tolist() == [10, 0, pd.NA]
    assert frame["value"].isna().tolist() == [False, True, True]
    assert frame["about_class"].isna().tolist() == [False, False, True]


def test_one_finding_and_none():
    assert len(to_pandas(QUIET)) == 1
    none = to_pandas([finding for finding in (SPOT, QUIET) if finding.verdict == "hint"])
    assert len(none) == 0
    assert list(none.columns) == list(to_pandas(SPOT).columns)


def test_what_a_finding_points_at_beyond_the_usual_is_a_column_too():
    finding = Finding(code="MT003", title="?", verdict="hint", reason="So.", about={"subject": "p7"})
    assert to_pandas([finding])["about_subject"].tolist() == ["p7"]


def test_results_read_from_a_file(tmp_path):
    path = tmp_path / "results.json"
    write_results(path, command="reproduce", data=DATA, rows=[*all_rows(), row(epochs=None, value=None)])
    frame = to_pandas(read_results(path))
    assert frame["seed"].tolist() == [0, 0, 1, 1, 0]
    assert frame["method"].tolist() == ["erm", "masktune", "erm", "masktune", "masktune"]
    assert frame["epochs"].tolist() == [11, 11, 11, 11, pd.NA]
    assert frame["value"].mean() == pytest.approx(0.9851)
    assert str(frame["epochs"].dtype) == "Int64"
    assert frame["value"].dtype == np.float64
    assert frame.equals(to_pandas([*all_rows(), row(epochs=None, value=None)]))


def test_predictions():
    predictions = Predictions(
        logits=np.log(np.array([[1, 3], [4, 1]], dtype=np.float32)),
        labels=np.array([1, 1]),
        ids=np.array(["a", "b"]),
        classes=("cat", "dog"),
        groups=np.array(["in", "out"]),
        splits=np.array(["test", "test"]),
    )
    frame = to_pandas(predictions)
    assert list(frame.columns) == [
        *("id", "split", "group", "label", "predicted", "label_name", "predicted_name", "correct"),
        *("probability_cat", "probability_dog"),
    ]
    assert frame["id"].tolist() == ["a", "b"]
    assert frame["predicted_name"].tolist() == ["dog", "cat"]
    assert frame["correct"].tolist() == [True, False]
    assert frame["probability_dog"].tolist() == pytest.approx([0.75, 0.2])
    assert frame.groupby("group")["correct"].mean().to_dict() == {"in": 1.0, "out": 0.0}


def test_predictions_without_names():
    predictions = Predictions(
        logits=np.zeros((1, 3), dtype=np.float32), labels=np.array([2]), ids=np.array(["a"])
    )
    frame = to_pandas(predictions)
    assert list(frame.columns)[1:] == [
        *("label", "predicted", "correct", "probability_0", "probability_1", "probability_2"),
    ]
    assert frame["probability_2"].tolist() == pytest.approx([1 / 3])


@pytest.mark.parametrize(
    ("given", "message"), [([SPOT, row()], "got one of Finding, Row"), (7, "got int"), ("x", "got str")]
)
def test_anything_else_is_refused(given, message, unchecked):
    with pytest.raises(InputError, match=message):
        to_pandas(given)


def test_without_pandas_the_line_to_type_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"^tables need pandas; type: pip install 'masktune\[tables\]'$"):
        to_pandas([SPOT])
