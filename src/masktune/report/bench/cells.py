"""What stands in each column of a bench's table."""

from collections.abc import Callable

from masktune.bench import Against, Cell, Standing, Standings
from masktune.bench.published import Beside, PublishedResult, published_beside
from masktune.report.bench.columns import AVERAGES, LABELS, RULES, TableColumn, Text
from masktune.report.page.numbers import DASH, p_value, percent_between, points, points_between

Made = tuple[TableColumn, Callable[[Standing], Text | None]]
"""A column, and what it says of a method; None where there is nothing to say."""


def columns_of(one: Standings) -> list[Made]:
    """All columns in their order, also those of which no row has anything."""
    labels = "Group labels read"
    return [
        (TableColumn("at training", labels, number=False), lambda line: Text(LABELS[line.fitted_with])),
        (TableColumn("at selection", labels, number=False), lambda line: Text(LABELS[line.selected_with])),
        (TableColumn("Selected by", number=False), lambda line: Text(_rule(line.selection))),
        *(_worst_columns() if one.by_group else []),
        *(_average_column(name, title, plain=not one.by_group) for name, title in AVERAGES.items()),
        *_against_columns("erm", "Against erm"),
        *_against_columns("continue_erm", "Against continue_erm"),
        (TableColumn("epochs", "Spent"), lambda line: _count(line.epochs)),
        (TableColumn("images read", "Spent"), lambda line: _count(line.samples)),
        (TableColumn("seconds", "Spent"), lambda line: _seconds(line.seconds)),
        *_published_columns(one),
    ]


def _worst_columns() -> list[Made]:
    over = "Worst group, %"

    def interval(line: Standing) -> Text | None:
        if line.worst is None:
            return None
        return Text(percent_between(line.worst.rate.low, line.worst.rate.high))

    def named(line: Standing) -> Text | None:
        if line.worst is None:
            return None
        some = (
            f", {line.worst.seeds} of {len(line.seeds)} seeds" if line.worst.seeds < len(line.seeds) else ""
        )
        return Text(line.worst.group, f"n = {line.worst.images:,}{some}")

    return [
        (TableColumn("mean of seeds", over), lambda line: line.worst and Text(in_percent(line.worst.cell))),
        (TableColumn("95 % interval", over), interval),
        (TableColumn("which", over, number=False), named),
    ]


def _average_column(name: str, title: str, *, plain: bool) -> Made:
    """`plain` has no worst group, so that the interval stands here."""

    def cell(line: Standing) -> Text | None:
        if name not in line.averages:
            return None
        rate = line.overall
        under = percent_between(rate.low, rate.high) if plain and name == "accuracy" and rate else ""
        return Text(in_percent(line.averages[name]), under)

    return TableColumn(title, "Average accuracy, %"), cell


def _against_columns(baseline: str, over: str) -> list[Made]:
    def of(text: Callable[[Against], Text]) -> Callable[[Standing], Text | None]:
        return lambda line: text(line.against[baseline]) if baseline in line.against else None

    return [
        (
            TableColumn("points, 95 % interval", over),
            of(
                lambda one: Text(
                    points(_rounded(one.comparison.difference)),
                    points_between(_rounded(one.comparison.low), _rounded(one.comparison.high)),
                )
            ),
        ),
        (TableColumn("p (Holm)", over), of(lambda one: Text(p_value(one.p_holm)))),
        (TableColumn("seeds better", over), of(lambda one: Text(f"{one.better}/{one.seeds}"))),
    ]


def _rounded(difference: float) -> float:
    """As it is shown, so that nothing is no minus nothing."""
    return round(difference, 3) + 0.0


def _published_columns(one: Standings) -> list[Made]:
    def same(line: Standing) -> Text | None:
        found = _beside(one, line)
        return None if found is None or not found.same else _published(found)

    def elsewhere(line: Standing) -> Text | None:
        found = _beside(one, line)
        return None if found is None or found.same else _published(found)

    return [
        (TableColumn("Published", number=False), same),
        (TableColumn("Published elsewhere", number=False), elsewhere),
    ]


def _beside(one: Standings, line: Standing) -> Beside | None:
    return published_beside(one, line) if line.averages else None


def _published(found: Beside) -> Text:
    differs = f"; differs: {', '.join(found.differs)}" if found.differs else ""
    one = found.result
    return Text(published_numbers(one), f"{published_setting(one)}{differs}", cited=one.key)


def _with_sd(value: float, deviation: float | None) -> str:
    return f"{100 * value:.1f}{'' if deviation is None else f' ± {100 * deviation:.1f}'}"


def _rule(selection: str) -> str:
    return RULES.get(selection, selection or DASH)


def _count(value: int | float | None) -> Text | None:
    return None if value is None else Text(f"{value:,.0f}")


def _seconds(value: float | None) -> Text | None:
    return None if value is None else Text(f"{value:,.{0 if value >= 10 else 1}f}")


def in_percent(cell: Cell | None) -> str:
    """Mean over seeds, and standard deviation where there are several: "71.3 ± 2.0"."""
    if cell is None:
        return DASH
    spread = "" if cell.std is None else f" ± {100 * cell.std:.1f}"
    return f"{100 * cell.mean:.1f}{spread}"


def published_numbers(one: PublishedResult) -> str:
    """Worst group and average in per cent: "86.7 / 93.3"."""
    worst = _with_sd(one.worst, one.worst_sd)
    return worst if one.average is None else f"{worst} / {_with_sd(one.average, one.average_sd)}"


def published_setting(one: PublishedResult) -> str:
    """Which average, who says so, and how sure it is."""
    average = AVERAGES.get(one.average_of or "", "which average is not known")
    return f"{'' if one.average is None else f'{average}; '}{one.source} [{one.trust}]"
