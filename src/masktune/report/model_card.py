"""`MODEL_CARD.md`: what travels with a tuned model, for whoever has to decide about it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from masktune.evaluation import Measure, Predictions, group_accuracy
from masktune.report.markdown import escaped, listed, table
from masktune.report.page.numbers import DASH, change_in_words, p_value, percent
from masktune.report.page.trial_plots import title_of
from masktune.report.page.trial_words import (
    ARMS,
    CANNOT,
    SPLITS_IN_WORDS,
    advice,
    arm_of,
    counted,
    has_controls,
    has_thresholds,
    in_words,
    is_capped,
    main_metrics,
    measured,
    number_of,
    operating_point,
    parts_compared,
    power,
    sentence,
    title_of_verdict,
)
from masktune.report.trial_summary import changes_in_words
from masktune.trial.licences import licences_of
from masktune.trial.trialled import Trialled

_FEW = 20
"""Judged images of a class below which its numbers say little."""


def model_card(trialled: Trialled, *, weights: str | None, command: str = "", made: str = "") -> str:
    """The card as Markdown.

    Args:
        trialled: what came out.
        weights: name of the file with the tuned weights; None where it is not beside the card.
        command: the line that made it.
        made: when, in words.
    """
    parts = {
        "Verdict": _verdict(trialled),
        "Model": _model(trialled, weights, command, made),
        "What was done": listed(_done(trialled)),
        "Data": _data(trialled),
        "Supervision": _supervision(trialled),
        "Before and after": "\n\n".join(_before_after(trialled)),
        "What got worse, what got better": _changed(trialled),
        "Limits": listed(_limits(trialled)),
        "Licences": listed(trialled.licences or licences_of()),
        "How to load it": _loading(trialled, weights),
    }
    head = f"# Model card: {escaped(trialled.title)}, tuned with MaskTune"
    return "\n\n".join([head, *(f"## {title}\n\n{text}" for title, text in parts.items() if text)]) + "\n"


def _verdict(trialled: Trialled) -> str:
    verdict = trialled.verdict
    parts = [f"**{title_of_verdict(trialled)}.** {escaped(sentence(verdict.reason))}"]
    if is_capped(trialled):
        parts.append("> **Nothing can be concluded from the numbers below.**")
    parts.append(escaped(advice(trialled)))
    if verdict.notes:
        parts.append(listed(map(sentence, verdict.notes)))
    if verdict.scores:
        parts.append(_scores(trialled))
    return "\n\n".join(parts)


def _scores(trialled: Trialled) -> str:
    """Each score of MaskTune, and its gain over the best control."""
    against = "the best control" if has_controls(trialled) else "the old model"
    rows = [
        [
            title_of(one),
            in_words(one.arms["masktune"]),
            str(one.n),
            change_in_words(one.over_control.value, one.over_control.low, one.over_control.high),
            ARMS[one.over_control.over],
            "" if one.equal_shares else p_value(one.corrected),
        ]
        for one in trialled.verdict.scores
    ]
    return table(["score", "MaskTune", "n", f"gain over {against}", "that is", "p (Holm)"], rows)


def _model(trialled: Trialled, weights: str | None, command: str, made: str) -> str:
    facts = {
        **trialled.about,
        "sha256 of the old weights": trialled.weights_sha256,
        "tuned weights": "none; keep the old model" if trialled.verdict.word == "harmful" else weights or "",
        "classes": ", ".join(trialled.classes),
        "made": made,
        "command": command,
    }
    return table(["", ""], [(name, value) for name, value in facts.items() if value])


def _done(trialled: Trialled) -> Iterator[str]:
    before, after = arm_of(trialled, "untouched"), arm_of(trialled, "masktune")
    if after is None:
        yield "MaskTune was not run; other arms were."
        return
    first = f" after {before.epochs} of ordinary training" if before is not None and before.epochs else ""
    yield (
        f"One epoch of tuning{first}. In each training image the area that the old model looks at most was "
        "hidden, so that it must find something else."
    )
    maps = trialled.about.get("maps", "see the settings")
    area = trialled.about.get("salient area", repr(trialled.threshold))
    yield f"Where it looks: {maps}. The area: {area}."
    hidden, empty = (measured(after, metric, "train") for metric in ("image_hidden", "empty_masks"))
    if hidden is not None:
        yield f"Hidden were {percent(hidden.value, 1)} of each of {hidden.n} training images, on average."
    if empty is not None:
        yield f"Nothing was hidden of {percent(empty.value, 1)} of them; these were tuned on as they are."
    yield f"Learning rate {trialled.rate.rate:g}; the last weights of the epoch are taken."
    if trialled.rate.tried:
        rates = ", ".join(f"{one.rate:g}" for one in trialled.rate.tried)
        yield f"That rate was chosen among {rates} by what a quarter of one more ordinary epoch does."
    if after.stopped is not None:
        yield f"Tuning was given up, since {after.stopped}."


def _data(trialled: Trialled) -> str:
    known = f"sha256 {trialled.sha256}" if trialled.sha256 else "no hash is known"
    head = ["images", *trialled.classes, "all"]
    rows = [
        [role, *(str(of.get(name, 0)) for name in trialled.classes), str(sum(of.values()))]
        for role, of in trialled.counts.items()
    ]
    parts = [f"{escaped(trialled.title)}, {known}. {escaped(sentence(trialled.seen))}"]
    if trialled.subjects is not None:
        parts.append(f"The judged images show {trialled.subjects} subjects, none of which was tuned on.")
    return "\n\n".join(
        [*parts, table(head, rows), *([listed(map(sentence, trialled.notes))] if trialled.notes else [])]
    )


def _supervision(trialled: Trialled) -> str:
    told = "No label of a group was read: not in tuning, not in choosing the rate, not for the verdict."
    if measured(arm_of(trialled, "untouched"), "worst_group_accuracy") is None:
        return told
    return (
        f"{told} The data name groups; they are used to report the true numbers below, and for nothing else."
    )


def _before_after(trialled: Trialled) -> Iterator[str]:
    """A table for each split: all images, the worst class and group, then one by one."""
    old, new = arm_of(trialled, "untouched"), arm_of(trialled, "masktune")
    for split, title in SPLITS_IN_WORDS.items():
        if old is None or split not in old.measures:
            continue
        rows = [
            (title, *(number_of(trialled, arm, metric, split) for arm in (old, new)))
            for metric, title in main_metrics(trialled, split).items()
        ]
        parts = _by_class(trialled, split)
        after = {} if new is None else {one.group: one for one in _groups(new.measures[split])}
        parts += [
            (f"true group {one.group}", one, after.get(one.group)) for one in _groups(old.measures[split])
        ]
        rows += [(name, _cell(before), _cell(tuned)) for name, before, tuned in parts if before]
        yield f"On {title}: what each is right on, with a 95 % interval and the images it was counted on."
        yield table(["", "old model", "MaskTune"], rows)
    if has_thresholds(trialled):
        yield escaped(operating_point(trialled))


def _groups(measures: tuple[Measure, ...]) -> list[Measure]:
    return [one for one in measures if one.metric == "group_accuracy"]


def _by_class(trialled: Trialled, split: str) -> list[tuple[str, Measure | None, Measure | None]]:
    names = [name for name in ("untouched", "masktune") if name in trialled.predictions]
    rates = [_class_rates(trialled.predictions[name][split], trialled.classes) for name in names]
    first, last = rates[0], rates[-1] if len(rates) > 1 else {}
    return [(f"class {name}", first[name], last.get(name)) for name in trialled.classes if name in first]


def _class_rates(predictions: Predictions, classes: tuple[str, ...]) -> dict[str, Measure]:
    as_groups = replace(predictions, groups=np.array(classes)[predictions.labels])
    return {name: Measure.of("accuracy", rate, name) for name, rate in group_accuracy(as_groups).items()}


def _cell(measure: Measure | None) -> str:
    return DASH if measure is None else counted(measure)


def _changed(trialled: Trialled) -> str:
    if not trialled.changes:
        return ""
    parts = [f"{parts_compared(trialled.changes)}; p-values are corrected for their number (Holm)."]
    for word, better in (("worse", False), ("better", True)):
        told = changes_in_words(trialled.changes, better=better)
        parts.append(
            f"More than chance {word}:\n\n{listed(told)}" if told else f"More than chance {word}: nothing."
        )
    return "\n\n".join(parts)


def _limits(trialled: Trialled) -> Iterator[str]:
    if is_capped(trialled):
        yield sentence(trialled.verdict.reason)
    if not has_controls(trialled):
        yield "No control was run: one more ordinary epoch may do the same."
    for arm in trialled.arms:
        if arm.stopped is not None:
            yield f"{ARMS[arm.name]}: tuning was given up, since {arm.stopped}."
    if not any("test" in arm.measures for arm in trialled.arms):
        yield "There are no test images: the numbers are of the images that the verdict was reached on."
    few = [one for one in trialled.effects if one.units < _FEW]
    if few:
        names = ", ".join(f"{one.label} ({one.units})" for one in few)
        yield f"Small classes, of which little can be said: {names}."
    yield power(trialled)
    yield CANNOT


def _loading(trialled: Trialled, weights: str | None) -> str:
    if trialled.verdict.word == "harmful":
        return "Keep the old model."
    told = "It has the format and the keys of the weights that came in: load it as you load those."
    if trialled.verdict.word == "no_evidence":
        why = (
            "Whether the tuned model is any better was not judged."
            if is_capped(trialled)
            else "Nothing that was measured speaks for the tuned model."
        )
        told = f"{why} If you use it all the same: {told}"
    if weights is None:
        return told
    if weights.endswith(".safetensors"):
        lines = ["from safetensors.torch import load_file", f'net.load_state_dict(load_file("{weights}"))']
    else:
        lines = [
            "import torch",
            f'content = torch.load("{weights}", weights_only=True)  # As the file that came in.',
            "net.load_state_dict(content)  # Or what lies behind the key that it had in your checkpoint.",
        ]
    return "\n".join([told, "", "```python", *lines, "```"])
