"""Choose MaskTune's defaults on biased MNIST without looking at the test set.

    python benchmarks/choose_defaults.py ../shared/data/mnist --seeds 0 1 2 --out /tmp/choose

Each setting is judged on `validation_conflicting`: 6,000 held-back training images with the association
reversed. Stage 1 is trained once a seed; each setting then changes one field of the default.
"""

import argparse
import functools
import platform
import re
import time
from pathlib import Path

import numpy as np
import torch

from masktune.bench import Choices, biased_mnist
from masktune.data import BiasedMNIST, Shortcut
from masktune.errors import TrainingDiverged
from masktune.masking import ImageMean, MeanPlusStd, Noise, Quantile, TopFraction
from masktune.methods import ERM, ContinueERM, LeastSalientMask, MaskTune, RandomMask, Task
from masktune.methods.masks import measure_hidden
from masktune.training.together import predict_all


def constant(factor: float) -> MaskTune:
    """A constant learning rate of so many times ERM's."""
    return MaskTune(learning_rate_factor=factor, annealing="none")


SETTINGS = {
    "default": MaskTune(),
    "rate: x 1/8, constant (the paper's decayed rate)": constant(1 / 8),
    "rate: x 1, constant": constant(1.0),
    "rate: x 3, constant": constant(3.0),
    "rate: x 10, constant": constant(10.0),
    "rate: x 1, linear": MaskTune(learning_rate_factor=1.0),
    "rate: x 3, linear": MaskTune(learning_rate_factor=3.0),
    "rate: x 10, linear": MaskTune(learning_rate_factor=10.0),
    "optimiser state: fresh": MaskTune(optimizer_state="fresh"),
    "batch norm: frozen": MaskTune(batch_norm="frozen"),
    "checkpoint: last masks, last is tuned": MaskTune(mask_checkpoint="last", tune_checkpoint="last"),
    "checkpoint: best masks, last is tuned": MaskTune(tune_checkpoint="last"),
    "threshold: k = 1": MaskTune(threshold=MeanPlusStd(1.0)),
    "threshold: k = 3": MaskTune(threshold=MeanPlusStd(3.0)),
    "threshold: over all pixels": MaskTune(threshold=MeanPlusStd(over="all")),
    "threshold: over all, at the map (paper)": MaskTune(threshold=MeanPlusStd(over="all", at="map")),
    "threshold: top 5 %": MaskTune(threshold=TopFraction(0.05)),
    "threshold: 90 % quantile": MaskTune(threshold=Quantile(0.9)),
    "saliency: Grad-CAM": MaskTune(saliency="gradcam"),
    "saliency: LayerCAM": MaskTune(saliency="layercam"),
    "classes: label": MaskTune(classes="label"),
    "fill: image mean": MaskTune(fill=ImageMean()),
    "fill: noise": MaskTune(fill=Noise()),
    "epochs: 2": MaskTune(epochs=2),
    "rounds: 2": MaskTune(rounds=2),
    "rounds: 2, accumulating": MaskTune(rounds=2, accumulate=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--protocol", choices=["sorted", "random"], default="sorted")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--only", default="", help="settings whose name this regular expression finds")
    args = parser.parse_args()
    print(f"{platform.platform()}, torch {torch.__version__}, {torch.get_num_threads()} threads, {args}")
    chosen = {name: method for name, method in SETTINGS.items() if re.search(args.only, name)}
    found: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in (*CONTROLS, *chosen)}
    for seed in args.seeds:
        shortcut = Shortcut(protocol=args.protocol)
        recipe = biased_mnist(args.data, shortcut, Choices(precision=args.precision))
        train = BiasedMNIST(args.data, "train", shortcut=shortcut, seed=seed)
        held_back = BiasedMNIST(args.data, "validation_conflicting", shortcut=shortcut, seed=seed)
        validation = BiasedMNIST(args.data, "validation", shortcut=shortcut, seed=seed)
        for name, method in {**CONTROLS, **chosen}.items():
            start = time.perf_counter()
            folder = args.out / f"{args.protocol}-{args.precision}-{seed}"
            task = Task(
                train, validation, functools.partial(recipe.build, seed), recipe.training, seed, folder
            )
            for old in folder.glob(f"{method.name}/round-*.pt"):
                old.unlink()  # Another setting of the same method.
            try:
                fitted = method.fit(task)
            except TrainingDiverged:
                print(f"seed {seed}  {name:55s} diverged", flush=True)
                found[name].append((np.nan,) * 4)
                continue
            accuracy = float(predict_all(fitted.classifier, held_back).correct.mean())
            hiding = None if fitted.masks is None else measure_hidden(train, fitted.masks)
            numbers = (
                accuracy,
                np.nan if hiding is None else float(np.nanmean(hiding.shortcut)),
                np.nan if hiding is None else float(hiding.image.mean()),
                np.nan if hiding is None else hiding.statistics.empty / hiding.statistics.n,
            )
            found[name].append(numbers)
            seconds = time.perf_counter() - start
            print(f"seed {seed}  {name:55s} {100 * accuracy:6.2f}  {seconds:.0f} s", flush=True)
    print_table(found)


CONTROLS = {
    "ERM": ERM(),
    "continue ERM": ContinueERM(),
    "random mask": RandomMask(),
    "least salient mask": LeastSalientMask(),
}


def print_table(found: dict[str, list[tuple[float, float, float, float]]]) -> None:
    print("\n| setting | held-back conflicting | each seed | shortcut hidden | image hidden | empty masks |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, numbers in found.items():
        columns = zip(*numbers, strict=True)
        accuracy, shortcut, image, empty = (100 * np.array(column) for column in columns)
        std = f" ± {accuracy.std(ddof=1):.2f}" if len(accuracy) > 1 else ""
        each = ", ".join(f"{value:.2f}" for value in accuracy)
        hidden = f"{shortcut.mean():.1f} % | {image.mean():.1f} % | {empty.mean():.1f} %"
        print(f"| {name} | {accuracy.mean():.2f}{std} | {each} | {hidden} |")


if __name__ == "__main__":
    main()
