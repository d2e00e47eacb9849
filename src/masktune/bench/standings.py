"""What a bench found, as records: one table a data set, variant and net; methods held against two baselines.

Numbers of several seeds are about the same images, so intervals and tests draw images (or subjects), each
with all its seeds: they say how far the numbers reach beyond these images, not beyond these seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from masktune.bench.named import in_order
from masktune.bench.recipe import net_of
from masktune.bench.run_bench import Benched
from masktune.bench.tables import Cell, cell_of
from masktune.errors import InputError
from masktune.evaluation import (
    Comparison,
    Predictions,
    Rate,
    accuracy,
    compare,
    compare_worst_groups_of_seeds,
    concatenate,
    holm,
    worst_group_accuracy,
    worst_group_of_seeds,
)
from masktune.evaluation.resampling import REPEATS
from masktune.runs import Row, RunFolder, load_predictions

BASELINES = ("erm", "continue_erm")
"""What every method is held against: ordinary training, and one more ordinary epoch."""

AVERAGES = ("accuracy", "accuracy_train_weighted", "accuracy_group_mean")
"""The three that go by the name of average accuracy (design, section 3.8)."""


@dataclass(frozen=True, slots=True)
class Against:
    """A method minus a baseline on the same images: of the worst group where groups are known."""

    comparison: Comparison
    p_holm: float
    """Its p-value, corrected for all of this table."""
    better: int
    """Seeds with which the method is above the baseline."""
    seeds: int
    """Seeds with which both were run."""


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst group of each seed, whichever group it is there."""

    group: str
    """The one that is the worst with most seeds; of equal ones the first by name."""
    seeds: int
    """With how many it is."""
    rate: Rate
    """The mean over seeds, with the 95 % interval over images."""
    cell: Cell
    """The same by seed."""
    images: int
    """Of the group, in one seed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A line of the table."""

    method: str
    config: str | None
    fitted_with: str
    """Group labels that weights are fitted by."""
    selected_with: str
    """Group labels that the rule reads which selects."""
    selection: str
    epochs: int | None
    samples: float | None
    """Images that weights were fitted to, mean over seeds; None where the method does not count them."""
    seconds: float | None
    """Mean over seeds."""
    averages: dict[str, Cell]
    """By name; only those that are defined."""
    worst: Worst | None
    """None where groups are not known."""
    against: dict[str, Against]
    """By baseline."""
    failed: tuple[tuple[int, str], ...] = ()
    """Seeds of which there is no number, and why."""
    seeds: tuple[int, ...] = ()
    """Seeds of which there are numbers, in the order of `Cell.values`."""
    overall: Rate | None = None
    """Accuracy of all images over all seeds, with its interval as in `Worst.rate`."""


@dataclass(frozen=True, slots=True)
class Standings:
    """The table of one data set."""

    dataset: str
    variant: str | None
    net: str
    """Backbone: rows of different ones are never in one table."""
    sha256: str
    split: str
    """Of the images that all numbers are about."""
    images: int
    seeds: tuple[int, ...]
    lines: tuple[Standing, ...]
    notes: tuple[str, ...] = ()
    """What a person has to know of the data."""

    @property
    def by_group(self) -> bool:
        """Whether groups are known, so that the worst group is what methods are held against."""
        return any(line.worst is not None for line in self.lines)


def standings(benched: Benched) -> list[Standings]:
    """The tables of a bench."""
    return [_table(benched, dataset) for dataset in benched.bench.recipes]


def _table(benched: Benched, dataset: str) -> Standings:
    bench = benched.bench
    recipe = bench.recipes[dataset]
    split = recipe.shown.main.split
    record = next(one for one in bench.data if one.name == dataset)
    rows = [row for row in benched.rows if row.dataset == dataset]
    _check_alike(rows, record.variant)
    said = {
        method: _predictions(benched, dataset, method, split)
        for method in in_order({row.method for row in rows})
    }
    compared = _compared(said)
    lines = [_line(benched, dataset, method, said[method], compared[method], split) for method in said]
    some = next((one for by_seed in said.values() for one in by_seed.values()), None)
    return Standings(
        dataset=dataset,
        variant=record.variant,
        net=net_of(recipe),
        sha256=record.sha256,
        split=split,
        images=0 if some is None else len(some),
        seeds=bench.plan.seeds,
        lines=tuple(lines),
        notes=recipe.shown.notes,
    )


def _check_alike(rows: Sequence[Row], variant: str | None) -> None:
    """Images of another variant are other images: their rows belong into a table of their own."""
    others = sorted({str(row.variant) for row in rows if row.variant != variant})
    if others:
        raise InputError(
            f"expected rows of one variant of {rows[0].dataset} in a table, {variant}, got "
            f"{', '.join(others)} too"
        )


