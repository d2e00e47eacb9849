"""`summary.md`: the table of a run, the differences on the same images, and what they say."""

from collections.abc import Sequence

from masktune.bench import Cell, Difference, Line
from masktune.bench.tables import COLUMNS


def summary_of(
    title: str,
    command: str,
    lines: Sequence[Line],
    found: Sequence[Difference],
    split: str,
    seeds: Sequence[int],
) -> str:
    """The Markdown of a run."""
    several = f"mean ± standard deviation over {len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}"
    parts = [
        f"# {title}",
        f"`{command}`",
        f"Accuracy in %, {several}. `conflicting`: the shortcut lies on the wrong class.",
        _table(lines),
        *published_in(lines),
        *_differences(found, split),
        verdict_of(lines, found, split),
    ]
    return "\n\n".join(parts) + "\n"


CONTROLS = ("continue_erm", "random_mask", "least_salient_mask")
"""What a gain must be held against before it counts (design section 1)."""


def verdict_of(lines: Sequence[Line], found: Sequence[Difference], split: str) -> str:
    """A few sentences: does MaskTune help against its controls on these data and seeds, and at what cost?"""
    by_method = {line.method: line.cells for line in lines}
    missing = [name for name in ("masktune", *CONTROLS) if name not in by_method]
    if missing:
        return (
            f"No verdict: a gain counts only against all controls, and {_listed(missing)} "
            f"{'was' if len(missing) == 1 else 'were'} not run."
        )
    worst = min(found, key=lambda difference: difference.comparison.low)
    here = f"{100 * by_method['masktune'][split].mean:.1f} % on {split}"
    least = (
        f"{100 * worst.comparison.difference:+.1f} points against {worst.method} with seed {worst.seed}, "
        f"95 % interval {_interval(worst)}"
    )
    if all(difference.comparison.low > 0 and difference.p_holm < 0.05 for difference in found):
        others = _listed(list(dict.fromkeys(difference.method for difference in found)))
        verdict = (
            f"MaskTune helps here: {here}, more than {others} with every seed "
            f"(least: {least}; all p < 0.05 after Holm's correction)."
        )
    elif worst.comparison.high < 0 and worst.p_holm < 0.05:
        verdict = f"MaskTune does harm here: {here}, {least}."
    else:
        verdict = f"No evidence that MaskTune helps here: {here}, {least}."
    return verdict + _cost(by_method)


def _cost(by_method: dict[str, dict[str, Cell]]) -> str:
    """What got worse against ERM, by more than half a point."""
    before, after = by_method.get("erm", {}), by_method["masktune"]
    worse = [
        f"{split} from {100 * before[split].mean:.1f} to {100 * after[split].mean:.1f} %"
        for split in ("raw", "aligned", "conflicting")
        if split in before and before[split].mean - after[split].mean > 0.005
    ]
    return f" What got worse than with ERM: {_listed(worse)}." if worse else ""


def _table(lines: Sequence[Line]) -> str:
    columns = [column for column in COLUMNS if any(column in line.cells for line in lines)]
    head = ["method", *columns, "epochs", "seconds", "group labels", "checkpoint"]
    rows = [
        [
            line.method,
            *(in_percent(line.cells.get(column)) for column in columns),
            str(line.epochs),
            f"{line.seconds:.0f}",
            line.supervision,
            line.selection,
        ]
        for line in lines
    ]
    return "\n".join(_row(cells) for cells in [head, ["---"] * len(head), *rows])


def published_in(lines: Sequence[Line]) -> list[str]:
    """A sentence for each number that somebody published for a cell of the table."""
    return [
        f"Published for {entry.method} on {entry.split}: {100 * entry.value:.2f} ({entry.source})."
        for line in lines
        for entry in line.published.values()
    ]


def _differences(found: Sequence[Difference], split: str) -> list[str]:
    if not found:
        return []
    head = ["MaskTune minus", "seed", f"{split}, points", "95 % interval", "gained", "lost", "p (Holm)"]
    rows = [
        [
            difference.method,
            str(difference.seed),
            f"{100 * difference.comparison.difference:+.2f}",
            _interval(difference),
            str(difference.comparison.gained),
            str(difference.comparison.lost),
            f"{difference.p_holm:.2g}" if difference.p_holm > 0 else "< 1e-300",
        ]
        for difference in found
    ]
    table = "\n".join(_row(cells) for cells in [head, ["---"] * len(head), *rows])
    return ["Differences on the same images (exact McNemar test, paired bootstrap interval):", table]


def in_percent(cell: Cell | None, digits: int = 2) -> str:
    """A cell in per cent: mean, and standard deviation where there are several seeds."""
    if cell is None:
        return "–"
    spread = "" if cell.std is None else f" ± {100 * cell.std:.{digits}f}"
    return f"{100 * cell.mean:.{digits}f}{spread}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _interval(difference: Difference) -> str:
    return f"{100 * difference.comparison.low:+.1f} to {100 * difference.comparison.high:+.1f}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
