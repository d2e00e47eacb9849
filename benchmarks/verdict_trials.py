"""Run trials on data whose groups are known to the judge alone, and keep what the arms said.

    OMP_NUM_THREADS=1 python benchmarks/verdict_trials.py --seeds 0 6 --out /tmp/trials

One file a kind and seed, `KIND-SEED.npz`; what is there is not run again. `verdict_rule.py` reads them.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from verdict_kinds import KINDS, Kind

from masktune.methods import ERM, Task
from masktune.models.classifier import Classifier
from masktune.training.settings import Training
from masktune.training.together import predict_all
from masktune.trial.arms import Arm, JudgedImages, run_arms
from masktune.trial.hiding import Donors
from masktune.trial.hold_out import held_out
from masktune.trial.rates import choose_rate
from masktune.trial.settings import TrialSettings


def tried(kind: Kind, seed: int) -> dict[str, np.ndarray]:
    """One trial: everything that the arms said of validation and test images."""
    parts = kind.make(seed)
    settings = TrialSettings(seed=seed)
    fit, held = held_out(parts.train, settings)
    first = Training(
        epochs=parts.epochs, batch_size=64, optimizer="adam", learning_rate=2e-3, annealing="linear"
    )
    began = time.perf_counter()
    start = ERM().fit(Task(fit, held, parts.build, first, seed=seed)).classifier.eval()
    weights = {name: value.clone() for name, value in start.state_dict().items()}

    def build() -> Classifier:
        net = parts.build()
        net.load_state_dict(weights)
        return net.eval()

    task = Task(fit, held, build, settings.tuning(), seed=seed)
    choice = choose_rate(task, settings, held)
    done = run_arms(task, settings, JudgedImages(parts.validation, held), choice)
    arms: dict[str, Arm] = dict(done.by_name)
    if done.lower is not None:
        arms["masktune-lower"] = done.lower
    found: dict[str, np.ndarray] = {}
    for name, arm in arms.items():
        found[f"{name}/validation"] = arm.predictions.logits
        found |= {f"{name}/{area}": logits for area, logits in arm.changed_logits.items()}
        made = arm.fitted or arm.given_up
        net = start if made is None else made.classifier
        found[f"{name}/test"] = predict_all(net, parts.test).logits
        found[f"{name}/held_out"] = predict_all(net, held).logits
    donors = Donors.of(parts.validation, seed)
    found |= {"donors/other_class": donors.other_class, "donors/same_class": donors.same_class}
    for name, data in (("validation", parts.validation), ("test", parts.test), ("held_out", held)):
        found[f"{name}/labels"] = data.labels
        found[f"{name}/ids"] = np.asarray(data.ids).astype(str)
        for what in ("groups", "subjects"):
            if getattr(data, what) is not None:
                found[f"{name}/{what}"] = np.asarray(getattr(data, what)).astype(str)
    if parts.train.groups is not None:
        found["train/groups"] = np.asarray(parts.train.groups).astype(str)
    about = {
        "kind": kind.name,
        "half": kind.half,
        "seed": seed,
        "rate": choice.rate,
        "tried": [(one.rate, one.accuracy) for one in choice.tried],
        "stopped": {name: arm.stopped for name, arm in arms.items() if arm.stopped},
        "seconds": round(time.perf_counter() - began, 1),
    }
    return found | {"about": np.array(json.dumps(about))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 6), help="first and last + 1")
    parser.add_argument("--kinds", nargs="+", help="only these")
    parser.add_argument("--half", choices=("a", "b"), help="only its kinds")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in range(*given.seeds):
        for kind in KINDS:
            path = given.out / f"{kind.name}-{seed}.npz"
            if path.exists() or not wanted(kind, given):
                continue
            found = tried(kind, seed)
            np.savez_compressed(path, **found)
            print(told(found), flush=True)


def wanted(kind: Kind, given: argparse.Namespace) -> bool:
    """Whether this kind is asked for."""
    return (not given.kinds or kind.name in given.kinds) and given.half in (None, kind.half)


def told(found: dict[str, np.ndarray]) -> str:
    """One line: accuracy and worst group of each arm on the test images."""
    labels, groups = found["test/labels"], found.get("test/groups")
    words = [str(found["about"])]
    for name in sorted({key.split("/")[0] for key in found if key.endswith("/test")}):
        right = found[f"{name}/test"].argmax(1) == labels
        names = labels if groups is None else groups
        worst = min(right[names == one].mean() for one in np.unique(names))
        words.append(f"{name} {100 * right.mean():.1f} worst {100 * worst:.1f}")
    return " | ".join(words)


if __name__ == "__main__":
    main()
