"""How long a bench will take, job by job, before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from masktune.bench.bench import Bench
from masktune.bench.estimate import Speeds, megabytes_of, seconds_of, speeds_of
from masktune.bench.job import place_in


@dataclass(frozen=True, slots=True)
class BenchEstimate:
    """What a bench will do."""

    jobs: int
    """All of them."""
    done: int
    """Finished before."""
    seconds: Mapping[str, float]
    """Of the jobs that are left, one after the other, by data set."""
    megabytes: float
    """On disk at the end, about."""
    speeds: Mapping[str, Speeds]
    """By data set."""

    @property
    def total(self) -> float:
        """Seconds, one job after the other."""
        return sum(self.seconds.values())


def estimate_bench(bench: Bench, out: Path) -> BenchEstimate:
    """Time a few steps of each data set's net, and add up what is left to do; nothing is written."""
    finished = {job.name for job in bench.jobs if (place_in(out, job) / "rows.json").exists()}
    seconds: dict[str, float] = {}
    speeds: dict[str, Speeds] = {}
    megabytes = 0.0
    for dataset, recipe in bench.recipes.items():
        splits = bench.splits_of(dataset, bench.plan.seeds[0])
        left = [job for job in bench.jobs if job.dataset == dataset and job.name not in finished]
        methods = [job.method for job in bench.jobs if job.dataset == dataset]
        megabytes += megabytes_of(recipe, splits, methods)
        if not left:
            continue
        speeds[dataset] = speeds_of(recipe, splits, bench.here)
        seconds[dataset] = sum(
            seconds_of(
                recipe,
                splits,
                speeds[dataset],
                [job.method for job in left if job.seed == seed and not job.any_of],
            )
            for seed in {job.seed for job in left}
        )
    return BenchEstimate(len(bench.jobs), len(finished), seconds, megabytes, speeds)
