"""A comparison without names: numbers of the new run's images, no paths, no values that could be names."""

import re
from dataclasses import fields, replace

from masktune.findings.compared import Compared, Difference, Turn
from masktune.findings.settings import ScanSettings
from masktune.findings.shown import Scanned, Shown
from masktune.report.page.veil import REMOVED, Veil

_TOLD = {field.name for field in fields(ScanSettings)} | {
    "classes of the net",
    "input",
    "maps",
    "muted",
    "sha256 of code",
}
"""Settings whose values name no file; of all others only numbers are told."""


def veiled(compared: Compared, before: Scanned, after: Scanned) -> Compared:
    """The comparison, images under their numbers in the new run, whose own report has the same ones."""
    new = Veil.of(after)
    old = _renumbered(Veil.of(before), new)

    def turned(turn: Turn) -> Turn:
        own, others = (old, new) if turn.kind == "went" else (new, old)
        other = None if turn.other is None else others.finding(turn.other)
        return replace(turn, finding=own.finding(turn.finding), other=other)

    moved = (replace(one, id=new.numbers[one.id]) for one in compared.moved)
    return replace(
        compared,
        differences=tuple(map(_difference, compared.differences)),
        turns=tuple(map(turned, compared.turns)),
        moved=tuple(moved),  # Numbers follow the order of ids, so the order stays.
    )


def veiled_shown(after: Scanned) -> tuple[Shown, ...]:
    """The pictures of the new run under its numbers."""
    return Veil.of(after).scanned(after).shown


def _renumbered(old: Veil, new: Veil) -> Veil:
    """The old run's veil with the new run's numbers; an image that the new one lacks has none."""
    instead = {number: new.numbers.get(sample, REMOVED) for sample, number in old.numbers.items()}
    return replace(
        old,
        numbers={sample: instead[number] for sample, number in old.numbers.items()},
        secrets={text: instead.get(told, told) for text, told in old.secrets.items()},
    )


def _difference(one: Difference) -> Difference:
    told = one.part != "settings" or one.name in _TOLD
    if told or (_is_plain(one.before) and _is_plain(one.after)):
        return one
    return replace(one, before=REMOVED, after=REMOVED)


def _is_plain(value: str) -> bool:
    return re.fullmatch(r"None|True|False|-?[0-9.]+", value) is not None
