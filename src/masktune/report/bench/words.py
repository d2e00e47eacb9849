"""What is said around the table of a bench: how to read it, what it is about, what its columns mean."""

from collections.abc import Sequence

from masktune.bench import Standings
from masktune.bench.published import TRUST
from masktune.report.bench.columns import BenchTable

MOST_LINES = 6
"""Of the guide."""

_MARKS = "; ".join(f"[{mark}] {meaning}" for mark, meaning in TRUST.items())
PUBLISHED_MEANS = (
    "Published: worst group / average in %, which average it is, the source, and how sure the value is: "
    f"{_MARKS}. Elsewhere: and what of its setting is not ours."
)
"""Of the columns with values that others published."""

_READ = (
    (
        "A row is a method, trained once with each seed on the same images, from the same net. All numbers "
        "are of test images that no method saw before. ± is the standard deviation over seeds."
    ),
    (
        "It is held against erm, ordinary training, and against continue_erm, one more ordinary epoch: "
        "points are {what} minus theirs on the same images. Who does not beat both has shown nothing."
    ),
    (
        "Intervals (95 %) and tests draw the images again, each with all its seeds: they say how far a "
        "number reaches beyond these images, not beyond these seeds; for that see ± and “seeds better”."
    ),
    (
        "p is corrected for all comparisons of its table (Holm): below 0.05 it is hardly the images that "
        "were lucky; seeds may be, see “seeds better”. Intervals are not corrected."
    ),
    (
        "“Group labels read” are labels of what misleads, beside those of the class: at training weights are "
        "fitted by them, at selection they choose epoch or settings. Compare methods that read the same."
    ),
    (
        "A published number stands under “Published” only if images, net and group labels are ours; else "
        "under “Published elsewhere”, with what differs. Settings of training may differ in both."
    ),
)


def guide(tables: Sequence[BenchTable]) -> list[str]:
    """For someone who does not know the code, at most `MOST_LINES` lines."""
    by_group = any(table.of.by_group for table in tables)
    published = any(column.title.startswith("Published") for table in tables for column in table.columns)
    what = "the accuracy of its worst group" if by_group else "its accuracy"
    return [line.format(what=what) for line in (_READ if published else _READ[:-1])]


def about(table: BenchTable) -> list[str]:
    """What a table is about, and what a person has to know of the data; a sentence each."""
    one = table.of
    seeds = f"seed{'s' if len(one.seeds) > 1 else ''} {', '.join(map(str, one.seeds))}"
    images = f"{one.images:,} images of {one.split}" if one.images else f"no numbers of {one.split}"
    told = [f"{images}, {seeds}; the data's sha256 begins with {one.sha256[:12]}."]
    if not one.by_group:
        told.append(
            "Groups of these images are not known, so that there is no worst group: differences are of the "
            "average accuracy."
        )
    if table.changed:
        told.append(f"Settings that are not the data set's own: {table.changed}.")
    return told + [_sentence(note) for note in one.notes]


def legend(tables: Sequence[BenchTable]) -> list[tuple[str, str]]:
    """What the columns mean that are shown."""
    shown = {column.full for table in tables for column in table.columns}
    meanings = _meanings([table.of for table in tables])
    return [(title, meaning) for title, meaning in meanings.items() if shown & _titles(title)]


def _titles(title: str) -> set[str]:
    """The columns that an entry is about: "Against erm" has three, "Published" two."""
    parts = ("points, 95 % interval", "p (Holm)", "seeds better")
    return {title, f"{title} elsewhere", *(f"{title}: {part}" for part in parts)}


def _meanings(tables: Sequence[Standings]) -> dict[str, str]:
    by_group = any(one.by_group for one in tables)
    test = (
        "the larger of the bootstrap's and of a test in which the two change sides, image by image, by chance"
        if by_group
        else "exact, of a test in which the two change sides, image by image, by chance"
    )
    held = (
        f"points: the method minus the baseline, with the paired bootstrap interval over images. p: {test}. "
        "Seeds better: with how many of the seeds of both the method is above the baseline."
    )
    return {
        "Group labels read: at training": "whose group labels weights were fitted by.",
        "Group labels read: at selection": "whose group labels the rule read that chose epoch or settings.",
        "Selected by": "that rule, on validation images.",
        "Worst group, %: mean of seeds": "each seed's group with the lowest accuracy, whichever it is.",
        "Worst group, %: 95 % interval": "of that mean, over images.",
        "Worst group, %: which": "that of most seeds, and its images; it need not be the rarest.",
        "Average accuracy, %: raw mean": "share of right answers; large groups count most.",
        "Average accuracy, %: train-weighted": "the groups' accuracies, each with its share of the training "
        "images: what most papers on Waterbirds call average.",
        "Average accuracy, %: group mean": "the groups' accuracies, all alike.",
        "Against erm": held,
        "Against continue_erm": held,
        "Spent: epochs": "passes over training images from the start weights, a shared first stage included.",
        "Spent: images read": "images that weights were fitted to, likewise, each time counted.",
        "Spent: seconds": "likewise; mean over seeds.",
        "Published": PUBLISHED_MEANS.removeprefix("Published: "),
    }


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}{'' if note.endswith('.') else '.'}"
