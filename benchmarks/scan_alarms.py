"""How often each finding fires on made sets with and without a shortcut: true and false alarms of the scan.

    OMP_NUM_THREADS=1 python benchmarks/scan_alarms.py --seeds 0 40 --out /tmp/alarms.csv

Each seed makes one clean set and one with a marker of a kind, place and size drawn by the seed; a small net
is trained on each, and scanned on images that it was not trained on, made in the same way. A classifier
relies on the marker if its accuracy is at least 20 points lower on images without it. An alarm is right if a
problem names the class of the marker, and its place where the marker has one.
"""

import argparse
import csv
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from masktune.data.memory import InMemory
from masktune.findings.scan import scan_images
from masktune.findings.settings import ScanSettings
from masktune.findings.shown import Scanned
from masktune.models import predict
from masktune.models.classifier import Classifier
from masktune.seeds import seeded
from masktune.testing import Marker, ShortcutImages
from masktune.types import InputSpec

KINDS = ("square", "cross", "tag", "stripe", "border", "tint", "object")
PLACES = (
    "top left",
    "top",
    "top right",
    "left",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
    "anywhere",
)
WORDS = {
    "top left": "top left corner",
    "top right": "top right corner",
    "bottom left": "bottom left corner",
    "bottom right": "bottom right corner",
    "top": "top edge",
    "bottom": "bottom edge",
    "left": "left edge",
    "right": "right edge",
}
CLASSES = (("circle", "cross"), ("circle", "square", "triangle", "cross"), ("star", "ring"))


def small_net(channels: int, classes: int, size: int) -> nn.Module:
    def block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)

    head = (nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(32 * 16, classes))
    return nn.Sequential(*block(channels, 16), *block(16, 16), *block(16, 32), *head)


def trained(data: ShortcutImages, epochs: int, seed: int) -> Classifier:
    """A net on made images, in evaluation mode."""
    with seeded(seed, torch.device("cpu")):
        channels, size = data.images.shape[1], data.images.shape[2]
        spec = InputSpec(size=tuple(data.images.shape[2:]), channels=channels, mean=(0.45,))
        net = Classifier(small_net(channels, len(data.classes), size), spec, data.classes)
        optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 3e-3, total_steps=epochs * -(-len(data) // 64)
        )
        for _ in range(epochs):
            for chosen in torch.randperm(len(data)).split(64):
                batch = data.__getitems__(chosen)
                optimizer.zero_grad()
                functional.cross_entropy(net(batch.images), batch.labels).backward()
                optimizer.step()
                schedule.step()
    return net.eval()


def accuracy(net: Classifier, data: InMemory) -> float:
    batch = data.__getitems__(range(len(data)))
    return float(predict(net, [batch]).correct.mean())


def made(seed: int, *, marked: bool) -> ShortcutImages:
    """One set, all that is free drawn by the seed."""
    random = np.random.default_rng((seed, marked))
    size = (int(random.choice([32, 48, 64])),) * 2
    classes = CLASSES[int(random.integers(len(CLASSES)))]
    channels = int(random.choice([1, 3]))
    marker = None
    if marked:
        kind = KINDS[int(random.integers(len(KINDS)))]
        place = None if kind in ("border", "tint", "object") else str(random.choice(PLACES))
        if kind == "stripe" and place not in ("top", "bottom"):
            place = "top"
        sized = None if kind in ("tint", "object") else float(random.choice([0.1, 0.15, 0.2]))
        if kind == "border" and sized is not None:
            sized = sized / 2
        colour = tuple(random.uniform(0.5, 1, 3).tolist()) if kind == "tint" else (1.0, 1.0, 1.0)
        marker = Marker(
            kind,
            sized,
            place,
            strength=0.4 if kind == "tint" else 0.9,
            colour=colour,
            of_class=str(random.choice(classes)),
            share=float(random.choice([0.9, 0.95, 0.99])),
            conflicting=0.05,
        )
    return ShortcutImages(1500, seed=seed, size=size, channels=channels, classes=classes, marker=marker)


def is_right(scanned: Scanned, marker: Marker, *, outright: bool = False) -> bool:
    """Whether a problem names the marker's class, and its place where it has one.

    A place or property of two classes tells one from the other and names neither, or both: that counts unless
    the class must be named `outright`.
    """
    placed = marker.kind not in ("border", "tint", "object") and marker.place != "anywhere"
    place = WORDS.get(str(marker.place or "top left"))
    two = len(scanned.observed.data_classes) == 2
    for finding in scanned.findings:
        about = dict(finding.about)
        of_class = about.get("class") == marker.of_class
        if not outright:
            of_class |= "class" not in about or (two and "column" in about)
        if finding.verdict == "problem" and of_class and (not placed or about.get("place") == place):
            return True
    return False


def tried(seed: int, *, marked: bool, epochs: int) -> dict[str, object]:
    """One set: trained, scanned, judged."""
    data = made(seed, marked=marked)
    splits = data.splits(validation=600, test=400)
    net = trained(splits.train, epochs, seed)
    began = time.perf_counter()
    scanned = scan_images("made", net, splits.validation, ScanSettings(seed=seed, batch_size=64))
    seconds = time.perf_counter() - began
    marker = data.settings.marker
    usual = accuracy(net, splits.validation)
    without = accuracy(net, splits.tests["raw"]) if marked else usual
    problems = [f"{one.code}{dict(one.about)}" for one in scanned.findings if one.verdict == "problem"]
    hints = [f"{one.code}{dict(one.about)}" for one in scanned.findings if one.verdict == "hint"]
    return {
        "seed": seed,
        "marker": ""
        if marker is None
        else f"{marker.kind} {marker.place or ''} {marker.size} {marker.of_class}",
        "classes": len(data.classes),
        "size": data.images.shape[2],
        "channels": data.images.shape[1],
        "accuracy": round(usual, 3),
        "without": round(without, 3),
        "relies": marked and usual - without >= 0.2,
        "right": marker is not None and is_right(scanned, marker),
        "named": marker is not None and is_right(scanned, marker, outright=True),
        "problems": " | ".join(problems),
        "hints": " | ".join(hints),
        "seconds": round(seconds, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 40), help="first and last + 1")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--only", choices=("clean", "marked"))
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = []
    for seed in range(*given.seeds):
        for marked in (False, True):
            if given.only is None or marked == (given.only == "marked"):
                rows.append(tried(seed, marked=marked, epochs=given.epochs))
                print(rows[-1], flush=True)
    with given.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    clean = [row for row in rows if not row["marker"]]
    relying = [row for row in rows if row["relies"]]
    fired = Counter(code for row in rows for code in {p[:5] for p in str(row["problems"]).split(" | ") if p})
    print(f"clean sets with a problem: {sum(bool(row['problems']) for row in clean)} of {len(clean)}")
    print(
        f"relying classifiers rightly named: {sum(bool(row['right']) for row in relying)} of {len(relying)}"
    )
    print(f"of these with the class by name: {sum(bool(row['named']) for row in relying)}")
    print(f"problems by code, all sets: {dict(sorted(fired.items()))}")


if __name__ == "__main__":
    main()
