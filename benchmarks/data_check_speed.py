"""What `masktune data check` costs for many images: listing, missing files, counting; nothing is decoded.

    python benchmarks/data_check_speed.py --images 200000

Makes empty files in a temporary folder, in the layouts of CelebA (its makers' text files, and Kaggle's CSV),
ImageNet-9L and Waterbirds, as many as asked of each; prints the seconds of a check in a fresh process,
without and with the imports, and its greatest memory. Making the files counts nowhere.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from masktune.data.official.imagenet9 import CLASSES

WORK = """
import sys, time
from masktune.data.official.checking import check
start, used = time.perf_counter(), time.process_time()
found = check(sys.argv[1], sys.argv[2])
print(time.perf_counter() - start, time.process_time() - used, sum(row.n for row in found.rows))
"""

ATTRIBUTES = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    args = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {args.images:,} images"
    )
    makers = {
        "celeba, text": make_celeba,
        "celeba, CSV": make_celeba_csv,
        "imagenet9": make_imagenet9,
        "waterbirds": make_waterbirds,
    }
    for what, make in makers.items():
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), args.images)
            measure(what, folder)


def measure(what: str, root: str) -> None:
    name = what.partition(",")[0]
    before = time.perf_counter()
    run = subprocess.run([sys.executable, "-c", WORK, name, root], check=True, capture_output=True, text=True)
    whole = time.perf_counter() - before
    seconds, busy, count = map(float, run.stdout.split())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )
    print(
        f"{seconds:6.2f} s {what:14s}{count:,.0f} images; {busy:.2f} s of a core; {whole:.1f} s with "
        f"imports, peak {peak:.0f} MiB"
    )


def make_celeba(root: Path, images: int) -> None:
    names = [f"{number + 1:06d}.jpg" for number in range(images)]
    touch_all(root / "img_align_celeba", names)
    header = " ".join(attribute_names())
    rows = (f"{name} {' '.join(attributes(at, ' 1', '-1'))}" for at, name in enumerate(names))
    (root / "list_attr_celeba.txt").write_text("\n".join([str(images), header, *rows, ""]))
    rows = (f"{name} {at * 3 // images}" for at, name in enumerate(names))
    (root / "list_eval_partition.txt").write_text("\n".join([*rows, ""]))


def make_celeba_csv(root: Path, images: int) -> None:
    names = [f"{number + 1:06d}.jpg" for number in range(images)]
    touch_all(root / "img_align_celeba" / "img_align_celeba", names)
    rows = (f"{name},{','.join(attributes(at, '1', '-1'))}" for at, name in enumerate(names))
    (root / "list_attr_celeba.csv").write_text("\n".join([",".join(["image_id", *attribute_names()]), *rows]))
    rows = (f"{name},{at * 3 // images}" for at, name in enumerate(names))
    (root / "list_eval_partition.csv").write_text("\n".join(["image_id,partition", *rows]))


def attribute_names() -> list[str]:
    return ["Blond_Hair", "Male", *(f"Attribute_{at}" for at in range(2, ATTRIBUTES))]


def attributes(number: int, yes: str, no: str) -> list[str]:
    return [yes if number >> at % 16 & 1 else no for at in range(ATTRIBUTES)]


def make_imagenet9(root: Path, images: int) -> None:
    for label, name in enumerate(CLASSES):
        each = images // len(CLASSES) + (label < images % len(CLASSES))
        names = [f"n{label:08d}_{number}.JPEG" for number in range(each)]
        split = len(names) * 24 // 25
        folder = f"{label:02d}_{name}"
        touch_all(root / "train" / folder, names[:split])
        touch_all(root / "val" / folder, names[split:])


def make_waterbirds(root: Path, images: int) -> None:
    rows = ["img_id,img_filename,y,split,place,place_filename"]
    folders: dict[str, list[str]] = {}
    for number in range(images):
        species = f"{number % 200 + 1:03d}.Bird"
        name = f"Bird_{number % 10_000:04d}_{number}.jpg"
        folders.setdefault(species, []).append(name)
        bird, split, place = number // 200 % 2, number % 3, number // 400 % 2
        rows.append(f"{number},{species}/{name},{bird},{split},{place},/o/ocean/{number}.jpg")
    for species, names in folders.items():
        touch_all(root / species, names)
    (root / "metadata.csv").write_text("\n".join(rows))


def touch_all(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()


if __name__ == "__main__":
    main()
