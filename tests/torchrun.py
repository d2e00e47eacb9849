"""Start two real processes, as torchrun does."""

import os
import subprocess
import sys

BANNER = "torch.distributed.elastic.multiprocessing.errors.ChildFailedError"


def launch(*words, script=("-m", "masktune"), timeout=120):
    """What two processes said; of their errors without torchrun's own account, which would hide theirs."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*command, *map(str, script), *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    said = done.stderr.partition(BANNER)[0].rpartition("Traceback (most recent call last):\n")
    if BANNER in done.stderr:
        done.stderr = said[0]
    return done
