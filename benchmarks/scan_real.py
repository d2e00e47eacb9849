"""Scans on real and made input, from a shell as a user would: what is found, how long it takes.

    OMP_NUM_THREADS=1 python benchmarks/scan_real.py ../shared/data --out /tmp/scans [--only cats marked]

`cats`: cats_vs_dogs as a plain folder. `marked`: the same with a small watermark on nine tenths of the dogs.
`waterbirds`: a manifest with a column `place`. For these three EfficientNet-Lite0 is tuned from the ImageNet
weights. `watermark`: as `marked`, with a small net trained from scratch, which relies on the mark. `mnist`:
biased MNIST. `clinic`: made images with 12 bits and few positives. All are scanned on images that were not
trained on.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from scan_sets import SETS, Ready, command

from masktune.data.base import batches
from masktune.findings.store import load_scanned
from masktune.intake import DataChoices, ModelChoices, Prepared, prepare


def opened(ready: Ready) -> Prepared:
    """The images and the classifier as the command opens them."""
    return prepare(
        DataChoices(data=str(ready.data), split=ready.split),
        ModelChoices(model=ready.model, weights=ready.weights, classes=ready.classes, input=ready.input),
    )


def plain_seconds(prepared: Prepared) -> float:
    """Reading and one forward pass over the images, as a plain loop does it."""
    net = prepared.model.classifier.eval()
    with torch.inference_mode():
        net(prepared.files.__getitems__(range(8)).images)
        began = time.perf_counter()
        for batch in batches(prepared.files, 32):
            net(batch.images)
        return time.perf_counter() - began


def scanned(words: list[str], out: Path) -> tuple[float, dict[str, Any]]:
    """Run the command; seconds and the report."""
    began = time.perf_counter()
    command(["scan", *words, "--quiet", "--out", str(out)])
    return time.perf_counter() - began, json.loads((out / "report.json").read_text())


def show(out: Path, report: dict[str, Any]) -> None:
    """The findings, and the places that were swapped, with what came of it."""
    for finding in report["findings"]:
        print(f"  {finding['code']} {finding['verdict']}: {finding['reason']} {finding['about']}")
    observed = load_scanned(out).observed
    for one in observed.transplants:
        box = " ".join(f"{share:.2f}" for share in one.spot.box)
        print(
            f"  swapped {observed.net_classes[one.spot.label]!r} at the {one.spot.place} ({box}): gain "
            f"{one.gain.mean():.3f}, loss {one.loss.mean():.3f}, turned in {one.flipped_in.mean():.2f}, out "
            f"{one.flipped_out.mean():.2f}, alike {one.recurs:.2f}, elsewhere {one.recurs_elsewhere:.2f}, "
            f"{len(one.loss)} and {len(one.gain)} images"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=SETS, default=tuple(SETS))
    given = parser.parse_args()
    for name in given.only:
        out = given.out / name
        out.mkdir(parents=True, exist_ok=True)
        ready = SETS[name](given.data, out)
        prepared = opened(ready)
        plain = plain_seconds(prepared)
        seconds, report = scanned(ready.words, out / "scan")
        times = f"a plain pass {plain:.1f} s, the scan {seconds:.1f} s: {seconds / plain:.1f} x"
        print(f"{name}: {len(prepared.files)} images, {times}; {ready.said}", flush=True)
        show(out / "scan", report)


if __name__ == "__main__":
    main()
