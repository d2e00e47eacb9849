"""What a person answered in a `review.csv`, as group labels with their weights."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Int64, Shaped

from masktune.data.names import first_three
from masktune.data.tables import Table, read_table
from masktune.errors import DataDamaged, InputError, near
from masktune.evaluation.weighted import LabelledSample
from masktune.findings.review_file import COLUMNS, DIGITS, as_text, out_of_cell
from masktune.findings.review_levels import LEVELS

YES = frozenset(("yes", "y", "1", "ja", "j", "true", "present", "oui", "si"))
NO = frozenset(("no", "n", "0", "nein", "false", "absent", "non"))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Group labels of the images that a person looked at."""

    pattern: str
    """What was looked for."""
    sample: LabelledSample
    """Ids, groups, strata and how many images each stratum has."""
    asked: int
    """Images that were drawn."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers has to know, in sentences."""


def read_review(
    path: str | Path,
    ids: Shaped[np.ndarray, " n"],
    labels: Int64[np.ndarray, " n"],
    classes: Sequence[str],
    *,
    data: str,
    pattern: str | None = None,
) -> Groups:
    """Read the answers of a review as groups "<class>, <pattern>" and "<class>, no <pattern>".

    A row without an answer counts as not drawn: the others of its stratum stand for it too, and a note says
    how many there are. The weights follow from `stratum_size`, a whole number, which no spreadsheet writes
    with a comma. A spreadsheet may have changed delimiter, encoding and order of rows.

    Args:
        path: of a file that `write_review` wrote and a person filled in.
        ids: of all images of the data set, in any order.
        labels: their true classes, indices into `classes`.
        classes: names of the classes.
        data: sha256 of the data set.
        pattern: which one, in the file's words; may be left out where only one has answers.

    Raises:
        DataNotFound: there is no such file.
        StorageError: it cannot be read.
        DataDamaged: it is no table, or rows of it were taken away or changed.
        InputError: it is about another data set, has no answers, one that is not known, two that differ, or
            those of several patterns.
    """
    path = Path(path)
    table = read_table(path)
    columns = _columns(table, path)
    _check_data(columns["data"], data, path)
    places = _places(columns["id"], ids, table, path)
    answers = _answers(columns["answer"], table, path)
    chosen = _chosen(columns["pattern"], answers, pattern, path)
    rows = [row for row, name in enumerate(columns["pattern"]) if name == chosen]
    sizes = _sizes(columns, rows, len(ids), path)
    given = _given(rows, places, answers, table, path)
    asked = len({places[row] for row in rows})
    strata = {places[row]: columns["stratum"][row] for row in rows}
    strata, sizes, notes = _without_gaps(strata, given, sizes, ids, path)
    names = [f"{classes[labels[at]]}, {'' if yes else 'no '}{chosen}" for at, yes in given.items()]
    sample = LabelledSample(
        np.array([str(ids[at]) for at in given]),
        np.array(names),
        np.array([strata[at] for at in given]),
        sizes,
    )
    return Groups(chosen, sample, asked, (*_not_answered(asked, len(given)), *notes))


def _columns(table: Table, path: Path) -> dict[str, list[str]]:
    names = {name.casefold(): name for name in table.columns}
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(
            f"expected a review with the columns {', '.join(COLUMNS)}, got {path} without "
            f"{', '.join(missing)}{near(missing[0], table.columns)}; take the review.csv that a scan wrote"
        )
    return {name: [out_of_cell(value) for value in table.columns[names[name]]] for name in COLUMNS}


def _check_data(written: Sequence[str], data: str, path: Path) -> None:
    for value in written:
        if value.strip("'").casefold() != data[:DIGITS].casefold():
            raise InputError(
                f"expected a review of this data set ({data[:DIGITS]}), got one of another ({value}) in "
                f"{path}; files were changed since, or it is of another folder: scan this one for its own"
            )


def _places(
    written: Sequence[str], ids: Shaped[np.ndarray, " n"], table: Table, path: Path
) -> dict[int, int]:
    """Which image each row is about."""
    names = [as_text(name) for name in ids.tolist()]
    # A program may have dropped the apostrophe in front; what was written exactly goes first.
    known = {f"{name}'": at for at, name in enumerate(names)} | {name: at for at, name in enumerate(names)}
    unknown = [row for row, name in enumerate(written) if name not in known]
    if unknown:
        odd = ", ".join(f"{written[row]!r} (row {table.numbers[row]})" for row in unknown[:3])
        raise InputError(
            f"expected ids of this data set's images in {path}, got {len(unknown)} of {len(written)} others: "
            f"{odd}; is it a review of another data set, or did a program change the ids?"
        )
    return {row: known[name] for row, name in enumerate(written)}


