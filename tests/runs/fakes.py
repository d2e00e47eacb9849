"""A run and its rows, with whatever a test wants to be different."""

from masktune.runs import DataRecord, Row, RunFolder

DATA = [DataRecord("biased-mnist", "sorted", "ab" * 32)]


def open_run(path, **changed):
    asked = {
        "command": "reproduce",
        "argv": ["masktune", "reproduce", "biased-mnist"],
        "settings": {"epochs": 10, "seeds": [0, 1], "methods": ["erm", "masktune"], "preset": "default"},
        "data": DATA,
        "threads": 2,
        "device": "cpu",
    }
    return RunFolder.open(path, **asked | changed)


def settings(**changed):
    return {"epochs": 10, "seeds": [0, 1], "methods": ["erm", "masktune"], "preset": "default"} | changed


def row(**changed):
    fields = {
        "dataset": "biased-mnist",
        "variant": "sorted",
        "method": "masktune",
        "seed": 0,
        "split": "conflicting",
        "metric": "accuracy",
        "value": 0.9851,
        "n": 10000,
        "low": 0.9825,
        "high": 0.9873,
        "supervision": "none",
        "selection": "validation_accuracy",
        "epochs": 11,
        "seconds": 93.1,
    }
    return Row(**fields | changed)


def all_rows():
    return [row(seed=seed, method=method) for seed in (0, 1) for method in ("erm", "masktune")]
