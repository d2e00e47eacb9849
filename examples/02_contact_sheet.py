"""A contact sheet for a folder of images and any module: image, where the net looks, what would be hidden.

    python examples/02_contact_sheet.py FOLDER --net torchvision.models:resnet18 --size 224 --out sheet.png
    python examples/02_contact_sheet.py FOLDER --net my_package.nets:build --weights weights.safetensors

`--net` names a function without arguments that returns a module with (b, K) logits. Images are squashed to a
square and normalised with ImageNet's mean and standard deviation unless `--mean` and `--std` say otherwise.
"""

import argparse
import importlib
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from masktune import Classifier, InputSpec, Masker, MasktuneError, XGradCAM
from masktune.models import load_weights, read_weights

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--net", default="torchvision.models:resnet18", help="module:function")
    parser.add_argument("--weights", type=Path, help="a safetensors file for that net")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--mean", type=float, nargs=3, default=(0.485, 0.456, 0.406))
    parser.add_argument("--std", type=float, nargs=3, default=(0.229, 0.224, 0.225))
    parser.add_argument("--layer", help="found if not given")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("sheet.png"))
    args = parser.parse_args()
    try:
        draw_folder(args)
    except MasktuneError as error:
        sys.exit(f"error: {error}")


def draw_folder(args: argparse.Namespace) -> None:
    found = sorted(path for path in args.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    paths = found[:: max(1, len(found) // args.count)][
        : args.count
    ]  # Spread over the folder, not its first class.
    if not paths:
        sys.exit(f"error: no images ({', '.join(sorted(SUFFIXES))}) in {args.folder}")
    net = build(args.net)
    if args.weights:
        load_weights(net, read_weights(args.weights))
    images = torch.stack([read(path, args.size) for path in paths])
    with torch.no_grad():
        count = net.eval()(images.float()[:1] / 255).shape[1]
    spec = InputSpec((args.size, args.size), mean=tuple(args.mean), std=tuple(args.std))
    classifier = Classifier(net, spec, tuple(f"class {index}" for index in range(count)))
    explainer = XGradCAM(classifier, args.layer)
    maps = explainer(images)
    masked = Masker(classifier, explainer=explainer)(images)
    draw(paths, images, maps.maps, maps.classes, masked, args.out)
    print(f"looked at layer {maps.layer}; wrote {args.out}")


def build(name: str) -> torch.nn.Module:
    module, _, function = name.partition(":")
    try:
        make = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        sys.exit(
            f"error: expected --net as module:function (torchvision.models:resnet18), got {name}: {error}"
        )
    net: torch.nn.Module = make()
    return net


def read(path: Path, size: int) -> Tensor:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def draw(paths: list[Path], images: Tensor, maps: Tensor, classes: Tensor, masked: Tensor, out: Path) -> None:
    figure = Figure(figsize=(2 * len(paths), 6.4), layout="constrained")
    for column, axes in enumerate(figure.subplots(3, len(paths), squeeze=False).T):
        image = images[column].permute(1, 2, 0)
        for axis, shown in zip(axes, (image, image, masked[column].permute(1, 2, 0)), strict=True):
            axis.imshow(shown)
            axis.axis("off")
        axes[1].imshow(maps[column], cmap="jet", alpha=0.5, vmin=0, vmax=1)
        axes[0].set_title(f"{paths[column].parent.name}/\n{paths[column].name[:18]}", fontsize=8)
        axes[1].set_title(f"looks at, for class {int(classes[column])}", fontsize=8)
        axes[2].set_title("hidden", fontsize=8)
    figure.savefig(out)


if __name__ == "__main__":
    main()
