"""How long the metrics take with 1,000 bootstrap draws.

OMP_NUM_THREADS=1 python benchmarks/selective_speed.py [--images 50000] [--draws 1000]
"""

import argparse
import time

import numpy as np

from masktune.selective import augrc, aurc, coverage_at_risk, e_aurc, intervals, risk_at_coverage
from masktune.selective.curve import Curve

COVERAGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)
RISKS = (0.05, 0.02, 0.01)


def numbers(curve: Curve) -> list[float | None]:
    """All that a table shows of a score."""
    at_coverages = [risk_at_coverage(curve, coverage).risk for coverage in COVERAGES]
    at_risks = [coverage_at_risk(curve, risk).coverage for risk in RISKS]
    return [aurc(curve), e_aurc(curve), augrc(curve), *at_coverages, *at_risks]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--draws", type=int, default=1000)
    typed = parser.parse_args()
    random = np.random.default_rng(0)
    distinct = random.random(typed.images)
    wrong = random.random(typed.images) < 0.1 * (1 - distinct)
    for name, scores in {"no ties": distinct, "1,000 distinct scores": np.floor(distinct * 1000)}.items():
        start = time.perf_counter()
        found = intervals(scores, wrong, numbers, repeats=typed.draws)
        seconds = time.perf_counter() - start
        print(
            f"{typed.images:,} images, {typed.draws:,} draws, {name}: {len(found)} numbers in {seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
