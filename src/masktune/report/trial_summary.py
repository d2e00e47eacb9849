"""What came out of a trial, in a few paragraphs and one table."""

from collections.abc import Sequence

from masktune.report.markdown import escaped, table
from masktune.report.page.numbers import duration
from masktune.report.page.trial_words import (
    ARMS,
    CANNOT,
    advice,
    change_of,
    has_controls,
    is_unknown,
    judged_on,
    looks,
    main_metrics,
    number_of,
    operating_point,
    parts_compared,
    power,
    sentence,
    title_of_verdict,
)
from masktune.trial.changes import Changed
from masktune.trial.trialled import Trialled

_TOLD = 5
"""Sure changes that a paragraph names, of each direction."""


def summary_of_trial(trialled: Trialled) -> tuple[str, ...]:
    """Paragraphs: verdict, what to do, the numbers, what got worse and better, what could be seen."""
    verdict = trialled.verdict
    paragraphs = (
        f"{title_of_verdict(trialled)}. {sentence(verdict.reason)}",
        f"What to do: {advice(trialled)}",
        judged_on(trialled),
        looks(trialled),
        operating_point(trialled),
        "" if is_unknown(trialled) else sentence(trialled.seen),
        *map(sentence, verdict.notes),
        _changed(trialled.changes),
        power(trialled) if verdict.why != "too_few" else "",
        CANNOT,
    )
    return tuple(paragraph for paragraph in paragraphs if paragraph)


def summary_file(trialled: Trialled, command: str) -> str:
    """`summary.md`: the paragraphs, and what each arm is right on."""
    head = [f"# {escaped(trialled.title)}: trial of MaskTune", *([f"`{command}`"] if command else [])]
    paragraphs = map(escaped, summary_of_trial(trialled))
    return "\n\n".join([*head, *paragraphs, arms_in_a_table(trialled)]) + "\n"


def arms_in_a_table(trialled: Trialled, split: str = "validation") -> str:
    """Each arm with its main numbers, interval and n."""
    used = main_metrics(trialled, split)
    head = ["right on, % (95 % interval)", *used.values(), "epochs", "time"]
    rows = [
        [
            ARMS[arm.name] + ("" if arm.stopped is None else " (stopped: the old model's numbers)"),
            *(number_of(trialled, arm, metric, split) for metric in used),
            str(arm.epochs),
            duration(arm.seconds),
        ]
        for arm in trialled.arms
    ]
    note = (
        "" if has_controls(trialled) else "\n\nNo control was run: one more ordinary epoch may gain as much."
    )
    return table(head, rows) + note


def changes_in_words(changes: Sequence[Changed], *, better: bool) -> list[str]:
    """The parts that surely got better, or worse; the largest first."""
    ordered = reversed(changes) if better else changes
    return [change_of(one) for one in ordered if one.sure and (one.difference > 0) == better]


def _changed(changes: tuple[Changed, ...]) -> str:
    if not changes:
        return ""
    told = [
        f"More than chance {word}: {_some(changes_in_words(changes, better=better))}."
        for word, better in (("worse", False), ("better", True))
    ]
    return f"{parts_compared(changes)}, corrected for their number (Holm). {' '.join(told)}"


def _some(sentences: Sequence[str]) -> str:
    more = f"; and {len(sentences) - _TOLD} more" if len(sentences) > _TOLD else ""
    return "; ".join(sentences[:_TOLD]) + more if sentences else "nothing"
