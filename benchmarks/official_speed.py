"""Reading and masking the official data sets where they lie, beside the usual loader on the same files.

    python benchmarks/official_speed.py ../shared/data --weights LITE0.safetensors

For each layout interleaved rounds, median: PIL transforms in a DataLoader at its best number of workers, and
our loader, both to 224 out of 256 pixels; then EfficientNet-Lite0 at 160 px over files, plain and masked
(maps, threshold, fill).
"""

import argparse
import os
import platform
import warnings
from pathlib import Path

import numpy as np
import torch
from loading_speed import BATCH, SPEC, read_ours
from masking_files import Usual, passes
from timing import interleaved

from masktune.data.image_files import ImageFiles
from masktune.data.official.registry import list_official
from masktune.models import load_classifier
from masktune.models.classifier import Classifier
from masktune.models.specs import InputOverrides

LAYOUTS = {
    "waterbirds": "waterbirds",
    "celeba": "celeba",
    "imagenet9": "mini_in9",
    "cats-vs-dogs": "cats_vs_dogs",
}
"""Names of data sets that are photos, and their folders."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="of EfficientNet-Lite0")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--masked", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {cores} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    print("images a second (beside: of the usual loader, of the plain pass)")
    for name, folder in LAYOUTS.items():
        samples = list_official(name, args.data / folder).samples
        some = samples.select(np.linspace(0, len(samples) - 1, min(args.images, len(samples))).astype(int))
        loading(name, ImageFiles(some, SPEC), args.rounds)
        loaded = load_classifier(
            "timm:tf_efficientnet_lite0",
            weights=args.weights,
            classes=samples.classes,
            head="fresh",
            overrides=InputOverrides(size=(160, 160), crop_share=1.0),
        ).classifier
        few = some.select(np.arange(min(args.masked, len(some))))
        masking(name, loaded, ImageFiles(few, loaded.spec), args.rounds)


def loading(name: str, files: ImageFiles, rounds: int) -> None:
    works = {
        f"usual, {workers} workers": (lambda workers=workers: read_usual(files, workers))
        for workers in range(4)
    }
    times = interleaved({**works, "ours": lambda: read_ours(files)}, rounds)
    usual = min(times[work] for work in works)
    speeds = {"usual": len(files) / usual, "ours": len(files) / times["ours"]}
    show(name, "read", speeds, usual / times["ours"])


def read_usual(files: ImageFiles, workers: int) -> None:
    """What most people have."""
    for _ in torch.utils.data.DataLoader(Usual(files), batch_size=BATCH, num_workers=workers):
        pass


def masking(name: str, classifier: Classifier, files: ImageFiles, rounds: int) -> None:
    times = interleaved(passes(classifier, files), rounds)
    speeds = {way: len(files) / seconds for way, seconds in times.items()}
    show(name, "mask", speeds, times["plain"] / times["masked"])


def show(name: str, what: str, speeds: dict[str, float], ratio: float) -> None:
    told = "   ".join(f"{way} {speed:7.1f}" for way, speed in speeds.items())
    print(f"{name:14s}{what}    {told}   {ratio:.2f} x", flush=True)


if __name__ == "__main__":
    main()
