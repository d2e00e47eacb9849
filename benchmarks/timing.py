"""What the benchmarks share."""

import statistics
import time
from collections.abc import Callable


def interleaved(works: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median seconds of each, in rounds A B C A B C after one that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if number:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}
