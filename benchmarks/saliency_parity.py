"""Our maps against pytorch-grad-cam live: the largest difference, and what each costs beside a forward pass.

    pip install --target /tmp/gc --no-deps grad-cam==1.5.7 opencv-python-headless ttach
    PYTHONPATH=/tmp/gc python benchmarks/saliency_parity.py

Weights are random, with BatchNorm statistics that do something. Speed: extractors are made once, rounds are
interleaved (forward, ours, grad-cam, forward, ...), each figure is the median of its rounds.
"""

import argparse
import copy
import os
import platform
import statistics
import time
from collections.abc import Callable

import pytorch_grad_cam
import torch
import torchvision
from torch import Tensor, nn

from masktune.models.small_cnn import SmallCNN
from masktune.saliency import GradCAM, GradCAMPlusPlus, LayerCAM, XGradCAM

METHODS = (XGradCAM, GradCAM, GradCAMPlusPlus, LayerCAM)
SIZE = (96, 128)
PARITY = [
    ("resnet18", ["layer4"]),
    ("resnet18", ["layer3"]),
    ("resnet18", ["layer3", "layer4"]),
    ("resnet50", ["layer4"]),
    ("vgg11_bn", ["features.27"]),
    ("mobilenet_v2", ["features"]),
    ("squeezenet1_1", ["features"]),
    ("densenet121", ["features.denseblock4"]),
    ("regnet_y_400mf", ["trunk_output"]),
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    processor = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if "model name" in x), "?")  # noqa: SIM115, PTH123
    print(f"{processor}, {os.cpu_count()} cores, {options.threads} thread(s); {platform.system()}")
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, grad-cam 1.5.7\n")
    parity()
    print()
    speed("SmallCNN, 28 px, batch 128", SmallCNN(), "features.12", (128, 3, 28, 28), options.rounds)
    speed("SmallCNN, 28 px, batch 512", SmallCNN(), "features.12", (512, 3, 28, 28), options.rounds)
    speed(
        "ResNet-18, 224 px, batch 16",
        torchvision.models.resnet18(),
        "layer4",
        (16, 3, 224, 224),
        options.rounds,
    )


def parity() -> None:
    """Largest difference of any pixel of the maps in [0, 1], for the predicted class.

    The last two columns are the distances to our XGradCAM in float64: who is off where the two differ.
    """
    print(f"largest difference of maps, {SIZE[0]} x {SIZE[1]} px")
    names = " | ".join(method.__name__ for method in METHODS)
    print(f"| net | layers | {names} | ours to float64 | grad-cam to float64 |")
    print("| --- | --- |" + " --- |" * (len(METHODS) + 2))
    for name, layers in PARITY:
        torch.manual_seed(0)
        net = with_statistics(getattr(torchvision.models, name)(weights=None))
        images = torch.rand(3, 3, *SIZE)
        ours = [method(net, layers)(images) for method in METHODS]
        theirs = [grad_cam(method, net, layers, images) for method in METHODS]
        exact = XGradCAM(copy.deepcopy(net).double(), layers)(images.double(), ours[0].classes).maps
        apart = [largest(one.maps - other) for one, other in zip(ours, theirs, strict=True)]
        apart += [largest(ours[0].maps - exact), largest(theirs[0] - exact)]
        print(f"| {name} | {', '.join(layers)} | " + " | ".join(f"{one:.1e}" for one in apart) + " |")


def grad_cam(method: type[XGradCAM], net: nn.Module, layers: list[str], images: Tensor) -> Tensor:
    made = getattr(pytorch_grad_cam, method.__name__)(net, [net.get_submodule(one) for one in layers])
    return torch.from_numpy(made(images, None))


def largest(difference: Tensor) -> float:
    return float(difference.abs().max())


def speed(title: str, net: nn.Module, layer: str, shape: tuple[int, ...], rounds: int) -> None:
    """Medians of interleaved rounds; void where the maps differ."""
    torch.manual_seed(0)
    net, images = with_statistics(net), torch.rand(shape)
    ours = XGradCAM(net, layer)
    theirs = pytorch_grad_cam.XGradCAM(net, [net.get_submodule(layer)])
    apart = largest(ours(images).maps - torch.from_numpy(theirs(images, None)))
    assert apart < 1e-4, f"maps differ by {apart}"
    work: dict[str, Callable[[], object]] = {
        "forward": lambda: plain(net, images),
        "ours": lambda: ours(images).maps,
        "grad-cam": lambda: theirs(images, None),
    }
    seconds = interleaved(work, rounds)
    print(f"{title}: XGradCAM at {layer}, maps within {apart:.1e}")
    for name, one in seconds.items():
        print(f"  {name:9s} {one * 1e3:8.1f} ms   {one / seconds['forward']:5.2f} x forward")
    print(f"  ours is {seconds['grad-cam'] / seconds['ours']:.1f} times as fast as grad-cam")


def plain(net: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return net(images)


def interleaved(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in work}
    for index in range(rounds + 2):  # Two to warm up.
        for name, run in work.items():
            start = time.perf_counter()
            run()
            if index >= 2:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def with_statistics(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


if __name__ == "__main__":
    main()
