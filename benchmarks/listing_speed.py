"""What it costs to list many images, before any of them is opened: a CSV manifest and the folder itself.

    python benchmarks/listing_speed.py --images 200000

Makes empty files in a temporary folder, 1,000 a folder, and a manifest with a label, a subject for every four
images and a column of text; prints the seconds of each step and the greatest memory of a process that does
nothing else. The steps run in a fresh process, so making the files counts nowhere.
"""

import argparse
import csv
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from masktune.data.folder import list_folder
from masktune.data.manifest import read_manifest
from masktune.data.splits import with_splits

A_FOLDER = 1000

Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--measure", choices=["manifest", "folder"], help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        {"manifest": measure_manifest, "folder": measure_folder}[args.measure](args.root)
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {args.images:,} images"
    )
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), args.images)
        for what in ("manifest", "folder"):
            subprocess.run([sys.executable, __file__, "--measure", what, "--root", folder], check=True)


def make_files(root: Path, images: int) -> None:
    """Empty files `class/folder/name.jpg`, and `manifest.csv`."""
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "subject", "finding"])
        for number in range(images):
            label = "positive" if number % 25 == 0 else "negative"
            path = root / label / f"part-{number // A_FOLDER:04d}" / f"image-{number:07d}.jpg"
            if number % A_FOLDER in (0, 1):
                path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            finding = f"Image {number} of the series shows what the radiologist called {label}."
            table.writerow([path.relative_to(root).as_posix(), label, f"patient-{number // 4}", finding])


def measure_manifest(root: Path) -> None:
    before = peak()
    start = time.perf_counter()
    samples = timed("manifest: read, checked for missing files", lambda: read_manifest(root / "manifest.csv"))
    timed("missing files again, alone", samples.contents.missing)
    divided = timed("splits made, never through a subject", lambda: with_splits(samples))
    timed("fingerprint of sizes and times", divided.samples.fingerprint)
    print(
        f"{time.perf_counter() - start:6.2f} s in all; peak {peak():.0f} MiB, {before:.0f} after the imports"
    )


def measure_folder(root: Path) -> None:
    before = peak()
    samples = timed("folder: listed", lambda: list_folder(root))
    timed("splits made, of single images", lambda: with_splits(samples))
    print(f"         peak {peak():.0f} MiB, {before:.0f} after the imports")


def timed(name: str, step: Callable[[], Result]) -> Result:
    """Run a step and print its seconds."""
    start = time.perf_counter()
    result = step()
    print(f"{time.perf_counter() - start:6.2f} s {name}")
    return result


def peak() -> float:
    """Greatest memory of this process so far, in MiB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10


if __name__ == "__main__":
    main()