def _predictions(benched: Benched, dataset: str, method: str, split: str) -> dict[int, Predictions]:
    """By seed; of those that are done."""
    found = {}
    for seed in benched.bench.plan.seeds:
        if (dataset, seed, method) in benched.done:
            place = RunFolder.model_path(benched.out, dataset, seed, method)
            found[seed] = load_predictions(place / "predictions" / f"{split}.npz")
    return found


def _line(
    benched: Benched,
    dataset: str,
    method: str,
    said: dict[int, Predictions],
    against: dict[str, Against],
    split: str,
) -> Standing:
    done = {seed: benched.done[dataset, seed, method] for seed in said}
    rows = [row for one in done.values() for row in one.rows]
    first = (rows or [row for row in benched.rows if (row.dataset, row.method) == (dataset, method)])[0]
    seconds = [one.rows[0].seconds for one in done.values() if one.rows[0].seconds is not None]
    samples = [one.samples for one in done.values() if one.samples is not None]
    cells = {
        name: cell_of([row for row in rows if (row.split, row.metric) == (split, name)]) for name in AVERAGES
    }
    return Standing(
        method=method,
        config=first.config if rows else None,
        fitted_with=next((one.fitted_with for one in done.values()), "none"),
        selected_with=next((one.selected_with for one in done.values()), "none"),
        selection=first.selection or "",
        epochs=first.epochs,
        samples=float(np.mean(samples)) if samples else None,
        seconds=float(np.mean(seconds)) if seconds else None,
        averages={name: cell for name, cell in cells.items() if cell is not None},
        worst=_worst(said, rows, split),
        against=against,
        failed=tuple(_failures(benched, dataset, method)),
        seeds=tuple(sorted(said)),
        overall=accuracy(pooled(said)) if said else None,
    )


def _failures(benched: Benched, dataset: str, method: str) -> list[tuple[int, str]]:
    jobs = [job for job in benched.bench.jobs if (job.dataset, job.method) == (dataset, method)]
    return [(job.seed, benched.failed[job.name]) for job in jobs if job.name in benched.failed]


def _worst(said: dict[int, Predictions], rows: Sequence[Row], split: str) -> Worst | None:
    if not said or next(iter(said.values())).groups is None:
        return None
    cell = cell_of([row for row in rows if (row.split, row.metric) == (split, "worst_group_accuracy")])
    if cell is None:
        return None
    names, rate = worst_group_of_seeds(list(said.values()))
    group = max(sorted(set(names)), key=names.count)
    one = next(iter(said.values()))
    assert one.groups is not None
    return Worst(group, names.count(group), rate, cell, int((one.groups == group).sum()))


def _compared(said: dict[str, dict[int, Predictions]]) -> dict[str, dict[str, Against]]:
    """Every method against each baseline; p-values corrected for all of them together."""
    found: list[tuple[str, str, Comparison, int, int]] = []
    for method, ours in said.items():
        for baseline in BASELINES:
            if baseline not in said or method in BASELINES[: BASELINES.index(baseline) + 1]:
                continue
            both = [seed for seed in ours if seed in said[baseline]]
            if not both:
                continue
            firsts, seconds = [said[baseline][seed] for seed in both], [ours[seed] for seed in both]
            comparison = _difference(firsts, seconds, len(said) * len(BASELINES))
            better = sum(_score(ours[seed]) > _score(said[baseline][seed]) for seed in both)
            found.append((method, baseline, comparison, better, len(both)))
    corrected = holm([comparison.p_value for _, _, comparison, _, _ in found])
    against: dict[str, dict[str, Against]] = {method: {} for method in said}
    for (method, baseline, comparison, better, seeds), p in zip(found, corrected, strict=True):
        against[method][baseline] = Against(comparison, p, better, seeds)
    return against


def _difference(
    firsts: Sequence[Predictions], seconds: Sequence[Predictions], comparisons: int
) -> Comparison:
    """Of the worst groups where groups are known, else of all images; enough draws that Holm's correction of
    so many comparisons can leave a p-value below 0.05.
    """
    if firsts[0].groups is None:
        return compare(pooled(dict(enumerate(firsts))), pooled(dict(enumerate(seconds))))
    return compare_worst_groups_of_seeds(firsts, seconds, repeats=max(REPEATS, 100 * comparisons))


def _score(said: Predictions) -> float:
    """Accuracy of the worst group where groups are known, else of all."""
    rate = accuracy(said) if said.groups is None else worst_group_accuracy(said)[1]
    return rate.value or 0.0


def pooled(said: dict[int, Predictions]) -> Predictions:
    """All seeds' predictions as those of one classifier; an image (or subject) is one unit with all its
    seeds.
    """
    parts = []
    for seed, one in said.items():
        names = np.array([f"seed {seed}: {name}" for name in one.ids.tolist()])
        units = one.ids if one.subjects is None else one.subjects
        parts.append(replace(one, ids=names, subjects=units.astype(np.str_)))
    return concatenate(parts)
