"""What a trial costs, in ordinary epochs: EfficientNet-Lite0 at 160 px, 1,000 images of cats and dogs.

    python benchmarks/trial_cost.py ../shared/data --out /tmp/cost

An ordinary epoch is trained before and after, on the same images by the same loop; its files are read as the
trial reads them. Training, rates and masks count; what is asked of the judged images stands beside it.
"""

import argparse
import shutil
import time
from collections import defaultdict
from copy import deepcopy
from pathlib import Path

import numpy as np

from masktune.data import ImageFolder
from masktune.models import InputOverrides, load_classifier
from masktune.training.checkpoints import TrainState
from masktune.training.loop import Work, train
from masktune.trial import TrialSettings, given_of, run_trial
from masktune.trial.hold_out import held_out
from masktune.trial.seen import Listed
from masktune.types import Step

TRAIN, LITE = 1000, "timm:tf_efficientnet_lite0"


class Watch:
    """Seconds by piece of work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.last = time.perf_counter()

    def __call__(self, step: Step) -> None:
        """Count what has passed since the step before."""
        now = time.perf_counter()
        self.seconds[step.what] += now - self.last
        self.last = now

    def of(self, *words: str) -> float:
        """Of all pieces of work that are named by one of these words."""
        return sum(spent for what, spent in self.seconds.items() if any(word in what for word in words))


def photos(data: Path, out: Path) -> Path:
    """1,000 images under train, the rest under validation, by seed."""
    files = sorted((data / "cats_vs_dogs").glob("*/*/*.jpg"))
    order = np.random.default_rng(0).permutation(len(files))
    for place, at in enumerate(order.tolist()):
        split = "train" if place < TRAIN else "validation"
        target = out / split / files[at].parent.name / f"{files[at].parent.parent.name}-{files[at].name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(files[at], target)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    where = given.out / "photos"
    if not where.exists():
        photos(given.data, where)
    loaded = load_classifier(
        LITE,
        weights=given.data / "weights" / "tf_efficientnet_lite0.in1k.safetensors",
        classes=("cat", "dog"),
        head="fresh",
        overrides=InputOverrides(size=(160, 160)),
    )
    files = ImageFolder(where, loaded.spec)
    settings = TrialSettings(trained_on="none")
    trial = given_of("photos", loaded.classifier, files, Listed.of_samples(files.samples), settings)
    tuned_on, _ = held_out(trial.train, settings)

    def epoch() -> float:
        state = TrainState(
            net := deepcopy(loaded.classifier), settings.tuning().make_optimizer(net.parameters())
        )
        training = TrialSettings(epochs=1).first_training()
        began = time.perf_counter()
        for _ in train(state, trial.train, training, Work(0, "an epoch")):
            pass
        return time.perf_counter() - began

    watch, first = Watch(), epoch()
    watch.last = time.perf_counter()
    run_trial(trial, settings, folder=given.out / "work", progress=watch)
    second = epoch()
    shutil.rmtree(given.out / "work")
    one = (first + second) / 2
    asked = watch.of("asking", "changing", "hiding") + watch.seconds["computing saliency maps"]
    total = sum(watch.seconds.values())
    print(f"an ordinary epoch of {len(trial.train)} images: {first:.1f} and {second:.1f} s")
    for what, spent in sorted(watch.seconds.items(), key=lambda item: -item[1]):
        print(f"  {what}: {spent:.1f} s, {spent / one:.2f} epochs")
    print(f"training, rates, masks: {(total - asked) / one:.2f} epochs; {len(tuned_on)} images tuned on")
    print(f"asked of {len(trial.validation)} judged images: {asked:.1f} s, {asked / one:.2f} epochs")


if __name__ == "__main__":
    main()
