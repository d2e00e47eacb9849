"""`report.json`: the records of a report as plain values; `report.schema.json` beside this file says how."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from masktune.findings.shown import Scanned
from masktune.report.page.kind import Kind
from masktune.report.page.veil import Veil

SCHEMA = "masktune.report/1"
_REASON = "a scan trains nothing, so it says nothing about whether MaskTune helps"


def report_json(
    scanned: Scanned,
    summary: Sequence[str],
    *,
    command: str = "",
    made: str = "",
    versions: Mapping[str, str] | None = None,
    pseudonymous: bool = False,
) -> dict[str, Any]:
    """A scan as plain values. It never holds pictures.

    Args:
        scanned: what came out.
        summary: paragraphs, plain text.
        command: the line that made it; left out where pseudonymous.
        made: when, in words.
        versions: of the libraries, by name.
        pseudonymous: numbers instead of names, as on the page.
    """
    if pseudonymous:
        veil = Veil.of(scanned)
        scanned, summary, command = veil.scanned(scanned), [veil.text(text) for text in summary], ""
    observed = scanned.observed
    return {
        "schema": SCHEMA,
        "command": "scan",
        "line": command,
        "made": made,
        "versions": dict(versions or {}),
        "kind": {"images": False, "names": Kind(names=not pseudonymous).names},
        "verdict": None,
        "reason": _REASON,
        "summary": list(summary),
        "data": _data(scanned),
        "about": dict(observed.about),
        "settings": dict(scanned.settings),
        "notes": list(observed.notes),
        "findings": [_plain(finding.to_json()) for finding in scanned.findings],
        "muted": list(scanned.muted),
        "arms": [],
    }


def _data(scanned: Scanned) -> dict[str, Any]:
    return {
        "name": scanned.name,
        "sha256": scanned.sha256 or None,
        "images": len(scanned.observed),
        "classes": list(scanned.observed.data_classes),
    }


def report_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that every `report.json` of this version fits."""
    text = Path(__file__).with_name("report.schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def _plain(value: Any) -> Any:
    """Tuples as lists, numpy's numbers as Python's, and what is no number as nothing: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
