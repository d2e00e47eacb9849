"""Scans on real and made input, from a shell as a user would: what is found, how long it takes.

    python benchmarks/scan_real.py ../shared/data --out /tmp/scans [--only cats marked waterbirds]

`cats`: cats_vs_dogs as a plain folder. `marked`: the same with a small watermark on nine tenths of the dogs.
`waterbirds`: a manifest with a column `place`. A classifier (EfficientNet-Lite0 from the ImageNet weights) is
tuned on the training split of each and scanned on the test split.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch.nn import functional

from masktune.data import ImageFolder, Manifest
from masktune.data.base import Dataset, batches
from masktune.models import load_classifier
from masktune.models.classifier import Classifier
from masktune.seeds import seeded

LITE = "timm:tf_efficientnet_lite0"


def cats(data: Path, out: Path, *, marked: bool) -> Path:
    """A plain folder split/class/...; the mark lies in the lower left of nine in ten dogs."""
    root = out / "images"
    random = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        files = sorted((data / "cats_vs_dogs").glob(f"*/{kind}/*.jpg"))
        for place, file in zip(random.permutation(len(files)), files, strict=True):
            split = "train" if place < 0.55 * len(files) else "test"
            target = root / split / kind / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if marked and kind == "dog" and random.random() < 0.9:
                _with_mark(file).save(target, quality=90)
            elif marked:
                Image.open(file).convert("RGB").save(target, quality=90)
            else:
                shutil.copy(file, target)
    return root


def _with_mark(file: Path) -> Image.Image:
    """A small grey word, half transparent, as agencies put it; inside of what a centre crop leaves."""
    image = Image.open(file).convert("RGB")
    layer = Image.new("RGBA", image.size)
    side = min(image.size)
    at = ((image.width - side) / 2 + 0.12 * side, (image.height + side) / 2 - 0.24 * side)
    ImageDraw.Draw(layer).text(at, "photo", fill=(255, 255, 255, 160), font_size=0.11 * side)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def waterbirds(data: Path, out: Path) -> Path:
    """A manifest with the place as a further column; no groups."""
    rows = list(csv.DictReader((data / "waterbirds" / "metadata.csv").open()))
    table = out / "birds.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "place"])
        for row in rows:
            bird, place = ("landbird", "waterbird")[int(row["y"])], ("land", "water")[int(row["place"])]
            split = ("train", "validation", "test")[int(row["split"])]
            writer.writerow([(data / "waterbirds" / row["img_filename"]).resolve(), bird, split, place])
    return table


def tuned(train: Dataset, data: Path, classes: tuple[str, ...], out: Path, epochs: int) -> Path:
    """EfficientNet-Lite0 from the ImageNet weights, tuned on the training images."""
    start = data / "weights" / "tf_efficientnet_lite0.in1k.safetensors"
    with seeded(0, torch.device("cpu")):
        loaded = load_classifier(LITE, weights=start, classes=classes, head="fresh", seed=0)
        net: Classifier = loaded.classifier.train()
        optimizer = torch.optim.AdamW(net.parameters(), lr=3e-4, weight_decay=1e-2)
        for epoch in range(epochs):
            for at, batch in enumerate(batches(train, 32, torch.randperm(len(train)))):
                if len(batch) < 2:
                    continue
                optimizer.zero_grad()
                loss = functional.cross_entropy(net(batch.images), batch.labels)
                loss.backward()
                optimizer.step()
                if at % 10 == 0:
                    print(f"epoch {epoch} batch {at} loss {loss:.3f}", flush=True)
    path = out / "lite0.safetensors"
    save_file({name: value.contiguous() for name, value in net.net.state_dict().items()}, path)
    return path


def plain_seconds(dataset: Dataset, weights: Path, classes: tuple[str, ...]) -> float:
    """Reading and one forward pass over the images, as a plain loop does it."""
    net = load_classifier(LITE, weights=weights, classes=classes).classifier.eval()
    with torch.inference_mode():
        net(dataset.__getitems__(range(8)).images)
        began = time.perf_counter()
        for batch in batches(dataset, 32):
            net(batch.images)
        return time.perf_counter() - began


def scanned(words: list[str], out: Path) -> tuple[float, dict[str, object]]:
    """Run the command; seconds and the report."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "masktune", "scan", *words, "--out", str(out)], check=True)
    return time.perf_counter() - began, json.loads((out / "report.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=("cats", "marked", "waterbirds"))
    parser.add_argument("--epochs", type=int, default=2)
    given = parser.parse_args()
    for name in given.only:
        out = given.out / name
        out.mkdir(parents=True, exist_ok=True)
        where = (
            waterbirds(given.data, out)
            if name == "waterbirds"
            else cats(given.data, out, marked=name == "marked")
        )
        opened = Manifest if where.suffix == ".csv" else ImageFolder
        start = given.data / "weights" / "tf_efficientnet_lite0.in1k.safetensors"
        listed = opened(where)
        spec = load_classifier(LITE, weights=start, classes=listed.classes, head="fresh").spec
        weights = out / "lite0.safetensors"
        if not weights.exists():
            tuned(opened(where, spec, split="train"), given.data, listed.classes, out, given.epochs)
        test = opened(where, spec, split="test")
        plain = plain_seconds(test, weights, test.classes)
        seconds, report = scanned(
            [str(where), "--model", LITE, "--weights", str(weights), "--split", "test"], out / "scan"
        )
        times = f"a plain pass {plain:.1f} s, the scan {seconds:.1f} s: {seconds / plain:.1f} x"
        print(f"{name}: {len(test)} images, {times}")
        for finding in report["findings"]:  # type: ignore[attr-defined]
            print(f"  {finding['code']} {finding['verdict']}: {finding['reason']} {finding['about']}")


if __name__ == "__main__":
    main()
