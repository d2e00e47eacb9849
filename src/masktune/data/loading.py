"""Batches in the order of the work, read ahead or by several processes where that helps."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from masktune.data.base import Dataset
from masktune.types import Batch

Parts = Iterable[Int64[Tensor, " _"]]


def drawn(data: Dataset, parts: Parts, device: torch.device) -> Iterator[Batch]:
    """The samples at each part's positions, on `device`, one batch a part.

    For a GPU two batches are read while it computes. On a CPU reading and computing share the cores: side by
    side gains nothing over one after the other, each with all of them (docs/results/loading.md). Data sets
    that read in Python may ask for processes (`FromDataset.workers`).
    """
    if workers := workers_of(data):
        read = _by_processes(data, parts, workers)
    elif device.type != "cpu":
        read = _ahead(data, parts, 2)
    else:
        read = map(data.__getitems__, parts)
    for batch in read:
        yield batch.to(device)


def workers_of(data: Any) -> int:
    """How many processes a data set asks for, through its wrappers."""
    while hasattr(data, "whole"):
        data = data.whole
    return int(getattr(data, "workers", 0))


def _ahead(data: Dataset, parts: Parts, ahead: int) -> Iterator[Batch]:
    with ThreadPoolExecutor(1, thread_name_prefix="reading ahead") as reader:
        waiting: deque[Future[Batch]] = deque()
        for positions in parts:
            waiting.append(reader.submit(data.__getitems__, positions))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _by_processes(data: Dataset, parts: Parts, workers: int) -> Iterator[Batch]:
    batches = [part.tolist() for part in parts]
    return iter(DataLoader(_Fetched(data), batch_sampler=batches, num_workers=workers, collate_fn=_as_it_is))


def _as_it_is(batch: Any) -> Any:
    """A batch is made already; a function of the module, so that it can be sent to a process."""
    return batch


class _Fetched(TorchDataset[Batch]):
    """Hands a whole list of positions to the data set, as DataLoader does for `__getitems__`."""

    def __init__(self, data: Dataset) -> None:
        self.data = data

    def __getitems__(self, positions: list[int]) -> Batch:
        return self.data.__getitems__(positions)
