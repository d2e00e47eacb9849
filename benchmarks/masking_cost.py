"""What masking a data set costs beside a plain evaluation pass over it, both in float32.

    python benchmarks/masking_cost.py --threads 2

SmallCNN on 28 px images from memory, ResNet-18 on 224 px. Three passes, interleaved, median of the rounds:
the plain forward pass; `Masker` (maps, threshold, fill); hiding from saved maps, which needs no net.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

import torch

from masktune import Classifier, InputSpec, Masker
from masktune.data import InMemory, batches
from masktune.masking import Black, MeanPlusStd, SavedMaps
from masktune.models import SmallCNN, evaluating, weights_sha256
from masktune.saliency import XGradCAM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    load = os.getloadavg()[0]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {args.threads} threads"
    print(f"{machine}, load {load:.1f}, torch {torch.__version__}")
    small = Classifier(SmallCNN(), InputSpec((28, 28)), ("0", "1"))
    measure("SmallCNN, 28 px", small, images=6000, batch_size=500, rounds=args.rounds)
    try:
        from torchvision.models import resnet18
    except ImportError:
        print("ResNet-18 needs torchvision: pip install 'masktune[vision]'")
        return
    names = tuple(str(index) for index in range(1000))
    large = Classifier(resnet18(), InputSpec((224, 224)), names)
    measure("ResNet-18, 224 px", large, images=64, batch_size=32, rounds=args.rounds)


def measure(name: str, classifier: Classifier, images: int, batch_size: int, rounds: int) -> None:
    """Print images a second and ratios."""
    with_statistics(classifier)
    generator = torch.Generator().manual_seed(0)
    size = classifier.spec.size
    pixels = torch.randint(0, 256, (images, 3, *size), dtype=torch.uint8, generator=generator)
    ids = torch.arange(images).numpy().astype(str)
    data = InMemory(pixels, torch.zeros(images, dtype=torch.int64).numpy(), ids, classifier.classes)
    masker = Masker(classifier)
    saved = SavedMaps.compute(
        XGradCAM(classifier), batches(data, batch_size), weights_sha256=weights_sha256(classifier)
    )

    def plain() -> None:
        with evaluating(classifier), torch.inference_mode():
            for batch in batches(data, batch_size):
                classifier(batch.images)

    def masked() -> None:
        for batch in batches(data, batch_size):
            masker(batch.images)

    def from_saved() -> None:
        for batch in batches(data, batch_size):
            Black()(batch.images, saved.hidden(batch.ids, MeanPlusStd()))

    times = interleaved([plain, masked, from_saved], rounds)
    print(f"\n{name}, {images} images, batches of {batch_size}, median of {rounds} rounds")
    for label, seconds in zip(
        ("plain evaluation pass", "masked", "hidden from saved maps"), times, strict=True
    ):
        print(f"  {label:24s}{images / seconds:9.0f} images/s   {seconds / times[0]:.2f} x the plain pass")


def interleaved(works: list[Callable[[], None]], rounds: int) -> list[float]:
    """Median seconds of each, in rounds A B C A B C after one that is not counted."""
    taken: list[list[float]] = [[] for _ in works]
    for round_number in range(rounds + 1):
        for work, times in zip(works, taken, strict=True):
            start = time.perf_counter()
            work()
            if round_number:
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in taken]


def with_statistics(classifier: Classifier) -> None:
    """Give batch norm statistics that do something; those of a fresh net are 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    for module in classifier.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1, generator=generator)


if __name__ == "__main__":
    main()
