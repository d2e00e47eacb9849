"""`summary.md`: the table of a run, the differences on the same images, and what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from masktune.bench import Cell, Difference, GroupTable, Line, Shown, group_tables, worst_groups
from masktune.evaluation import holm
from masktune.report.markdown import table
from masktune.runs import Row


@dataclass(frozen=True, slots=True)
class About:
    """What a summary says of its run beside the numbers."""

    title: str
    """Name and variant of the data."""
    command: str
    sha256: str
    """Of the data."""
    images: Mapping[str, int]
    """By split, of the first seed."""
    pictures: bool = False
    """Whether there is a masks.png."""


def summary_of(
    about: About,
    rows: Sequence[Row],
    lines: Sequence[Line],
    found: Sequence[Difference],
    shown: Shown,
) -> str:
    """The Markdown of a run."""
    seeds = sorted({row.seed for row in rows})
    counts = ", ".join(f"{split} {count}" for split, count in about.images.items())
    several = f"mean ± standard deviation over {len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}"
    parts = [
        f"# {about.title}",
        f"`{about.command}`",
        f"Images: {counts}; sha256 of the data {about.sha256[:12]}.",
        *(f"{note[0].upper()}{note[1:]}." for note in shown.notes),
        f"Accuracy in %, {several}. {shown.explained}",
        _table(lines, shown),
        *published_in(lines),
        *_worst(worst_groups(rows, shown)),
        *_where(lines, shown),
        *(part for one in group_tables(rows, shown) for part in _by_group(one)),
        *_differences(found, shown),
        verdict_of(lines, found, shown),
        *([_PICTURES] if about.pictures else []),
        *([] if shown.status is None else [f"Status of this recipe: {shown.status}."]),
    ]
    return "\n\n".join(parts) + "\n"


_PICTURES = (
    "`masks.png`: training images, where the net of ERM looks, and what is hidden; p is the probability of "
    "the true class on the image as it is, by that net and by the tuned one."
)

CONTROLS = ("continue_erm", "random_mask", "least_salient_mask")
"""What a gain must be held against before it counts (design section 1)."""


def verdict_of(lines: Sequence[Line], found: Sequence[Difference], shown: Shown) -> str:
    """A few sentences: does MaskTune help against its controls on these data and seeds, and at what cost?"""
    by_method = {line.method: line.cells for line in lines}
    missing = [name for name in ("masktune", *CONTROLS) if name not in by_method]
    if missing:
        return (
            f"No verdict: a gain counts only against all controls, and {_listed(missing)} "
            f"{'was' if len(missing) == 1 else 'were'} not run."
        )
    found = _among_arms(found)
    harmed = _harmed(found)
    worst = min(harmed or found, key=lambda difference: difference.comparison.low)
    here = f"{100 * by_method['masktune'][shown.headline].mean:.1f} % {shown.where}"
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
    elif harmed:
        verdict = f"MaskTune does harm here: {here}, {least}."
    else:
        verdict = f"No evidence that MaskTune helps here: {here}, {least}."
    return verdict + _cost(by_method, [one.title for one in shown.columns if not one.is_hidden])


def _among_arms(found: Sequence[Difference]) -> list[Difference]:
    """Those to ERM and the controls, corrected for their own number: competitors change nothing."""
    own = [difference for difference in found if difference.method in ("erm", *CONTROLS)]
    corrected = holm([difference.comparison.p_value for difference in own])
    return [replace(difference, p_holm=float(p)) for difference, p in zip(own, corrected, strict=True)]


def _harmed(found: Sequence[Difference]) -> list[Difference]:
    """Those that are no chance, of methods that MaskTune is below with every seed: one may be a bad start."""
    below = {
        method
        for method in {difference.method for difference in found}
        if all(one.comparison.difference < 0 for one in found if one.method == method)
    }
    return [one for one in found if one.method in below and one.comparison.high < 0 and one.p_holm < 0.05]


def _cost(by_method: dict[str, dict[str, Cell]], titles: Sequence[str]) -> str:
    """What got worse against ERM, by more than half a point."""
    before, after = by_method.get("erm", {}), by_method["masktune"]
    worse = [
        f"{title} from {100 * before[title].mean:.1f} to {100 * after[title].mean:.1f} %"
        for title in titles
        if title in before and before[title].mean - after[title].mean > 0.005
    ]
    return f" What got worse than with ERM: {_listed(worse)}." if worse else ""


def _table(lines: Sequence[Line], shown: Shown) -> str:
    columns = titles_of(lines, shown)
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


def _worst(rows: Sequence[Row]) -> list[str]:
    """The worst group of each seed, by name."""
    if not rows:
        return []
    head = ["method", "seed", "worst group of the test images", "n", "right, %", "95 % interval"]
    cells = [
        [row.method, str(row.seed), row.group or "", str(row.n), _percent(row.value), _between(row)]
        for row in rows
    ]
    return ["The worst group of each seed:", table(head, cells)]


def _where(lines: Sequence[Line], shown: Shown) -> list[str]:
    """Does MaskTune hide the thing or what is around it? Random masks say how much lies on it by chance."""
    title = next((one.title for one in shown.columns if one.metric == "hidden_on_object"), "")
    cells = {line.method: line.cells.get(title) for line in lines}
    ours, chance = cells.get("masktune"), cells.get("random_mask")
    if ours is None or chance is None:
        return []
    thing = shown.thing
    rather = f"the {thing} rather than what is around it"
    if ours.mean <= chance.mean:
        rather = f"what is around the {thing} rather than the {thing}"
    told = (
        f"MaskTune hides {rather}: {100 * ours.mean:.0f} % of what it hides lies on the {thing}, of what "
        f"random masks of the same area hide {100 * chance.mean:.0f} %."
    )
    return [told]


def _by_group(one: GroupTable) -> tuple[str, str]:
    head = ["group", "n", *one.methods]
    cells = (
        [group, str(one.counts[group]), *(in_percent(own.get(method)) for method in one.methods)]
        for group, own in one.cells.items()
    )
    return f"{one.title}:", table(head, cells)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _between(row: Row) -> str:
    return f"{_percent(row.low)} to {_percent(row.high)}"


def titles_of(lines: Sequence[Line], shown: Shown) -> list[str]:
    """The columns that have a number."""
    return [one.title for one in shown.columns if any(one.title in line.cells for line in lines)]


def published_in(lines: Sequence[Line]) -> list[str]:
    """A sentence for each number that somebody published for a cell of the table."""
    return [
        f"Published for {entry.method} on {entry.column}: {100 * entry.value:.2f} ({entry.source})."
        for line in lines
        for entry in line.published.values()
    ]


def _differences(found: Sequence[Difference], shown: Shown) -> list[str]:
    if not found:
        return []
    # Where the worst group is compared, images of all groups are counted.
    of_all = " (all groups)" if shown.main.is_worst else ""
    head = [
        "MaskTune minus",
        "seed",
        f"{shown.headline}, points",
        "95 % interval",
        f"gained{of_all}",
        f"lost{of_all}",
        "p (Holm)",
    ]
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
    test = "bootstrap and sign-flip test" if shown.main.is_worst else "exact McNemar test"
    return [f"Differences on the same images ({test}, paired bootstrap interval without correction):", table]


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
