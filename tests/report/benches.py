"""A bench of every method on Waterbirds whose numbers are made up, for the tests of reports."""

from dataclasses import replace

from masktune.bench import METHODS, Against, Cell, Standing, Standings, Worst
from masktune.evaluation import Comparison, Rate

SEEDS = (0, 1, 2)
GROUPS = ("landbird on land", "landbird on water", "waterbird on land", "waterbird on water")
FITTED = {
    "group_dro": "train_groups",
    "rwg": "train_groups",
    "subg": "train_groups",
    "dfr_train": "train_groups",
    "dfr": "validation_groups",
}
BLIND = ("erm", "continue_erm", "random_mask", "least_salient_mask", "masktune", "lff", "xrm")
"""Read no group labels, in training or at selection."""


def cell(*values):
    mean = sum(values) / len(values)
    spread = (
        (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5 if len(values) > 1 else None
    )
    return Cell(mean, spread, values)


def against(difference, p_holm=0.004, better=3):
    low, high = difference - 0.05, difference + 0.05
    return Against(Comparison(difference, low, high, p_holm / 4, 17382, 300, 100), p_holm, better, 3)


def line(method, worst=0.6, average=0.9, **about):
    """A standing whose seeds lie two points apart, against erm's 40 % and continue_erm's 45."""
    values = tuple(worst + 0.02 * (seed - 1) for seed in SEEDS)
    rates = tuple(average + 0.004 * (seed - 1) for seed in SEEDS)
    selected = "none" if method in BLIND else "validation_groups"
    made = {
        "method": method,
        "config": None,
        "fitted_with": FITTED.get(method, "none"),
        "selected_with": selected,
        "selection": "worst_group" if selected != "none" else "validation_accuracy",
        "epochs": 6,
        "samples": 28770.0,
        "seconds": 512.25,
        "averages": {
            "accuracy": cell(*rates),
            "accuracy_train_weighted": cell(*(rate + 0.05 for rate in rates)),
            "accuracy_group_mean": cell(*(rate - 0.02 for rate in rates)),
        },
        "worst": Worst(
            GROUPS[2], len(values), Rate(worst, 1926, worst - 0.02, worst + 0.02), cell(*values), 642
        ),
        "against": {
            base: against(worst - its)
            for base, its in (("erm", 0.40), ("continue_erm", 0.45))
            if base != method
        },
        "seeds": SEEDS,
        "overall": Rate(average, 17382, average - 0.01, average + 0.01),
    }
    return Standing(**made | about)


def failed(method, why="CUDA out of memory", **about):
    """A standing of which every seed failed."""
    made = {
        "config": None,
        "fitted_with": "none",
        "selected_with": "none",
        "selection": "",
        "epochs": None,
        "samples": None,
        "seconds": None,
        "averages": {},
        "worst": None,
        "against": {},
        "failed": tuple((seed, why) for seed in SEEDS),
        "seeds": (),
        "overall": None,
    }
    return replace(line(method), **made | about)


def standings_of(*lines, **about):
    """Waterbirds, official images, ResNet-50."""
    made = {
        "dataset": "waterbirds",
        "variant": "official",
        "net": "timm:resnet50",
        "sha256": "ab12" * 16,
        "split": "test",
        "images": 5794,
        "seeds": SEEDS,
        "lines": lines or (line("erm", 0.40), line("continue_erm", 0.45), line("masktune", 0.5)),
    }
    return Standings(**made | about)


def every_method(**about):
    """All of ours, one imported, one with a seed that failed, one that failed altogether."""
    worst = {"erm": 0.40, "continue_erm": 0.45}
    lines = [
        line(name, worst.get(name, 0.42 + 0.027 * at), 0.86 + 0.004 * at) for at, name in enumerate(METHODS)
    ]
    jtt = next(at for at, one in enumerate(lines) if one.method == "jtt")
    lines[jtt] = replace(lines[jtt], seeds=(0, 2), failed=((1, "the error set is empty; train shorter"),))
    lines[jtt] = replace(
        lines[jtt],
        worst=replace(lines[jtt].worst, cell=cell(0.6, 0.64)),
        averages={"accuracy": cell(0.88, 0.89)},
    )
    lines[list(METHODS).index("suby")] = failed("suby")
    lines.append(line("theirs", 0.71, config="imported", samples=None, seconds=None, epochs=None))
    return standings_of(*lines, **about)
