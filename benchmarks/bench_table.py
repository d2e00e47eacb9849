"""The table of docs/results/bench.md, from the `table.csv` of a bench.

python benchmarks/bench_table.py /tmp/bench-digits/table.csv
"""

import argparse
import csv
from pathlib import Path

LABELS = {"none": "none", "train_groups": "training", "validation_groups": "validation"}


def percent(text: str, sign: str = "") -> str:
    """Of a fraction."""
    return f"{100 * float(text):{sign}.1f}"


def line(row: dict[str, str]) -> str:
    """A method."""
    worst, base = "worst_group", "against_erm"
    read = [LABELS.get(row[f"group_labels_at_{when}"], "") for when in ("training", "selection")]
    spread = (
        f" ± {percent(row[f'{worst}_accuracy_sd (fraction)'])}"
        if row[f"{worst}_accuracy_sd (fraction)"]
        else ""
    )
    interval = " to ".join(percent(row[f"{worst}_{end} (fraction)"]) for end in ("low", "high"))
    against = ["–", "–"]
    if row[f"{base}_difference (fraction)"]:
        p = f"{float(row[f'{base}_p_holm']):.2g}"
        against = [f"{percent(row[f'{base}_difference (fraction)'], '+')}, {p}"]
        against += [f"{row[f'{base}_seeds_better']} of {row[f'{base}_seeds']}"]
    cells = [
        f"`{row['method']}`",
        ", ".join(read),
        f"{float(row['samples (images)']):,.0f}",
        f"{percent(row[f'{worst}_accuracy_mean (fraction)'])}{spread} ({interval})",
        percent(row["accuracy_mean (fraction)"]),
        *against,
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print it as Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    with parser.parse_args().table.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            print(line(row))


if __name__ == "__main__":
    main()
