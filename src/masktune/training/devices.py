"""Several processes on one machine, one a GPU: who does what, and how the parts come together again.

`torchrun --nproc_per_node N -m masktune ...` starts N processes; each sample is computed exactly once,
whatever N is. Batches, not samples, are dealt out, so every batch is the one that a single process would
have made and the results are the same bits.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from jaxtyping import Int64
from torch import Tensor, distributed, nn
from torch.distributed.rendezvous import rendezvous

from masktune.errors import InputError, MasktuneError

Part = TypeVar("Part")
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of the run."""

    rank: int = 0
    world: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def share(self, n: int, batch_size: int) -> list[slice]:
        """The batches of this process, as slices of n samples: every `world`-th one."""
        starts = range(self.rank * batch_size, n, self.world * batch_size)
        return [slice(start, min(start + batch_size, n)) for start in starts]

    def together(self, parts: Sequence[Part]) -> list[Part]:
        """All processes' parts, one a batch, in the order of the batches; the same list on each process."""
        if self.world == 1:
            return list(parts)
        gathered: list[Sequence[Part] | None] = [None] * self.world
        distributed.all_gather_object(gathered, list(parts))
        rounds = max(len(of_rank or ()) for of_rank in gathered)
        dealt = [part for part in gathered if part is not None]
        return [part[at] for at in range(rounds) for part in dealt if at < len(part)]

    def first_does(self, work: Callable[[], Part]) -> Part:
        """Run `work` on the first process alone; all get its value, or raise the error of ours it raised.

        Else the others would wait for ever for a process that has given up.
        """
        outcome: list[Part | MasktuneError | None] = [None]
        if self.first:
            try:
                outcome = [work()]
            except MasktuneError as error:
                outcome = [error]
        if self.world > 1:
            distributed.broadcast_object_list(outcome)
        if isinstance(outcome[0], MasktuneError):
            raise outcome[0]
        return cast(Part, outcome[0])

    def first_alone(self, work: Callable[[], Part]) -> Part | None:
        """As `first_does`, but the value stays where it was made; the other processes get None."""
        made: list[Part] = []
        self.first_does(lambda: made.append(work()))
        return made[0] if made else None

    def each_does(self, work: Callable[[], Part]) -> Part:
        """Run `work` on every process; where it raises an error of ours on one of them, all raise it.

        Else the others would wait for ever for a process that has given up, and nobody would say why.
        """
        failure: MasktuneError | None = None
        done: list[Part] = []
        try:
            done.append(work())
        except MasktuneError as error:
            failure = error
        failures: list[MasktuneError | None] = [failure]
        if self.world > 1:
            failures = [None] * self.world
            distributed.all_gather_object(failures, failure)
        for one in failures:
            if one is not None:
                raise one
        return done[0]

    def deal(self, positions: Int64[Tensor, " b"]) -> Int64[Tensor, " share"]:
        """This process's share of one training batch; a batch too small for batch norm stays in one piece."""
        if len(positions) >= 2 * self.world:
            return positions[self.rank :: self.world]
        return positions if self.first else positions[:0]

    def add_gradients(self, net: nn.Module) -> None:
        """Sum the gradients over the processes; a parameter that no process used stays without one."""
        if self.world == 1:
            return
        parameters = list(net.parameters())
        used = torch.tensor([parameter.grad is not None for parameter in parameters], device=self.device)
        used = used.to(torch.int32)
        distributed.all_reduce(used)
        for parameter, processes_with in zip(parameters, used.tolist(), strict=True):
            if processes_with:
                if parameter.grad is None:  # A process without an image in this batch.
                    parameter.grad = torch.zeros_like(parameter)
                distributed.all_reduce(parameter.grad)

    def average_buffers(self, net: nn.Module) -> None:
        """Average running statistics over the processes, so that all go on with the same weights."""
        if self.world > 1:
            for buffer in net.buffers():
                if buffer.is_floating_point():
                    distributed.all_reduce(buffer)
                    buffer /= self.world
                else:  # A count of batches; a process without an image in a batch did not count it.
                    distributed.broadcast(buffer, src=0)

    def total(self, share: Tensor) -> float:
        """The sum of one number a process, the same on each of them."""
        return self.sum(share).item()

    def sum(self, share: Tensor) -> Tensor:
        """The sum of one tensor a process, the same on each of them, and cut off from the gradient."""
        share = share.detach().to(self.device, copy=True)
        if self.world > 1:
            distributed.all_reduce(share)
        return share

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier()


ALONE = Processes()


@contextmanager
def processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that torchrun started, or be the only one; leave the group on every way out.

    Raises:
        InputError: no such device on this machine.
    """
    # Both are set by torchrun; WORLD_SIZE alone may be somebody else's.
    world = int(os.environ["WORLD_SIZE"]) if {"RANK", "WORLD_SIZE"} <= set(os.environ) else 1
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if world == 1:
        yield Processes(device=chosen)
        return
    on_gpu = chosen.type == "cuda"
    # Objects are gathered through the current GPU, so it must be this process's own.
    with torch.cuda.device(chosen) if on_gpu else nullcontext():
        store, rank, world = next(rendezvous("env://"))
        distributed.init_process_group("nccl" if on_gpu else "gloo", store=store, rank=rank, world_size=world)
        try:
            yield Processes(rank, world, chosen)
            _leave_together(store, world)
        finally:
            distributed.destroy_process_group()


def _leave_together(store: Any, world: int) -> None:
    """Wait for the others by the store: one that leaves while another is in gloo's last call may abort it."""
    if store.add("masktune/done", 1) == world:
        store.set("masktune/all done", "yes")
    store.wait(["masktune/all done"], timedelta(days=1))  # The first process may write for long.


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """`auto` is this process's GPU where there is one, else the CPU; `cuda` is this process's GPU."""
    if name == "cuda" or (name == "auto" and torch.cuda.is_available()):
        name = f"cuda:{local_rank}"
    elif name == "auto":
        name = "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"expected a device of this machine (cpu, cuda:0, mps), got {name}: {reason}"
        ) from error
    return device


@contextmanager
def cpu_threads(number: int | None) -> Iterator[None]:
    """Compute on so many CPU threads in the block, then on as many as before; None changes nothing."""
    before = torch.get_num_threads()
    try:
        if number is not None:
            torch.set_num_threads(number)
        yield
    finally:
        torch.set_num_threads(before)
