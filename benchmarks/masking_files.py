"""What masking a folder of JPEG files costs beside a plain evaluation loop over the same files.

    python benchmarks/masking_files.py ../shared/data/waterbirds/metadata.csv --weights LITE0.safetensors

EfficientNet-Lite0 and ResNet-50 at 224 px. Interleaved rounds, median: a plain pass with torchvision's way of
loading (PIL transforms, DataLoader at its best number of workers), a plain pass with our loader, and masked
(maps, threshold, fill) with our loader. Peak memory of each in a process of its own. Then one epoch of
training, ordinary and with masks from saved maps.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from timing import interleaved
from torch import nn

from masktune import Classifier, Masker
from masktune.data.image_files import ImageFiles
from masktune.data.manifest import read_manifest
from masktune.masking import Black, MeanPlusStd
from masktune.methods.masks import Masks, own_place
from masktune.models import evaluating, load_classifier, weights_sha256
from masktune.saliency import SafeCAM
from masktune.training.checkpoints import TrainState
from masktune.training.loop import Work, train
from masktune.training.settings import Training
from masktune.training.together import maps_of_all

BATCH = 32
MODELS = ("timm:tf_efficientnet_lite0", "torchvision:resnet50")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path, help="Waterbirds' metadata.csv")
    parser.add_argument("--weights", type=Path, required=True, help="of EfficientNet-Lite0")
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", nargs=2, metavar=("MODEL", "WAY"), help="one pass; print the peak in MB")
    args = parser.parse_args()
    if args.memory:
        model, way = args.memory
        print(peak_of(ways(args, model)[way]))
        return
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    for model in MODELS:
        speeds(args, model)
        memory(args, model)
    epochs(args, MODELS[0])


def peak_of(work: Callable[[], None]) -> float:
    """MB that this process holds at most while it works; what loading the net took does not count."""
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew.
    work()
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024


def load(args: argparse.Namespace, model: str) -> tuple[Classifier, ImageFiles]:
    samples = read_manifest(args.manifest, path_column="img_filename", label_column="y").of_split("train")
    weights = args.weights if model == MODELS[0] else None
    loaded = load_classifier(model, weights=weights, random_ok=True)
    files = ImageFiles(samples, loaded.spec)
    return loaded.classifier, files.select(torch.arange(min(args.images, len(files))).numpy())


def ways(args: argparse.Namespace, model: str) -> dict[str, Callable[[], None]]:
    classifier, files = load(args, model)
    theirs = {
        f"torchvision {workers}": (lambda workers=workers: plain_theirs(classifier, files, workers))
        for workers in (0, 1, 2)
    }
    return {**passes(classifier, files), **theirs}


def passes(classifier: Classifier, files: ImageFiles) -> dict[str, Callable[[], None]]:
    """All files through the net with our loader: plain, and masked (maps, threshold, fill)."""
    masker = Masker(classifier)
    starts = range(0, len(files), BATCH)

    def batch(start: int) -> torch.Tensor:
        return files.__getitems__(range(start, min(start + BATCH, len(files)))).images

    def plain() -> None:
        with evaluating(classifier), torch.inference_mode():
            for start in starts:
                classifier(batch(start))

    def masked() -> None:
        for start in starts:
            masker(batch(start))

    return {"plain": plain, "masked": masked}


def plain_theirs(classifier: Classifier, files: ImageFiles, workers: int) -> None:
    """The loop that most people have: PIL transforms in a DataLoader's workers."""
    loader = torch.utils.data.DataLoader(Usual(files), batch_size=BATCH, num_workers=workers)
    with evaluating(classifier), torch.inference_mode():
        for images in loader:
            classifier(images)


class Usual(torch.utils.data.Dataset[torch.Tensor]):
    """The same files by torchvision's transforms on PIL's images, cut to 224 out of 256 pixels."""

    def __init__(self, files: ImageFiles) -> None:
        from torchvision import transforms

        self.paths = [files.samples.contents.where(at) for at in range(len(files))]
        modes = transforms.InterpolationMode
        how = modes.BICUBIC if files.spec.interpolation == "bicubic" else modes.BILINEAR
        self.usual = transforms.Compose(
            [transforms.Resize(256, how), transforms.CenterCrop(224), transforms.PILToTensor()]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: int) -> torch.Tensor:
        with Image.open(self.paths[at]) as image:
            seen: torch.Tensor = self.usual(image.convert("RGB"))
        return seen


def speeds(args: argparse.Namespace, model: str) -> None:
    works = ways(args, model)
    times = interleaved(works, args.rounds)
    print(f"\n{model}, {args.images} images, batches of {BATCH}, median of {args.rounds} rounds")
    usual = min(seconds for name, seconds in times.items() if name.startswith("torchvision"))
    for name, seconds in times.items():
        print(
            f"  {name:16s}{args.images / seconds:8.1f} images/s   {times['plain'] / seconds:.2f} x plain, "
            f"{usual / seconds:.2f} x torchvision's best"
        )


def memory(args: argparse.Namespace, model: str) -> None:
    peaks = {}
    for way in ("plain", "masked"):
        command = [sys.executable, __file__, str(args.manifest), "--weights", str(args.weights)]
        command += ["--images", "160", "--memory", model, way]
        peaks[way] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(
        f"  peak memory: plain {peaks['plain']:.0f} MB, masked {peaks['masked']:.0f} MB, "
        f"{peaks['masked'] / peaks['plain']:.2f} x"
    )


def epochs(args: argparse.Namespace, model: str) -> None:
    classifier, files = load(args, model)
    two = Classifier(nn.Sequential(classifier.net, nn.Linear(1000, 2)), classifier.spec, files.classes)
    explainer = SafeCAM(two)
    saved = maps_of_all(explainer, files, weights_sha256=weights_sha256(two))
    masks = Masks(two, explainer, MeanPlusStd(), Black(), own_place, 0, saved=saved)
    settings = Training(epochs=1, batch_size=BATCH, learning_rate=1e-4)

    def epoch(masked: bool) -> None:
        state = TrainState(two, settings.make_optimizer(two.parameters()))
        hide = (lambda batch, epoch: masks.hide(batch)) if masked else None
        list(train(state, files, settings, Work(0, "timing", hide)))

    times = interleaved({"ordinary": lambda: epoch(False), "saved maps": lambda: epoch(True)}, args.rounds)
    ratio = times["saved maps"] / times["ordinary"]
    print(f"\none epoch of training {model}: with saved maps {ratio:.3f} x an ordinary one")


if __name__ == "__main__":
    main()
