"""Trials on real and made input, from a shell as a user would: verdict, arms, what it took.

    OMP_NUM_THREADS=1 python benchmarks/tune_real.py ../shared/data --out /tmp/tunes [--only cats mnist]

`waterbirds-0` to `-2`: EfficientNet-Lite0 from ImageNet's weights, two epochs of ERM, then the trial; groups
stand in the manifest, the methods do not see them. `celeba`: blond hair, the group being hair x sex. `cats`:
cats_vs_dogs as a plain folder. `marked`: the same with a small watermark on nine tenths of the dogs.
`watermark`: as `marked`, with a small net that was trained from scratch and relies on the mark. `mnist`:
biased MNIST, a net trained by `masktune reproduce`. `clinic`: made images, 12 bits, 4 % positives, subjects.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scan_sets import LITE, Mark, Ready, _as_files, clinic, command, mnist, pets, watermark

from masktune.data import BiasedMNIST

SIZE = ("--input-size", "160", "160", "--crop-share", "1.0")


@dataclass(frozen=True)
class Trial:
    """What is typed behind `masktune tune`."""

    words: Sequence[str]


def waterbirds(seed: int, data: Path, out: Path) -> Trial:
    """The official splits; bird x place as group."""
    names = (("landbird", "waterbird"), ("land", "water"))
    table = _grouped(data / "waterbirds", out / "birds.csv", names, "{} on {}")
    return _lite(table, data, ["--seed", str(seed)])


def celeba(data: Path, out: Path) -> Trial:
    """Blond hair; hair x sex as group."""
    names = (("other hair", "blond"), ("woman", "man"))
    table = _grouped(data / "celeba", out / "faces.csv", names, "{}, {}", pictures="img_align_celeba")
    return _lite(table, data, [])


def cats(data: Path, out: Path) -> Trial:
    """A plain folder with train and test."""
    return _lite(pets(data, out / "images", None), data, [])


def marked(data: Path, out: Path) -> Trial:
    """A word on nine tenths of the dogs."""
    return _lite(pets(data, out / "images", Mark()), data, [])


def given(make: Callable[[Path, Path], Ready], data: Path, out: Path) -> Trial:
    """A classifier that was trained before, on the images of the split train."""
    ready = make(data, out)
    words = ready.words
    if "--split" in words:
        at = words.index("--split")
        words = words[:at] + words[at + 2 :]
    return Trial(words)


def clinical(data: Path, out: Path) -> Trial:
    """The splits that a clinic would have; the made tests without and against the letter are left out."""
    ready = clinic(data, out)
    rows = list(csv.DictReader((out / "images" / "manifest.csv").open()))
    table = out / "images" / "trial.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row for row in rows if row["split"] in ("train", "validation", "test"))
    return Trial([str(table), *ready.words[1:]])


def biased(data: Path, out: Path) -> Trial:
    """Biased MNIST: 3,000 training images of the net, 1,000 held out of its training, all three tests."""
    ready = mnist(data, out, images=10)
    folder = out / "trial"
    parts = {"train": 3000, "validation": 1000, "conflicting": 600, "aligned": 600}
    rows = []
    for split, count in parts.items():
        images = BiasedMNIST(data / "mnist", split, seed=0)
        at = np.sort(np.random.default_rng(0).permutation(len(images))[:count])
        table = _as_files(images, at, _made(folder / split))
        role = split if split in ("train", "validation") else "test"
        for place, row in zip(at.tolist(), csv.DictReader(table.open()), strict=True):
            rows.append([f"{split}/{row['path']}", row["label"], role, images.groups[place]])
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "split", "group"], *rows])
    return Trial([str(folder / "manifest.csv"), *ready.words[1:]])


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _grouped(
    folder: Path, table: Path, names: tuple[tuple[str, str], tuple[str, str]], form: str, pictures: str = "."
) -> Path:
    """A manifest out of metadata.csv (y, place, split), with the group as a column."""
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "group"])
        for row in csv.DictReader((folder / "metadata.csv").open()):
            label, place = names[0][int(row["y"])], names[1][int(row["place"])]
            split = ("train", "validation", "test")[int(row["split"])]
            writer.writerow(
                [(folder / pictures / row["img_filename"]).resolve(), label, split, form.format(label, place)]
            )
    return table


def _lite(where: Path, data: Path, more: list[str]) -> Trial:
    start = data / "weights" / "tf_efficientnet_lite0.in1k.safetensors"
    return Trial([str(where), "--model", LITE, "--weights", str(start), "--epochs", "2", *SIZE, *more])


TRIALS: dict[str, Callable[[Path, Path], Trial]] = {
    **{f"waterbirds-{seed}": partial(waterbirds, seed) for seed in range(3)},
    "celeba": celeba,
    "cats": cats,
    "marked": marked,
    "watermark": partial(given, watermark),
    "mnist": biased,
    "clinic": clinical,
}


def show(out: Path) -> None:
    """The verdict, the arms on judged and test images, and what got worse."""
    report = json.loads((out / "report.json").read_text())
    print(f"  {report['verdict']}: {report['reason']}")
    rows = json.loads((out / "results.json").read_text())["rows"]
    wanted = ("accuracy", "worst_class_accuracy", "worst_group_accuracy")
    for row in rows:
        if row["metric"] in wanted and row["split"] in ("validation", "test"):
            name = f" ({row['group']})" if row["group"] else ""
            value, low, high = (f"{100 * row[key]:.1f}" for key in ("value", "low", "high"))
            print(f"  {row['method']} {row['split']} {row['metric']}{name} {value} ({low} to {high})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=tuple(TRIALS))
    typed = parser.parse_args()
    for name in typed.only:
        out = _made(typed.out / name)
        trial = TRIALS[name](typed.data, out)
        began = time.perf_counter()
        command(["tune", *trial.words, "--quiet", "--out", str(out / "tuned")])
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
        show(out / "tuned")


if __name__ == "__main__":
    main()
