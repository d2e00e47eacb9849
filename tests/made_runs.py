"""Run folders and predictions, made: what a finished run leaves, without training anything."""

from pathlib import Path

import numpy as np

from masktune.evaluation import Predictions
from masktune.runs import DataRecord, Row, RunFolder, save_predictions

CLASSES = 3
SIZES = {"validation": 300, "calibration": 600, "test": 500}


def predictions(split, seed, *, n=None, sure=4.0, groups=True, classes=CLASSES):
    """Logits that know the label the better the surer; the same labels, groups and ids for every seed."""
    n = SIZES.get(split, 200) if n is None else n
    of_split = np.random.default_rng([*split.encode()])
    labels = of_split.integers(classes, size=n)
    named = np.where(of_split.random(n) < 0.2, "few", "many")
    random = np.random.default_rng([seed, *split.encode()])
    logits = random.normal(size=(n, classes))
    logits[np.arange(n), labels] += sure * random.random(n) * np.where(named == "few", 0.5, 1.0)
    ids = np.array([f"{split}/{i}" for i in range(n)])
    return Predictions(logits.astype(np.float32), labels, ids, groups=named if groups else None)


def write_model(folder: Path, seed, *, splits=tuple(SIZES), **how):
    for split in splits:
        save_predictions(folder / "predictions" / f"{split}.npz", predictions(split, seed, **how))
    (folder / "weights.safetensors").write_bytes(f"weights {folder.name} {seed}".encode())


def write_run(
    out: Path,
    methods=("erm", "continue_erm", "masktune"),
    seeds=(0, 1),
    selection="validation_accuracy",
    **settings,
):
    """A finished run of `masktune reproduce`."""
    rows = []
    settings = {"masktune.tune_checkpoint": "best", **settings}
    with RunFolder.open(
        out,
        command="reproduce",
        argv=("reproduce", "made"),
        settings=settings,
        data=[DataRecord("made", "plain", "ab" * 32)],
        threads=1,
        device="cpu",
    ) as folder:
        for seed in seeds:
            for at, method in enumerate(methods):
                write_model(folder.model_folder("made", seed, method), 10 * seed + at)
                rows.append(
                    Row(
                        dataset="made",
                        variant="plain",
                        method=method,
                        seed=seed,
                        split="test",
                        metric="accuracy",
                        value=0.5,
                        n=500,
                        supervision="none",
                        selection=selection,
                        epochs=3,
                        seconds=1.0,
                    )
                )
        folder.write_results(rows)
    return out
