"""The paragraph that a paper or a file note needs to say how a trial can be repeated."""

from collections.abc import Mapping

from masktune.report.page.trial_words import ARMS, arm_of, has_controls, measured, operating_point
from masktune.runs import RunRecord
from masktune.trial.judging import REPEATS
from masktune.trial.licences import licences_of
from masktune.trial.trialled import Trialled

_RECIPE = ("optimizer", "weight_decay", "batch_size", "loss", "augment")
"""Settings of tuning, in the order in which they are told."""


def statement(trialled: Trialled, record: RunRecord) -> str:
    """Hardware, versions, data, splits, seeds, choice of rate and checkpoint, what was judged, licences.

    Args:
        trialled: what came out.
        record: the run's `run.json`.
    """
    sentences = (
        _machine(trialled, record),
        _data(trialled),
        _weights(trialled),
        _arms(trialled),
        _rate(trialled),
        _judging(trialled),
        operating_point(trialled),
        f"Licences: {'; '.join(trialled.licences or licences_of()).rstrip('.')}.",
    )
    return " ".join(filter(None, sentences))


def _machine(trialled: Trialled, record: RunRecord) -> str:
    hardware = trialled.about.get("hardware", "its model was not recorded")
    libraries = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return (
        f"The trial was run on {record.started[:10]} on the device {record.device} ({hardware}) with "
        f"{record.threads} thread{'' if record.threads == 1 else 's'}, with {libraries}."
    )


def _data(trialled: Trialled) -> str:
    known = f"sha256 {trialled.sha256}" if trialled.sha256 else "no hash known"
    roles = [f"{role} {sum(of.values())} ({_by_class(of)})" for role, of in trialled.counts.items()]
    subjects = "" if trialled.subjects is None else "; no subject that was tuned on is in another of them"
    return f"Data: {trialled.title} ({known}), images by role: {'; '.join(roles)}{subjects}."


def _by_class(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _weights(trialled: Trialled) -> str:
    before = arm_of(trialled, "untouched")
    first = ""
    if before is not None and before.epochs:
        first = (
            f" They were trained for {before.epochs} epochs first, and the checkpoint with the best accuracy "
            "on held-back training images was taken."
        )
    model = trialled.about.get("model", "a net given in Python")
    taken = f", input {trialled.about['input']}" if "input" in trialled.about else ""
    return (
        f"Model: {model}{taken}. Start weights: sha256 {trialled.weights_sha256}; "
        f"{trialled.seen.rstrip('.')}.{first}"
    )


def _arms(trialled: Trialled) -> str:
    names = "; ".join(ARMS[arm.name] for arm in trialled.arms)
    how = [
        f"{name.replace('_', ' ')} {trialled.settings[name]}" for name in _RECIPE if name in trialled.settings
    ]
    lost = [f"{ARMS[arm.name]} ({arm.stopped})" for arm in trialled.arms if arm.stopped]
    given_up = f" Given up: {'; '.join(lost)}." if lost else ""
    return (
        f"Arms: {names}. All tuned ones from the same weights, on the same images in the same order (seed "
        f"{trialled.settings.get('seed', 'not recorded')}), for one epoch, of which the last weights count; "
        f"{', '.join(how)}.{given_up}"
    )


def _rate(trialled: Trialled) -> str:
    rate = trialled.rate
    if not rate.tried:
        return f"The learning rate {rate.rate:g} was given."
    tried = ", ".join(f"{one.rate:g}" for one in rate.tried)
    return (
        f"The learning rate {rate.rate:g} was chosen among {tried}: the largest at which a quarter of one "
        "more ordinary epoch is not clearly behind the best on held-back training images; MaskTune had no "
        "part in it."
    )


def _judging(trialled: Trialled) -> str:
    judged = measured(arm_of(trialled, "untouched"), "accuracy")
    count = "the" if judged is None else f"{judged.n}"
    who = f"{trialled.subjects} subject{'' if trialled.subjects == 1 else 's'}"
    subjects = "" if trialled.subjects is None else f" of {who}"
    by = "images" if trialled.subjects is None else "subjects"
    against = "the best control" if has_controls(trialled) else "the untouched model, for want of a control"
    return (
        f"Judged on {count} validation images{subjects} that no arm was tuned on, against {against}, with "
        f"{REPEATS:,} paired bootstrap draws of {by} and Holm's correction; no group label was read."
    )