def _answers(written: Sequence[str], table: Table, path: Path) -> dict[int, bool]:
    """Yes or no of each row that has an answer."""
    answers = {}
    for row, value in enumerate(written):
        # A spreadsheet may write 1 as 1.0.
        word = re.sub(r"^([01])[.,]0*$", r"\1", value.strip().strip("'").casefold())
        if word in YES or word in NO:
            answers[row] = word in YES
        elif word:
            raise InputError(
                f"expected yes, no or nothing as the answer in row {table.numbers[row]} of {path}, "
                f"got {value!r}"
            )
    if not answers:
        raise InputError(f"expected answers in {path}, got none; write yes or no into the column answer")
    return answers


def _chosen(patterns: Sequence[str], answers: Mapping[int, bool], wanted: str | None, path: Path) -> str:
    """The pattern whose answers are read."""
    answered = list(dict.fromkeys(patterns[row] for row in answers))
    if wanted is not None and wanted not in answered:
        raise InputError(
            f"expected answers about {wanted!r} in {path}{near(wanted, answered)}, got some about "
            f"{', '.join(map(repr, answered))}"
        )
    if wanted is None and len(answered) > 1:
        raise InputError(
            f"expected answers about one pattern in {path}, got some about {len(answered)}: "
            f"{', '.join(map(repr, answered))}; say which one, groups are made of one at a time"
        )
    return wanted if wanted is not None else answered[0]


def _given(
    rows: Sequence[int], places: Mapping[int, int], answers: Mapping[int, bool], table: Table, path: Path
) -> dict[int, bool]:
    """The answer about each image, by its place in the data set."""
    given: dict[int, bool] = {}
    first: dict[int, int] = {}
    for row in rows:
        if row not in answers:
            continue
        at = places[row]
        if given.setdefault(at, answers[row]) != answers[row]:
            raise InputError(
                f"expected one answer an image, got yes and no about the one in rows "
                f"{table.numbers[first[at]]} and {table.numbers[row]} of {path}; correct one"
            )
        first.setdefault(at, row)
    return given


def _sizes(
    columns: Mapping[str, Sequence[str]], rows: Sequence[int], images: int, path: Path
) -> dict[str, int]:
    """Images of each stratum; together they are all images."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[columns["stratum"][row]].add(re.sub(r"[.,]0*$", "", columns["stratum_size"][row]))
    whole = {
        name: int(min(sizes)) for name, sizes in found.items() if len(sizes) == 1 and min(sizes).isdecimal()
    }
    if len(whole) < len(found) or sum(whole.values()) != images:
        raise DataDamaged(
            f"the strata in {path} make {sum(whole.values())} images, but the data set has {images}; rows "
            "were taken away or changed: write answers only, and leave a row that you cannot answer empty"
        )
    return whole


def _without_gaps(
    strata: dict[int, str],
    given: Mapping[int, bool],
    sizes: dict[str, int],
    ids: Shaped[np.ndarray, " n"],
    path: Path,
) -> tuple[dict[int, str], dict[str, int], list[str]]:
    """Strata that all have an answer.

    One without joins the nearest level of its class, but never wrong ones with right ones.
    """
    answered, joined, notes = {strata[at] for at in given}, {}, []
    for name in [name for name in sizes if name not in answered]:
        kind, _, level = name.rpartition(": ")
        beside = [f"{kind}: {other}" for other in LEVELS[:-1] if level != LEVELS[-1]]
        able = [other for other in beside if other in answered]
        if not able:
            open_ids = [str(ids[at]) for at, stratum in strata.items() if stratum == name]
            raise InputError(
                f"expected an answer about at least one of the {sizes[name]} images of {name!r} in {path}, "
                f"got none; answer one of {first_three(open_ids)}"
            )
        joined[name] = min(able, key=lambda other: abs(beside.index(other) - beside.index(name)))
        notes.append(
            f"No image of {name!r} has an answer; those of {joined[name]!r} stand for its {sizes[name]} too."
        )
    merged: dict[str, int] = defaultdict(int)
    for name, size in sizes.items():
        merged[joined.get(name, name)] += size
    return {at: joined.get(name, name) for at, name in strata.items()}, dict(merged), notes


def _not_answered(asked: int, answered: int) -> list[str]:
    if answered == asked:
        return []
    note = (
        f"{asked - answered} of the {asked} images have no answer; the answered ones of their stratum stand "
        "for them, which is right if they were not left out for what they show."
    )
    return [note]
