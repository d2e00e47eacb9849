"""A trial without names: numbers for images and groups, no paths, no values of columns."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from masktune.evaluation import Measure
from masktune.report.page.veil import REMOVED, Veil
from masktune.trial.changes import Changed
from masktune.trial.settings import TrialSettings
from masktune.trial.trialled import TrialArm, Trialled

_ABOUT = ("maps", "salient area", "input", "device", "hardware", "torch")
"""Of what is known about model and machine, what names no file."""
_PATHS = ("trained_on",)
_SETTINGS = {field.name for field in fields(TrialSettings)}.difference(_PATHS)
"""Settings whose values name no file; of all others only numbers are told."""


def veiled(trialled: Trialled) -> Trialled:
    """The trial as a report without names tells it; what it predicts stays, no view of it shows names."""
    veil, groups = _veil(trialled), _group_numbers(trialled)
    values = _value_numbers(trialled)
    return replace(
        trialled,
        name="a data set",
        about={name: veil.text(text) for name, text in trialled.about.items() if name in _ABOUT},
        settings={name: _setting(name, value) for name, value in trialled.settings.items()},
        seen=veil.text(_without_file(trialled.seen)),
        notes=(),
        verdict=replace(
            trialled.verdict,
            reason=veil.text(_without_file(trialled.verdict.reason)),
            notes=tuple(map(veil.text, trialled.verdict.notes)),
        ),
        arms=tuple(_arm(arm, groups) for arm in trialled.arms),
        changes=tuple(_changed(one, groups, values) for one in trialled.changes),
        shown=tuple(
            sorted((replace(one, id=veil.numbers[one.id]) for one in trialled.shown), key=lambda one: one.id)
        ),
        licences=tuple(map(veil.text, trialled.licences)),
    )


def _veil(trialled: Trialled) -> Veil:
    ids = {one.id for one in trialled.shown}
    for by_split in trialled.predictions.values():
        ids.update(*(said.ids.tolist() for said in by_split.values()))
    columns = {column for column, _ in _column_values(trialled)}
    return Veil.over(ids, _values(trialled), {*trialled.classes, *columns})


def _values(trialled: Trialled) -> Iterator[str]:
    yield trialled.name
    yield trialled.title
    yield from (value for _, value in _column_values(trialled))
    yield from _groups(trialled)
    for by_split in trialled.predictions.values():
        for said in by_split.values():
            if said.subjects is not None:
                yield from set(said.subjects.tolist())


def _groups(trialled: Trialled) -> set[str]:
    """All names of groups, wherever they stand."""
    of_arms = (one.group for arm in trialled.arms for found in arm.measures.values() for one in found)
    return {name for name in of_arms if name} | {one.name for one in trialled.changes if one.kind == "group"}


def _group_numbers(trialled: Trialled) -> dict[str, str]:
    return {name: f"no. {place}" for place, name in enumerate(sorted(_groups(trialled)), 1)}


def _column_values(trialled: Trialled) -> list[tuple[str, str]]:
    """Column and value of each part that is a value of a column."""
    pairs = (one.name.partition(" = ") for one in trialled.changes if one.kind == "column")
    return [(column, value) for column, _, value in pairs]


def _value_numbers(trialled: Trialled) -> dict[str, str]:
    """Each such part under the number of its value among those of its column."""
    numbers: dict[str, str] = {}
    seen: dict[str, int] = {}
    for column, value in sorted(_column_values(trialled)):
        seen[column] = seen.get(column, 0) + 1
        numbers[f"{column} = {value}"] = f"{column}, value {seen[column]}"
    return numbers


def _changed(one: Changed, groups: Mapping[str, str], values: Mapping[str, str]) -> Changed:
    names = {"group": groups, "column": values}.get(one.kind, {})
    return replace(one, name=names.get(one.name, one.name if one.kind in ("class", "area") else REMOVED))


def _arm(arm: TrialArm, groups: Mapping[str, str]) -> TrialArm:
    def told(one: Measure) -> Measure:
        return one if one.group is None else replace(one, group=groups[one.group])

    return replace(arm, measures={split: tuple(map(told, found)) for split, found in arm.measures.items()})


def _setting(name: str, value: Any) -> Any:
    plain = value is None or isinstance(value, (bool, int, float))
    return value if plain or name in _SETTINGS else REMOVED


def _without_file(text: str) -> str:
    """A sentence on what the weights have seen, without the name of the file that says it."""
    return re.sub(r"\bas (?!--trained-on ).+ says\b", "as a file says", text)
