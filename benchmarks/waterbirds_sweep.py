"""What of MaskTune would help on Waterbirds? Many settings of the tuning epoch, after one ERM a seed.

    OMP_NUM_THREADS=1 python benchmarks/waterbirds_sweep.py ../shared/data --out /tmp/sweep --seeds 0

Small variant (`reproduce waterbirds --cpu`). Settings are held against each other on validation; the test
images are read for ERM and three settings: the default, that of the best validation accuracy (which needs no
group labels), and that of the best worst group (the best that anybody who knew the groups could choose). What
is there is not run again.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from masktune.bench import Choices, Photos, Recipe, waterbirds
from masktune.evaluation import Predictions, accuracy, group_accuracy, worst_group_accuracy
from masktune.masking import MeanPlusStd, TopFraction
from masktune.methods import ERM, Fitted, MaskTune, Task
from masktune.methods.least_salient_mask import _least
from masktune.methods.masks import Place, own_place
from masktune.methods.masktune import tune_in_rounds
from masktune.methods.random_mask import _elsewhere
from masktune.training.together import predict_all

Numbers = dict[str, Any]

SHARES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Setting:
    """One way to tune; without a method ERM as it is."""

    name: str
    method: MaskTune | None = None
    place: Place | None = own_place
    epochs: int | None = None
    """Of ERM before; None is the recipe's number."""


def settings(default: MaskTune) -> Iterator[Setting]:
    """One thing changed at a time."""
    yield Setting("erm")
    yield Setting("continue_erm", default, None)
    yield Setting("random_mask", default, _elsewhere)
    yield Setting("least_salient_mask", default, _least)
    yield Setting("default", default)
    for k in (0.5, 1.0, 3.0):
        yield Setting(f"mean-plus-{k:g}-std", replace(default, threshold=MeanPlusStd(k)))
    for share in SHARES:
        top = replace(default, threshold=TopFraction(share))
        yield Setting(f"most-salient-{100 * share:.0f}", top)
        yield Setting(f"least-salient-{100 * share:.0f}", top, _least)
        yield Setting(f"random-{100 * share:.0f}", top, _elsewhere)
    for rate in (1e-4, 1e-3):
        yield Setting(f"rate-{rate:g}", replace(default, learning_rate=rate))
    yield Setting("two-rounds", replace(default, rounds=2))
    yield Setting("two-rounds-accumulated", replace(default, rounds=2, accumulate=True))
    yield Setting("online-masks", replace(default, masks="online"))
    yield Setting("label-explained", replace(default, classes="label"))
    yield Setting("layercam", replace(default, saliency="layercam"))
    yield Setting("layer-blocks-4", replace(default, layer="blocks.4"))
    yield Setting("mean-filled", replace(default, fill="image_mean"))
    for epochs in (1, 2):
        yield Setting(f"erm-{epochs}", epochs=epochs)
        yield Setting(f"masktune-after-{epochs}", default, epochs=epochs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    weights = given.data / "weights" / "tf_efficientnet_lite0.in1k.safetensors"
    recipe = waterbirds(Photos(given.data / "waterbirds", weights, cpu=True), Choices(seeds=(0,)))
    for seed in given.seeds:
        found = {}
        for setting in settings(recipe.masktune):
            found[setting.name] = kept(
                given.out / f"seed-{seed}" / f"{setting.name}.json", recipe, setting, seed
            )
            print(seed, setting.name, json.dumps(found[setting.name]), flush=True)
        tested(given.out / f"seed-{seed}", recipe, found, seed)


def kept(path: Path, recipe: Recipe, setting: Setting, seed: int) -> Numbers:
    """Validation numbers of a setting: read where they are, else made."""
    if path.exists():
        found: Numbers = json.loads(path.read_text())
        return found
    fitted = fit(path.parent, recipe, setting, seed)
    found = numbers(predict_all(fitted.classifier, recipe.splits(seed).validation))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))
    return found


def fit(folder: Path, recipe: Recipe, setting: Setting, seed: int) -> Fitted:
    """ERM, once for all settings of as many epochs, and the tuning of this one."""
    splits = recipe.splits(seed)
    training = replace(recipe.training, epochs=setting.epochs or recipe.training.epochs)
    build: Callable[[], object] = partial(recipe.build, seed)
    at = folder / f"erm-{training.epochs}-epochs"
    task = Task(splits.train, splits.validation, build, training, seed=seed, folder=at).supervised_by("none")  # type: ignore[arg-type]
    if setting.method is None:
        return ERM().fit(task)
    return tune_in_rounds(setting.name, setting.method, task, setting.place)


def numbers(said: Predictions) -> Numbers:
    """Accuracy, and the worst group with its name, size and interval."""
    name, worst = worst_group_accuracy(said)
    groups = {group: rate.value for group, rate in group_accuracy(said).items()}
    return {
        "accuracy": accuracy(said).value,
        "worst_group": worst.value,
        "group": name,
        "n": worst.n,
        "low": worst.low,
        "high": worst.high,
        "groups": groups,
    }


def tested(folder: Path, recipe: Recipe, found: dict[str, Numbers], seed: int) -> None:
    """The test images, for the default and for the two that validation would choose."""
    masked = [name for name in found if name not in ("erm", "continue_erm", "erm-1", "erm-2")]
    chosen = {
        "erm": "erm",
        "default": "default",
        "chosen without labels": max(masked, key=lambda name: found[name]["accuracy"]),
        "chosen by groups": max(masked, key=lambda name: found[name]["worst_group"]),
    }
    by_name = {setting.name: setting for setting in settings(recipe.masktune)}
    test = recipe.splits(seed).tests["test"]
    for why, name in chosen.items():
        path = folder / f"{name}-test.json"
        if not path.exists():
            said = predict_all(fit(folder, recipe, by_name[name], seed).classifier, test)
            path.write_text(json.dumps(numbers(said)))
        print(seed, why, name, path.read_text(), flush=True)


if __name__ == "__main__":
    main()
