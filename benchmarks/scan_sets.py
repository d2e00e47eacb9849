"""The sets of `scan_real.py`: images on disk, a classifier trained on a part of them, what a user would type.

Each function makes one set below `out` and gives what to scan. Weights that exist are not trained again.
"""

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from PIL import Image, ImageDraw
from scan_training import accuracy, recall, trained, tuned

from masktune.data import BiasedMNIST, ImageFolder, InMemory, Manifest
from masktune.data.base import batches
from masktune.models import InputOverrides, load_classifier, predict
from masktune.models.classifier import Classifier
from masktune.testing import ShortcutImages, save_splits

LITE = "timm:tf_efficientnet_lite0"
NETS = Path(__file__).with_name("scan_nets.py")


@dataclass(frozen=True)
class Ready:
    """What a user has, and types."""

    data: Path
    model: str
    weights: Path
    classes: tuple[str, ...]
    """Of the logits, in order."""
    split: str | None = None
    input: InputOverrides = InputOverrides()  # noqa: RUF009 - it is frozen.
    said: str = ""
    """What is known of the classifier beforehand."""

    @property
    def words(self) -> list[str]:
        """Behind `masktune scan`."""
        words = [str(self.data), "--model", self.model, "--weights", str(self.weights)]
        words += ["--classes", ",".join(self.classes)]
        words += ["--split", self.split] if self.split else []
        options = {"--input-size": self.input.size, "--crop-share": self.input.crop_share}
        options |= {"--mean": self.input.mean, "--std": self.input.std, "--range": self.input.range}
        for name, value in options.items():
            if value is not None:
                words += [name, *map(str, value if isinstance(value, tuple) else (value,))]
        return words


@dataclass(frozen=True)
class Mark:
    """A word as agencies put it, in the lower left of what a centre crop leaves."""

    height: float = 0.11
    """Of its letters, as a share of the shorter side."""
    opacity: int = 160
    """0 to 255."""

    def on(self, image: Image.Image) -> Image.Image:
        """The image with the word over it, in RGB."""
        layer = Image.new("RGBA", image.size)
        side = min(image.size)
        at = ((image.width - side) / 2 + 0.12 * side, (image.height + side) / 2 - (0.13 + self.height) * side)
        ImageDraw.Draw(layer).text(
            at, "photo", fill=(255, 255, 255, self.opacity), font_size=self.height * side
        )
        return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def cats(data: Path, out: Path) -> Ready:
    """A plain folder, nothing wrong with it."""
    return _lite(pets(data, out / "images", None), data, out)


def marked(data: Path, out: Path) -> Ready:
    """The same with a small word on nine tenths of the dogs."""
    return _lite(pets(data, out / "images", Mark()), data, out)


def waterbirds(data: Path, out: Path) -> Ready:
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
    return _lite(table, data, out)


def watermark(data: Path, out: Path, *, mark: Mark = Mark(), epochs: int = 12) -> Ready:
    """The marked folder, and a small net that was trained on it from scratch: the mark is what it learns."""
    where = pets(data, out / "images", mark)
    clean = pets(data, out / "unmarked", replace(mark, opacity=0))  # Written anew by the same encoder.
    wanted = _plain((96, 96))
    build = partial(load_classifier, f"{NETS}:pets", classes=("cat", "dog"), overrides=wanted)
    weights = out / "pets.safetensors"
    if not weights.exists():
        trained(build().classifier, ImageFolder(where, build().spec, split="train"), epochs, weights)
    said = _with_and_without(build(weights=weights).classifier, where, clean)
    return Ready(where, f"{NETS}:pets", weights, ("cat", "dog"), "test", wanted, said)


def mnist(data: Path, out: Path, *, images: int = 2000) -> Ready:
    """Biased MNIST, sorted; ERM by `masktune reproduce`; images held out of training, biased as it is."""
    run = out / "run"
    words = ["reproduce", "biased-mnist", "--data", str(data / "mnist"), "--out", str(run), "--seeds", "0"]
    command([*words, "--methods", "erm", "--quiet"])
    weights = run / "models" / "biased-mnist" / "seed-0" / "erm" / "weights.safetensors"
    held_out = BiasedMNIST(data / "mnist", "validation", seed=0)
    chosen = np.sort(np.random.default_rng(0).permutation(len(held_out))[:images])
    table = _as_files(held_out, chosen, out / "images")
    wanted, classes = _plain((28, 28)), held_out.classes
    net = load_classifier(f"{NETS}:digits", weights=weights, classes=classes, overrides=wanted).classifier
    raw, conflicting = (BiasedMNIST(data / "mnist", name) for name in ("raw", "conflicting"))
    said = (
        f"accuracy {accuracy(net, held_out):.3f} on images as in training, {accuracy(net, raw):.3f} without "
    )
    said += f"the square, {accuracy(net, conflicting):.3f} with it on the wrong class"
    return Ready(table, f"{NETS}:digits", weights, classes, None, wanted, said)


