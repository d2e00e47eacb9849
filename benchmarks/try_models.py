"""`masktune mask` as it is typed, with models and folders that no test contains; a line of results for each.

    python benchmarks/try_models.py ../shared/data

Models of timm and torchvision with random weights, saved as state dicts, on 48 images of Cats vs Dogs: does
the command find a layer, which formula is safe there, how fast is it? Then EfficientNet-Lite0 with ImageNet's
weights on Cats vs Dogs, Waterbirds, CelebA and the odd images.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from masktune.models.named import build_net

MODELS = (
    "timm:resnet26t",
    "timm:regnetx_004",
    "timm:mobilenetv4_conv_small",
    "timm:ghostnet_100",
    "timm:convnextv2_atto",
    "timm:vit_tiny_patch16_224",
    "timm:deit_tiny_distilled_patch16_224",
    "timm:swin_tiny_patch4_window7_224",
    "timm:pvt_v2_b0",
    "timm:mobilevit_xxs",
    "timm:mixer_s32_224",
    "timm:xcit_nano_12_p16_224",
    "torchvision:shufflenet_v2_x0_5",
    "torchvision:mnasnet0_5",
    "torchvision:googlenet",
    "torchvision:densenet121",
    "torchvision:vit_b_32",
    "torchvision:swin_t",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder that holds cats_vs_dogs, waterbirds, ...")
    args = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"| {'model or data':44s} | images | layer | formula | hidden, % | empty | read, net | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            torch.manual_seed(0)
            weights = Path(folder) / "weights.pth"
            torch.save({"state_dict": build_net(name, 2).net.state_dict()}, weights)
            words = [str(args.data / "cats_vs_dogs"), "--max-images", "48", "--model", name]
            tried(name, [*words, "--weights", str(weights)], Path(folder) / name.replace(":", "-"))
        lite0 = ["--model", "timm:tf_efficientnet_lite0", "--weights"]
        lite0 += [str(args.data / "weights" / "tf_efficientnet_lite0.in1k.safetensors")]
        columns = ["--path-column", "img_filename", "--label-column", "y"]
        for name, words in {
            "Lite0 on cats_vs_dogs": [str(args.data / "cats_vs_dogs")],
            "Lite0 on waterbirds": [str(args.data / "waterbirds" / "metadata.csv"), *columns],
            "Lite0 on celeba, squashed": [
                str(args.data / "celeba" / "metadata.csv"), *columns,
                "--root", str(args.data / "celeba" / "img_align_celeba"), "--resize", "squash",
            ],
            "Lite0 on odd images": [str(odd(args.data, Path(folder))), "--skip-unreadable"],
        }.items():  # fmt: skip
            tried(name, [*words, "--max-images", "200", *lite0], Path(folder) / name.replace(" ", "-"))


def odd(data: Path, folder: Path) -> Path:
    """The odd images as one class beside another, as links."""
    for at, path in enumerate(sorted((data / "odd_images").iterdir())):
        place = folder / "odd" / ("a" if at % 2 else "b")
        place.mkdir(parents=True, exist_ok=True)
        (place / path.name).symlink_to(path.resolve())
    return folder / "odd"


def tried(name: str, words: list[str], out: Path) -> None:
    start = time.perf_counter()
    command = [sys.executable, "-m", "masktune", "mask", *words, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        print(f"| {name:44s} | {done.stderr.strip().splitlines()[-1]} |")
        return
    settings = json.loads((out / "run.json").read_text())["settings"]
    rows = json.loads((out / "results.json").read_text())["rows"]
    n = sum(row["n"] for row in rows if row["metric"] == "image_hidden")
    hidden, empty = (
        sum(row["value"] * row["n"] for row in rows if row["metric"] == metric) / n
        for metric in ("image_hidden", "empty_masks")
    )
    speeds = re.search(r"reading (\d+) images/s, the net alone (\d+)", done.stderr)
    read, net = speeds.groups() if speeds else ("", "")
    print(
        f"| {name:44s} | {n} | {settings['layer']} | {settings['formula']} | {100 * hidden:.1f} | "
        f"{100 * empty:.0f} % | {read}, {net} images/s | {seconds:.0f} |"
    )


if __name__ == "__main__":
    main()
