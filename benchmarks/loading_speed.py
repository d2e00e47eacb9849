"""Images a second of the loader alone, beside torchvision's ImageFolder with a DataLoader.

    python benchmarks/loading_speed.py

800 JPEG files of 500x375 made here (photographs of `--photos`, enlarged, with noise), cut to 224x224 out of
256. Interleaved rounds, median: torchvision at each number of workers, ours with simplejpeg and with Pillow,
from the cache. Then what the speed costs: how far the pixels are from torchvision's, and for large photos how
far a reduced decoding is from a full one. Last, whether reading beside a net's pass helps on a CPU.
"""

import argparse
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from timing import interleaved

from masktune.data import jpeg
from masktune.data.check import check_images
from masktune.data.folder import list_folder
from masktune.data.image_files import ImageFiles
from masktune.data.read_image import read_image
from masktune.types import InputSpec

SPEC = InputSpec((224, 224), crop_share=0.875)
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/cats_vs_dogs/train"))
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    cores = len(os.sched_getaffinity(0))
    machine = f"{platform.machine()}, {cores} cores, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, torch {torch.__version__}, simplejpeg {'yes' if jpeg.simplejpeg else 'no'}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "images"
        make_files(args.photos, root, args.images)
        speeds(root, Path(folder) / "cache", args.rounds)
        pixels(root)
        side_by_side(root, args.rounds)
    large_photos(args.photos)


def make_files(photos: Path, root: Path, count: int) -> None:
    sources = sorted(photos.rglob("*.jpg"))
    generator = np.random.default_rng(0)
    for at in range(count):
        with Image.open(sources[at % len(sources)]) as photo:
            enlarged = photo.convert("RGB").resize((500, 375), Image.Resampling.BICUBIC)
        noisy = np.asarray(enlarged) + generator.integers(-10, 10, (375, 500, 3))
        path = root / ("a" if at % 2 else "b") / f"{at}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)


def speeds(root: Path, cache: Path, rounds: int) -> None:
    files = ImageFiles(list_folder(root), SPEC)
    cached = files.cached(cache, check_images(files.samples))
    works: dict[str, Callable[[], None]] = {
        f"torchvision, {workers} workers": (lambda workers=workers: read_theirs(root, workers))
        for workers in range(5)
    }
    if jpeg.simplejpeg is not None:
        works["masktune, extra fast (simplejpeg)"] = lambda: read_ours(files)
    works["masktune, Pillow"] = lambda: read_by_pillow(files)
    works["masktune, from the cache"] = lambda: read_ours(cached)
    times = interleaved(works, rounds)
    best = min(seconds for name, seconds in times.items() if name.startswith("torchvision"))
    print(f"\n{len(files)} files of 500x375, images a second, median of {rounds} rounds")
    for name, seconds in times.items():
        print(f"  {name:36s}{len(files) / seconds:8.0f}   {best / seconds:5.2f} x torchvision's best")


def read_theirs(root: Path, workers: int) -> None:
    from torchvision import datasets, transforms

    usual = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()])
    folder = datasets.ImageFolder(root, usual)
    for _ in torch.utils.data.DataLoader(folder, batch_size=BATCH, num_workers=workers):
        pass


def read_ours(files: ImageFiles) -> None:
    for start in range(0, len(files), BATCH):
        files.__getitems__(range(start, min(start + BATCH, len(files))))


def read_by_pillow(files: ImageFiles) -> None:
    fast, jpeg.simplejpeg = jpeg.simplejpeg, None
    try:
        read_ours(files)
    finally:
        jpeg.simplejpeg = fast


def pixels(root: Path) -> None:
    from torchvision import transforms

    usual = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    most, mean = 0, 0.0
    paths = sorted(root.rglob("*.jpg"))[:100]
    for path in paths:
        with Image.open(path) as image:
            theirs = np.asarray(usual(image.convert("RGB"))).astype(int)
        difference = np.abs(read_image(path.read_bytes(), SPEC)[0].astype(int) - theirs)
        most, mean = max(most, int(difference.max())), mean + difference.mean() / len(paths)
    print(f"\nbeside torchvision's picture: {mean:.3f} grey levels on average, {most} at most (100 files)")


def large_photos(photos: Path) -> None:
    """Decoded at a fraction of their size, and in full."""
    import io

    print("\nphotos of 2400x1800 (enlarged from small ones) to 224 of 256 pixels")
    differences, seconds = [], {True: 0.0, False: 0.0}
    for path in sorted(photos.rglob("*.jpg"))[:20]:
        with Image.open(path) as photo:
            file = io.BytesIO()
            photo.convert("RGB").resize((2400, 1800), Image.Resampling.LANCZOS).save(file, "JPEG", quality=90)
        found = {}
        for reduced in (True, False):
            before, jpeg.REDUCTIONS = jpeg.REDUCTIONS, (8, 4, 2) if reduced else ()
            start = time.perf_counter()
            found[reduced] = read_image(file.getvalue(), SPEC)[0].astype(int)
            seconds[reduced] += time.perf_counter() - start
            jpeg.REDUCTIONS = before
        differences.append(np.abs(found[True] - found[False]))
    print(
        f"  reduced: {seconds[False] / seconds[True]:.1f} x as fast; {np.mean(differences):.2f} grey levels "
        f"off on average, {np.max(differences)} at most"
    )


def side_by_side(root: Path, rounds: int) -> None:
    """Reading one batch while the net works on another, against one after the other."""
    from torchvision.models import resnet18

    net = resnet18().eval().to(memory_format=torch.channels_last)
    files = ImageFiles(list_folder(root), SPEC)
    starts = range(0, min(len(files), 4 * BATCH), BATCH)

    def passed(batch: torch.Tensor) -> None:
        with torch.inference_mode():
            net(batch.float() / 255)

    def after() -> None:
        for start in starts:
            passed(files.__getitems__(range(start, start + BATCH)).images)

    def beside() -> None:
        with ThreadPoolExecutor(1) as reader:
            waiting = reader.submit(files.__getitems__, range(BATCH))
            for start in starts:
                batch = waiting.result().images
                if start + BATCH < 4 * BATCH:
                    waiting = reader.submit(files.__getitems__, range(start + BATCH, start + 2 * BATCH))
                passed(batch)

    times = interleaved({"one after the other": after, "side by side": beside}, rounds)
    ratio = times["side by side"] / times["one after the other"]
    print(f"\nreading beside ResNet-18's pass takes {ratio:.2f} x the time of one after the other")


if __name__ == "__main__":
    main()
