"""What a bench costs beside its jobs, and what a second worker of Ray brings.

    OMP_NUM_THREADS=1 python benchmarks/bench_overhead.py --out /tmp/overhead [--repeats 3]

Overhead: the time of a whole bench of biased digits, from the open data to results.json, against the sum of
what its jobs took. Ray: the same independent jobs on a local Ray with one CPU and with two, each job on one
thread, in turns; workers start anew each time and are timed with the jobs. First, 200 jobs of which 199 are
finished.
"""

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

import ray

from masktune.bench import Benched, Engine, OnRay, Plan, Source, in_process, open_bench, run_bench
from masktune.report import write_bench

JOBS = ("rwy", "suby", "lff")
"""They need no other job."""


def bench(out: Path, engine: Engine, seeds: tuple[int, ...]) -> tuple[float, Benched]:
    """A fresh bench; seconds of the jobs and of gathering."""
    shutil.rmtree(out, ignore_errors=True)
    plan = Plan(sources=(Source("biased-digits"),), methods=JOBS, seeds=seeds, threads=1)
    opened = open_bench(plan, out)
    start = time.perf_counter()
    benched = run_bench(opened, out, engine=engine)
    return time.perf_counter() - start, benched


def overhead(out: Path) -> dict[str, float]:
    """Of the local engine."""
    seconds, benched = bench(out, in_process, (0, 1))
    took = sum(done.took for done in benched.done.values())
    start = time.perf_counter()
    write_bench(benched)
    tables = time.perf_counter() - start
    return {
        "jobs": len(benched.done),
        "took": took,
        "whole": seconds,
        "share": seconds / took - 1,
        "tables": tables,
    }


def on_ray(out: Path, workers: int) -> float:
    """Jobs an hour."""
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        seconds, benched = bench(out, OnRay(), (0, 1))
    finally:
        ray.shutdown()
    assert not benched.failed
    return 3600 * len(benched.done) / seconds


def last_of_200(out: Path) -> float:
    """Seconds from the command's plan to the start of the only job that is left."""
    shutil.rmtree(out, ignore_errors=True)
    plan = Plan(sources=(Source("biased-digits"),), methods=("erm",), seeds=(0,), threads=1)
    run_bench(open_bench(plan, out), out)
    rows = out / "models/biased-digits/seed-0/erm/rows.json"
    for seed in range(1, 199):
        place = out / f"models/biased-digits/seed-{seed}/erm"
        place.mkdir(parents=True)
        shutil.copy(rows, place)
    started: list[float] = []

    def engine(bench, jobs, folder, progress):  # type: ignore[no-untyped-def]
        started.append(time.perf_counter() - start)
        assert [job.seed for job in jobs] == [199]
        return iter(())

    start = time.perf_counter()
    many = Plan(sources=plan.sources, methods=("erm",), seeds=tuple(range(200)), threads=1)
    run_bench(open_bench(many, out), out, engine=engine)
    return started[0]


def main() -> None:
    """Measure, and print as JSON lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    print(json.dumps({"last of 200 jobs starts after, s": last_of_200(given.out / "many")}), flush=True)
    print(json.dumps({"overhead": overhead(given.out / "local")}), flush=True)
    ratios = []
    for _ in range(given.repeats):
        one, two = (on_ray(given.out / "ray", workers) for workers in (1, 2))
        ratios.append(two / one)
        print(json.dumps({"one worker, jobs an hour": one, "two": two, "ratio": two / one}), flush=True)
    print(json.dumps({"median of the ratios": statistics.median(ratios)}))


if __name__ == "__main__":
    main()
