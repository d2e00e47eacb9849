"""Records of masktune as pandas tables."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from masktune.errors import InputError, MissingExtra
from masktune.evaluation import Predictions
from masktune.findings.finding import Evidence, Finding
from masktune.runs import Results, Row

_ABOUT = ("class", "place", "column", "value")
"""What a finding may point at; columns `about_class`, ... whether or not one does."""

_WHOLE = ("n", "seed", "epochs")
_NUMBERS = ("value", "low", "high", "p_value", "target", "seconds")

Records = Results | Predictions | Finding | Row | Sequence[Finding] | Sequence[Row]


def to_pandas(records: Records) -> Any:
    """A `pandas.DataFrame` of what masktune found or measured.

    - `Results` (what `read_results` gives), or rows: one line a number, columns as in `results.json`.
    - Findings: one line a number of evidence, so that a finding with three numbers has three lines, and one
      without any has one; `finding` counts the findings from 0. An empty list counts as no findings.
    - `Predictions`: one line an image, with the predicted class and the probability of each.

    Whole numbers that may be missing are of the type `Int64`, missing fractions are NaN.

    Raises:
        MissingExtra: pandas is not installed.
        InputError: something else, or a list of several kinds.
    """
    if isinstance(records, Predictions):
        return _predictions(records)
    if isinstance(records, Results):
        return _table([asdict(row) for row in records.rows], [field.name for field in fields(Row)])
    listed: list[Any] = [records] if isinstance(records, Finding | Row) else list(_iterable(records))
    if all(isinstance(one, Finding) for one in listed):
        return _findings(listed)
    if all(isinstance(one, Row) for one in listed):
        return _table([asdict(row) for row in listed], [field.name for field in fields(Row)])
    kinds = ", ".join(sorted({type(one).__name__ for one in listed}))
    raise InputError(f"expected Results, Predictions, or a list of findings or of rows, got one of {kinds}")


def _findings(findings: Sequence[Finding]) -> Any:
    lines = [
        _of_finding(finding) | _of_evidence(evidence) | {"finding": number}
        for number, finding in enumerate(findings)
        for evidence in finding.evidence or (None,)
    ]
    head = ["finding", "code", "title", "verdict", "reason", "advice", "page"]
    about = [f"about_{kind}" for kind in (*_ABOUT, *_other_kinds(findings))]
    numbers = ["evidence", *(field.name for field in fields(Evidence) if field.name != "name")]
    return _table(lines, [*head, *about, *numbers, "samples"])


def _of_finding(finding: Finding) -> dict[str, Any]:
    named = {
        name: getattr(finding, name) for name in ("code", "title", "verdict", "reason", "advice", "page")
    }
    return (
        named | {f"about_{kind}": what for kind, what in finding.about.items()} | {"samples": finding.samples}
    )


def _of_evidence(evidence: Evidence | None) -> dict[str, Any]:
    if evidence is None:
        return {}
    numbers = asdict(evidence)
    return {"evidence": numbers.pop("name")} | numbers


def _other_kinds(findings: Sequence[Finding]) -> list[str]:
    return sorted({kind for finding in findings for kind in finding.about} - set(_ABOUT))


def _predictions(predictions: Predictions) -> Any:
    names = predictions.classes or tuple(map(str, range(predictions.logits.shape[1])))
    columns: dict[str, Any] = {"id": predictions.ids}
    for name in ("split", "group", "subject"):
        if (values := getattr(predictions, f"{name}s")) is not None:
            columns[name] = values
    columns |= {"label": predictions.labels, "predicted": predictions.predicted}
    if predictions.classes is not None:
        columns |= {f"{what}_name": [names[i] for i in columns[what]] for what in ("label", "predicted")}
    columns["correct"] = predictions.correct
    probabilities = predictions.probabilities
    columns |= {f"probability_{name}": probabilities[:, i] for i, name in enumerate(names)}
    return _pandas().DataFrame(columns)


def _table(lines: Sequence[dict[str, Any]], columns: Sequence[str]) -> Any:
    frame = _pandas().DataFrame(lines, columns=list(columns))
    types = dict.fromkeys(_WHOLE, "Int64") | dict.fromkeys(_NUMBERS, "float64")
    return frame.astype({name: kind for name, kind in types.items() if name in columns})


def _iterable(records: object) -> Iterable[object]:
    if isinstance(records, Iterable) and not isinstance(records, str | bytes):
        return records
    raise InputError(
        f"expected Results, Predictions, or a list of findings or of rows, got {type(records).__name__}"
    )


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra("tables need pandas; type: pip install 'masktune[tables]'") from error
    return pd
