"""Threads that read images; one pool for all data sets."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Not on macOS and Windows.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """The pool of so many threads; they live as long as the process and sleep while nothing is read."""
    return ThreadPoolExecutor(threads, thread_name_prefix="reading")


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork, as into the workers of a DataLoader.
    os.register_at_fork(after_in_child=pool.cache_clear)
