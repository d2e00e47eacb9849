"""How long an export will take and how large it will be, from a few batches; nothing is written."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from masktune.export.run import Given, resolved
from masktune.export.settings import ExportSettings
from masktune.export.work import Work
from masktune.intake import drawn
from masktune.training.devices import ALONE, Processes

_BATCHES = 3
"""Timed, after one that is not."""


@dataclass(frozen=True, slots=True)
class ExportEstimate:
    """What an export will do."""

    settings: dict[str, Any]
    """Resolved."""
    images: dict[str, int]
    """By split and class."""
    device: str
    threads: int
    speed: float
    """Images a second: reading, maps, masks and encoding; not the disk."""
    seconds: float
    megabytes: float
    """On disk at the end."""


def estimate_export(given: Given, settings: ExportSettings, here: Processes = ALONE) -> ExportEstimate:
    """Make some of the files in memory, and add up."""
    settings = resolved(given, settings, here)
    work = Work(given.files, given.classifier, settings, Path(), here.device)
    positions = drawn(given.files.samples, settings.batch_size * (_BATCHES + 1))
    first, rest = positions[: settings.batch_size], positions[settings.batch_size :]
    work.made(first)
    timed = rest if len(rest) else first
    start, size = time.perf_counter(), 0
    for at in range(0, len(timed), settings.batch_size):
        chunk, files = work.made(timed[at : at + settings.batch_size])
        # What was found lies there twice: by chunks, to go on from, and summed up.
        size += 2 * (chunk.low.nbytes + chunk.logits.nbytes) + sum(len(content) for content in files.values())
    speed = len(timed) / (time.perf_counter() - start)
    n = len(given.files)
    return ExportEstimate(
        settings=settings.to_record() | dict(given.how),
        images={f"{row.split or 'all'}/{row.label}": row.n for row in given.files.samples.counts()},
        device=str(here.device),
        threads=torch.get_num_threads(),
        speed=speed,
        seconds=n / speed / here.world,
        megabytes=n * size / len(timed) / 1e6,
    )
