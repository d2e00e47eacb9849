"""`table.csv`: a row a data set and method, all numbers as they are; for a spreadsheet and for a program.

UTF-8 with a byte order mark, commas, CRLF, and words that a spreadsheet would run or change between two
apostrophes: as in `review.csv` (`findings.review_file`).
"""

import csv
import io
from collections.abc import Mapping, Sequence

from masktune.bench import Against, Cell, Standing, Standings
from masktune.bench.published import published_beside
from masktune.evaluation import Rate
from masktune.findings.review_file import in_cell
from masktune.report.bench.columns import AVERAGES

Value = str | int | float | None
BASELINES = ("erm", "continue_erm")

_COMPARED = (
    *("difference (fraction)", "low (fraction)", "high (fraction)"),
    *("p", "p_holm", "seeds_better", "seeds"),
    *("n (images x seeds)", "gained (images x seeds)", "lost (images x seeds)"),
)
_PUBLISHED = (
    *("worst_group (fraction)", "worst_group_sd (fraction)"),
    *("average (fraction)", "average_sd (fraction)", "average_of"),
    *("setting", "differs", "source", "key", "trust"),
)


def csv_of(tables: Sequence[Standings]) -> str:
    """The text of the file; rates and differences are fractions, what is undefined is empty."""
    text = io.StringIO(newline="")
    rows = [_row(one, line) for one in tables for line in one.lines]
    writer = csv.DictWriter(text, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows({name: _written(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _written(value: Value) -> str:
    if value is None:
        return ""
    return in_cell(value) if isinstance(value, str) else str(value)


def _row(one: Standings, line: Standing) -> dict[str, Value]:
    known = bool(line.averages)
    return {
        "dataset": one.dataset,
        "variant": one.variant,
        "data_sha256": one.sha256,
        "net": one.net,
        "split": one.split,
        "split_images": one.images,
        "method": line.method,
        "config": line.config,
        "group_labels_at_training": line.fitted_with if known else None,
        "group_labels_at_selection": line.selected_with if known else None,
        "selection": line.selection if known else None,
        "seeds_done": len(line.seeds),
        "seeds_failed": len(line.failed),
        "epochs": line.epochs,
        "samples (images)": line.samples,
        "seconds (s)": line.seconds,
        **_rate("accuracy_all_seeds", line.overall, "images x seeds"),
        **{key: value for name in AVERAGES for key, value in _cell(name, line.averages.get(name)).items()},
        **_worst(line),
        "compared_by": "worst_group_accuracy" if one.by_group else "accuracy",
        **{key: value for name in BASELINES for key, value in _against(name, line.against.get(name)).items()},
        **_published(one, line),
        "failed": "; ".join(f"seed {seed}: {why}" for seed, why in line.failed) or None,
    }


def _cell(name: str, cell: Cell | None) -> Mapping[str, Value]:
    return {
        f"{name}_mean (fraction)": None if cell is None else cell.mean,
        f"{name}_sd (fraction)": None if cell is None else cell.std,
    }


def _rate(name: str, rate: Rate | None, unit: str) -> Mapping[str, Value]:
    return {
        f"{name} (fraction)": None if rate is None else rate.value,
        f"{name}_low (fraction)": None if rate is None else rate.low,
        f"{name}_high (fraction)": None if rate is None else rate.high,
        f"{name}_n ({unit})": None if rate is None else rate.n,
    }


def _worst(line: Standing) -> Mapping[str, Value]:
    worst = line.worst
    return {
        **_cell("worst_group_accuracy", None if worst is None else worst.cell),
        "worst_group": None if worst is None else worst.group,
        "worst_group_images": None if worst is None else worst.images,
        "worst_group_low (fraction)": None if worst is None else worst.rate.low,
        "worst_group_high (fraction)": None if worst is None else worst.rate.high,
        "worst_group_seeds": None if worst is None else worst.seeds,
    }


def _against(name: str, one: Against | None) -> Mapping[str, Value]:
    values: tuple[Value, ...] = (None,) * len(_COMPARED)
    if one is not None:
        found = one.comparison
        values = (
            *(found.difference, found.low, found.high),
            *(found.p_value, one.p_holm, one.better, one.seeds),
            *(found.n, found.gained, found.lost),
        )
    return {f"against_{name}_{key}": value for key, value in zip(_COMPARED, values, strict=True)}


def _published(one: Standings, line: Standing) -> Mapping[str, Value]:
    found = published_beside(one, line)
    values: tuple[Value, ...] = (None,) * len(_PUBLISHED)
    if found is not None:
        of = found.result
        values = (
            *(of.worst, of.worst_sd, of.average, of.average_sd, of.average_of),
            *("same" if found.same else "differs", ", ".join(found.differs) or None),
            *(of.source, of.key, of.trust),
        )
    return {f"published_{key}": value for key, value in zip(_PUBLISHED, values, strict=True)}