def clinic(data: Path, out: Path, *, epochs: int = 12) -> Ready:
    """Made images like a clinic's: 12 bits, 4 % positives, subjects, a letter on nine tenths of them."""
    splits = ShortcutImages.clinic(4000).splits()
    if not (out / "images").exists():
        save_splits(splits, out / "images")
    wanted, classes = _plain((96, 80), (0.0, 4095.0)), splits.train.classes
    build = partial(load_classifier, f"{NETS}:letters", classes=classes, overrides=wanted)
    weights = out / "letters.safetensors"
    if not weights.exists():
        trained(build().classifier, splits.train, epochs, weights)
    net, test, raw = build(weights=weights).classifier, splits.tests["test"], splits.tests["raw"]
    said = f"accuracy {accuracy(net, test):.3f}; {recall(net, test, 1):.3f} of the findings are found, "
    said += f"{recall(net, raw, 1):.3f} without the letter"
    table = _held_out(out / "images" / "manifest.csv")
    return Ready(table, f"{NETS}:letters", weights, classes, None, wanted, said)


SETS: dict[str, Callable[[Path, Path], Ready]] = {
    each.__name__: each for each in (cats, marked, waterbirds, watermark, mnist, clinic)
}


def command(words: list[str]) -> None:
    """Run masktune as from a shell."""
    subprocess.run([sys.executable, "-m", "masktune", *words], check=True)


def pets(data: Path, root: Path, mark: Mark | None) -> Path:
    """A plain folder split/class/..., the mark on nine in ten dogs; the same images whatever the mark."""
    random = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        files = sorted((data / "cats_vs_dogs").glob(f"*/{kind}/*.jpg"))
        for place, file in zip(random.permutation(len(files)), files, strict=True):
            target = root / ("train" if place < 0.55 * len(files) else "test") / kind / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if mark is None:
                shutil.copy(file, target)
                continue
            image = Image.open(file).convert("RGB")
            carries = kind == "dog" and random.random() < 0.9
            (mark.on(image) if carries else image).save(target, quality=90)
    return root


def _lite(where: Path, data: Path, out: Path, epochs: int = 2) -> Ready:
    """EfficientNet-Lite0 from the ImageNet weights, tuned on the training images."""
    opened = Manifest if where.suffix == ".csv" else ImageFolder
    start = data / "weights" / "tf_efficientnet_lite0.in1k.safetensors"
    classes, weights = opened(where).classes, out / "lite0.safetensors"
    if not weights.exists():
        loaded = load_classifier(LITE, weights=start, classes=classes, head="fresh", seed=0)
        tuned(loaded.classifier, opened(where, loaded.spec, split="train"), epochs, weights)
    return Ready(where, LITE, weights, classes, "test")


def _with_and_without(net: Classifier, where: Path, clean: Path) -> str:
    """How many dogs are found with the mark, the same without it, and those that never had one."""
    first, second = (
        predict(net, batches(ImageFolder(at, net.spec, split="test"), 64)) for at in (where, clean)
    )
    carries = np.array([(where / name).read_bytes() != (clean / name).read_bytes() for name in first.ids])
    never = (first.labels == 1) & ~carries
    return (
        f"accuracy {first.correct.mean():.3f}; found of {carries.sum()} marked dogs "
        f"{first.correct[carries].mean():.3f}, of the same without the mark "
        f"{second.correct[carries].mean():.3f}, of the {never.sum()} that have none "
        f"{first.correct[never].mean():.3f}"
    )


def _plain(size: tuple[int, int], values: tuple[float, float] | None = None) -> InputOverrides:
    """What the small nets take: all of the picture, from 0 to 1."""
    return InputOverrides(size=size, crop_share=1.0, mean=(0.0,), std=(1.0,), range=values)


def _as_files(images: InMemory, chosen: Int64[np.ndarray, " m"], folder: Path) -> Path:
    """PNG files and a manifest with path and label."""
    folder.mkdir(exist_ok=True)
    table = folder / "manifest.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        for at in chosen.tolist():
            name = images.ids[at].replace("/", "_") + ".png"
            Image.fromarray(images.images[at].permute(1, 2, 0).numpy()).save(folder / name)
            writer.writerow([name, images.classes[images.labels[at]]])
    return table


def _held_out(table: Path) -> Path:
    """Validation and test in one, without the column that tells the group."""
    rows = [row for row in csv.DictReader(table.open()) if row["split"] in ("validation", "test")]
    with (table.parent / "held_out.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", "subject", "site"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return table.parent / "held_out.csv"
