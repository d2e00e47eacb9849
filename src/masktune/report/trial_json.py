"""`report.json` of a trial: its records as plain values; `report.schema.json` beside this file says how."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from masktune.report.page.kind import Kind
from masktune.report.page.trial_veil import veiled
from masktune.report.report_json import SCHEMA
from masktune.runs.jsons import plain
from masktune.trial.judging import Judged
from masktune.trial.scores import MEANINGS
from masktune.trial.trialled import Trialled


def trial_json(
    trialled: Trialled,
    summary: Sequence[str],
    *,
    command: str = "",
    made: str = "",
    versions: Mapping[str, str] | None = None,
    pseudonymous: bool = False,
) -> dict[str, Any]:
    """A trial as plain values. It never holds pictures.

    Args:
        trialled: what came out.
        summary: paragraphs, plain text, already without names where pseudonymous.
        command: the line that made it; left out where pseudonymous.
        made: when, in words.
        versions: of the libraries, by name.
        pseudonymous: numbers instead of names, as on the page.
    """
    if pseudonymous:
        trialled, command = veiled(trialled), ""
    verdict = trialled.verdict
    content = {
        "schema": SCHEMA,
        "command": "tune",
        "line": command,
        "made": made,
        "versions": versions or {},
        "kind": {"images": False, "names": Kind(names=not pseudonymous).names},
        "verdict": verdict.word,
        "why": verdict.why,
        "reason": verdict.reason,
        "verdict_notes": verdict.notes,
        "summary": summary,
        "data": {
            "name": trialled.name,
            "sha256": trialled.sha256 or None,
            "images": sum(sum(of.values()) for of in trialled.counts.values()),
            "classes": trialled.classes,
        },
        "weights_sha256": trialled.weights_sha256,
        "about": trialled.about,
        "settings": trialled.settings,
        "seen": trialled.seen,
        "notes": trialled.notes,
        "counts": trialled.counts,
        "subjects": trialled.subjects,
        "conflicting": verdict.conflicting,
        "right_on_conflicting": verdict.right_on_conflicting,
        "rate": asdict(trialled.rate),
        "effects": [asdict(one) for one in trialled.effects],
        "findings": [],
        "muted": [],
        "arms": [asdict(one) for one in trialled.arms],
        "scores": [_score(one) for one in verdict.scores],
        "changes": [asdict(one) | {"sure": one.sure} for one in trialled.changes],
        "licences": trialled.licences,
    }
    return dict(plain(content))


def _score(one: Judged) -> dict[str, Any]:
    more = {"meaning": MEANINGS[one.name], "best_control": one.over_control.over}
    return asdict(one) | more
