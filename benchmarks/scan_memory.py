"""How much memory a scan takes: 20,000 images that lie in memory, and 20,000 files of any size.

    OMP_NUM_THREADS=1 python benchmarks/scan_memory.py ../shared/data --out /tmp/memory [--only files]

`memory`: noise of 28 px, an `InMemory` set. `files`: the pictures of cats_vs_dogs under other names, every
hundredth of them enlarged to 12 megapixels, listed in a manifest and read at 224 px. The net is so small that
reading takes the time. Each set runs in a process of its own, and its greatest size (ru_maxrss) is printed.
"""

import argparse
import csv
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scan_nets import digits, tiny

from masktune.data import InMemory
from masktune.findings import ScanSettings, scan_images
from masktune.models.classifier import Classifier
from masktune.types import InputSpec

LARGE = (4000, 3000)
"""Width and height of the large pictures."""


def in_memory(count: int) -> None:
    """Scan noise that lies in memory."""
    images = torch.randint(
        0, 256, (count, 3, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    ids = np.array([f"{at:06d}" for at in range(count)])
    noise = InMemory(images, np.arange(count) % 2, ids, ("a", "b"))
    net = Classifier(digits(), InputSpec((28, 28)), noise.classes).eval()
    scan_images("noise", net, noise, ScanSettings(batch_size=64))


def listed(data: Path, out: Path, count: int) -> Path:
    """A manifest of as many files: links to the pictures, and large ones."""
    folder = out / f"files-{count}"
    if folder.exists():
        return folder / "manifest.csv"
    folder.mkdir(parents=True)
    pictures = sorted((data / "cats_vs_dogs").glob("*/*/*.jpg"))
    order = np.random.default_rng(0).permutation(len(pictures))
    large = [folder / f"large-{at}.jpg" for at in range(10)]
    for at, path in enumerate(large):
        Image.open(pictures[at * 100]).convert("RGB").resize(LARGE, Image.Resampling.BICUBIC).save(path)
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        for at in range(count):
            source = pictures[order[at % len(order)]]
            name = f"{at:06d}.jpg"
            (folder / name).symlink_to(large[at // 100 % len(large)] if at % 100 == 0 else source.resolve())
            writer.writerow([name, source.parent.name])
    return folder / "manifest.csv"


def of_files(data: Path, out: Path, count: int) -> None:
    """Scan files by the command."""
    from masktune.cli.main import main as masktune

    weights = out / "tiny.pt"
    torch.manual_seed(0)
    torch.save(tiny().state_dict(), weights)
    net = f"{Path(__file__).with_name('scan_nets.py')}:tiny"
    words = ["scan", str(listed(data, out, count)), "--model", net, "--weights", str(weights)]
    try:
        masktune([*words, "--quiet", "--out", str(out / f"scan-{count}")])
    except SystemExit as ended:
        if ended.code:
            raise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--only", nargs="+", choices=("memory", "files"), default=("memory", "files"))
    parser.add_argument("--here", choices=("memory", "files"), help="this one, in this process")
    given = parser.parse_args()
    if given.here is None:
        for name in given.only:
            subprocess.run([sys.executable, *sys.argv, "--here", name], check=True)
        return
    given.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    if given.here == "memory":
        in_memory(given.count)
    else:
        of_files(given.data, given.out, given.count)
    seconds = time.perf_counter() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{given.here}: {given.count} images, {seconds:.0f} s, at most {most:.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
