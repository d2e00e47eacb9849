"""A run folder that several processes work in: the first one opens it and holds its lock."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from masktune.runs import DataRecord, RunFolder, RunRecord
from masktune.training.devices import Processes


def open_for_all(
    out: Path,
    here: Processes,
    *,
    command: str,
    argv: Sequence[str],
    settings: Mapping[str, Any],
    data: Sequence[DataRecord],
    threads: int | None = None,
    weights_sha256: str | None = None,
) -> RunFolder:
    """Begin a run, or go on with it, as `RunFolder.open` does; all processes get the same record.

    `threads` are those of the CPU; None is torch's own choice.
    """
    opened: list[RunFolder] = []

    def open_it() -> RunRecord:
        opened.append(
            RunFolder.open(
                out,
                command=command,
                argv=argv,
                settings=settings,
                data=data,
                weights_sha256=weights_sha256,
                threads=threads or torch.get_num_threads(),
                device=here.device.type,
            )
        )
        return opened[0].record

    record = here.first_does(open_it)
    return opened[0] if opened else RunFolder(out, record, None)
