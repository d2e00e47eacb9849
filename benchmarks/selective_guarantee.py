"""How often a guaranteed risk is exceeded: simulated calibration sets whose true risk is known.

    OMP_NUM_THREADS=1 python benchmarks/selective_guarantee.py [--sets 2000]

Scores are uniform; the chance of a wrong answer is a u^p with u = 1 - score, so that every threshold's true
risk is known. Three settings of the reference (section 3.6), a flat risk just above the one asked for, and
the surest images as the worst. Prints a Markdown table.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from masktune.errors import CannotCertify
from masktune.selective import EmpiricalRisk, GuaranteedRisk

DELTA = 0.05

Setting = tuple[str, int, float, Callable[[np.ndarray], np.ndarray]]


def rising(full: float, power: float) -> Callable[[np.ndarray], np.ndarray]:
    """Chance of a wrong answer by u = 1 - score; all images together have the risk `full`."""
    return lambda u: np.minimum(1, full * (power + 1) * u**power)


def settings() -> list[Setting]:
    """Name, images, risk asked for, chance of a wrong answer.

    The power is the one with which the reference's oracle coverage comes out: risk(c) = full c^p.
    """
    return [
        ("r 5 %, all 12 %, n 1,000", 1000, 0.05, rising(0.12, 1.5)),
        ("r 2 %, all 6 %, n 5,000", 5000, 0.02, rising(0.06, 1.5)),
        ("r 2 %, all 6 %, n 1,000", 1000, 0.02, rising(0.06, 1.5)),
        ("flat at 5.01 %, r 5 %, n 1,000", 1000, 0.05, lambda u: np.full(u.shape, 0.0501)),
        ("surest tenth 10 %, then 1 %, r 5 %, n 2,000", 2000, 0.05, lambda u: np.where(u < 0.1, 0.10, 0.01)),
    ]


def true_risk(chance: Callable[[np.ndarray], np.ndarray], coverage: float) -> float:
    """Of the images with u below `coverage`."""
    grid = (np.arange(20_000) + 0.5) / 20_000 * coverage
    return float(chance(grid).mean())


def tried(rule: GuaranteedRisk | EmpiricalRisk, setting: Setting, sets: int) -> tuple[int, float, float]:
    """Violations, mean true coverage, share of sets in which nothing is accepted."""
    _, n, risk, chance = setting
    random = np.random.default_rng(0)
    violations, coverages, nothing = 0, [], 0
    for _ in range(sets):
        scores = random.random(n)
        wrong = random.random(n) < chance(1 - scores)
        try:
            threshold = rule.found(scores, wrong).threshold
        except CannotCertify:
            threshold = np.inf
        coverage = float(np.clip(1 - threshold, 0, 1))
        nothing += coverage == 0
        coverages.append(coverage)
        violations += coverage > 0 and true_risk(chance, coverage) > risk
    return violations, float(np.mean(coverages)), nothing / sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=2000)
    sets = parser.parse_args().sets
    print(f"| setting | rule | exceeded, of {sets:,} | mean coverage | nothing accepted |")
    print("| --- | --- | --- | --- | --- |")
    start = time.perf_counter()
    for setting in settings():
        risk = setting[2]
        rules = {
            "fixed sequence (default)": GuaranteedRisk(risk, DELTA),
            "four starts": GuaranteedRisk(risk, DELTA, starts=4),
            "SGR": GuaranteedRisk(risk, DELTA, method="sgr"),
            "Bonferroni, 20": GuaranteedRisk(risk, DELTA, method="bonferroni"),
            "empirical, no guarantee": EmpiricalRisk(risk),
        }
        for name, rule in rules.items():
            violations, coverage, nothing = tried(rule, setting, sets)
            print(f"| {setting[0]} | {name} | {violations:,} | {coverage:.3f} | {nothing:.3f} |", flush=True)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
