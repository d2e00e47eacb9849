"""The numbers of a selection as rows of `results.json`."""

from collections.abc import Iterator, Sequence
from typing import Any

from masktune.abstention.areas import AREAS, Areas
from masktune.abstention.lines import Line
from masktune.abstention.measured import At, Measured
from masktune.abstention.settings import SelectSettings
from masktune.abstention.voters import Brought
from masktune.evaluation import Rate
from masktune.runs import Row
from masktune.selective import GroupPart

LABELS = ("none", "validation_groups", "train_groups")
"""Group labels that were read, from none to most."""


def rows_of(
    brought: Brought, all_measured: Sequence[Measured], areas: Sequence[Areas], settings: SelectSettings
) -> list[Row]:
    """All numbers: of each line and seed its areas, and what came at each coverage or risk asked for.

    `config` says how the threshold was found: on calibration images ("coverage", "guaranteed", "empirical"),
    or "ranked": the test images were ranked themselves, which nobody can do who has to answer at once.
    """
    rows: list[Row] = []
    by_key = {one.key: one for one in areas}
    for one in all_measured:
        about = _about(brought, one.line, settings)
        found = by_key[one.line.key]
        seed = found.seeds.index(one.line.seed)
        rows += [_row(name, rate, about) for name, rate in zip(AREAS, found.by_seed[seed], strict=True)]
        for at in one.points:
            rows += _of_point(at, about, settings)
    return rows


def _about(brought: Brought, line: Line, settings: SelectSettings) -> dict[str, Any]:
    both = [line.first.about] + ([] if line.second is None else [line.second.about])
    read = [one.get("supervision", "none") for one in both]
    last = both[-1]
    return {
        "dataset": line.first.dataset,
        "variant": brought.variant,
        "method": line.method,
        "seed": line.seed,
        "split": settings.test,
        "score": line.score.name,
        "supervision": max(read, key=LABELS.index),
        "selection": last.get("selection"),
        "epochs": last.get("epochs"),
        "seconds": last.get("seconds"),
    }


def _row(metric: str, rate: Rate, about: dict[str, Any], **more: Any) -> Row:
    return Row(metric=metric, value=rate.value, n=rate.n, low=rate.low, high=rate.high, **about, **more)


def _of_point(at: At, about: dict[str, Any], settings: SelectSettings) -> Iterator[Row]:
    how = at.kind if at.kind != "guaranteed" else f"guaranteed, delta {settings.delta:g}"
    how = f"{how}, per class" if settings.per_class and at.kind in ("coverage", "guaranteed") else how
    named = {"config": how, "target": at.asked}
    yield _row("coverage", at.coverage, about, **named)
    yield _row("selective_risk", at.risk, about, **named)
    for part in at.groups:
        yield from _of_group(part, about, named)


def _of_group(part: GroupPart, about: dict[str, Any], named: dict[str, Any]) -> Iterator[Row]:
    yield _row("coverage", part.coverage, about, group=part.group, **named)
    yield _row("selective_risk", part.risk, about, group=part.group, **named)
