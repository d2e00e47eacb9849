"""XRM: two nets, each trained on one half, show which images they get wrong; these become groups."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from masktune.data.base import Dataset, WithGroups
from masktune.errors import InputError, RunFolderError
from masktune.methods.base import Fitted, Method, Task
from masktune.methods.group_dro import GroupDRO
from masktune.methods.kept import found_once
from masktune.methods.resampling import RWG, SUBG
from masktune.methods.twins import twins_of
from masktune.models.weights import weights_sha256
from masktune.seeds import generator
from masktune.training.checkpoints import TrainState
from masktune.training.devices import Processes
from masktune.training.loop import Work
from masktune.training.losses import class_weights
from masktune.training.objective import Objective
from masktune.training.resume import train_to_end
from masktune.training.together import predict_all
from masktune.types import Supervision, check_choice, under

logger = logging.getLogger("masktune")

Second = Literal["group_dro", "rwg", "subg"]


@final
@dataclass(frozen=True, slots=True)
class XRM:
    """Cross-risk minimisation (Pezeshki et al., 2023, ICML 2024), then a method on the groups that it infers.

    Departures: the twins start from the same weights, head included, and are the task's whole classifier,
    fine-tuned, where theirs are heads on frozen features; settings are the task's, where theirs are those of
    the highest flip rate in a search (the flip rate stands in `xrm/environments.json`); classes weigh alike
    by the current labels of all images.
    """

    name: ClassVar[str] = "xrm"
    supervision: ClassVar[Supervision] = "none"

    first_epochs: int | None = None
    """Epochs of the twins; None is as many as the task has (theirs: 5,001 steps on Waterbirds, the last)."""
    second: Second = "group_dro"
    """The method on class x environment, with its own defaults; its epoch is chosen by the worst *inferred*
    group of validation (theirs: GroupDRO and others)."""

    def __post_init__(self) -> None:
        check_choice("second", self.second, get_args(Second))
        if self.first_epochs is not None and self.first_epochs < 1:
            raise InputError(f"expected first_epochs of 1 or more, got {self.first_epochs}")

    def fit(self, task: Task) -> Fitted:
        """Train the twins, infer groups of training and validation images, train by them from the start.

        Raises:
            RunFolderError: the environments in the folder are those of other weights or images.
        """
        task = task.supervised_by(self.supervision)
        twins, flip_rate = _twins_trained(task, self.first_epochs)
        logger.info("xrm: the twins changed %.1f %% of the labels", 100 * flip_rate)
        path, found_by = task.file(self.name, "environments.json"), weights_sha256(twins.classifier)
        found = found_once(
            path, found_by, task.here, lambda: {"flip_rate": flip_rate, **_environments(twins, task)}
        )
        methods: dict[Second, Method] = {"group_dro": GroupDRO(), "rwg": RWG(), "subg": SUBG()}
        left = None if task.budget is None else task.budget - twins.samples
        fitted = methods[self.second].fit(replace(_second_task(task, found), budget=left))
        return replace(
            fitted,
            selection="worst_inferred_group",
            epochs=twins.epoch + fitted.epochs,
            seconds=twins.seconds + found["seconds"] + fitted.seconds,
            samples=twins.samples + (fitted.samples or 0),
        )


class CrossRisk(Objective):
    """Each image trains the twin of its half, with a label that the other twin may have changed.

    Logits are those of the twins side by side.
    """

    current: Int64[Tensor, " n"]
    in_first: Bool[Tensor, " n"]

    def __init__(self, data: Dataset, random: torch.Generator) -> None:
        super().__init__()
        self.classes = len(data.classes)
        self.register_buffer("current", torch.from_numpy(data.labels).clone())
        halves = torch.randperm(len(data), generator=random) % 2 == 0
        self.register_buffer("in_first", halves, persistent=False)
        self.draws: Float[Tensor, " n"] = torch.ones(len(data))

    def order(self, n: int, random: torch.Generator) -> Int64[Tensor, " n"]:
        """Each image once; what decides on its label in this epoch is drawn too, whatever its batch."""
        self.draws = torch.rand(n, generator=random)
        return super().order(n, random)

    def forward(
        self,
        logits: Float[Tensor, "s k2"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """The mean of the held-in twins' losses, all classes of the current labels weighing alike."""
        at = own.to(self.current.device)
        first, second = logits.chunk(2, dim=1)
        of_first = self.in_first[at][:, None]
        weights = class_weights(self.current.cpu().numpy(), self.classes).to(logits)
        held_in = torch.where(of_first, first, second)
        loss = functional.cross_entropy(held_in, self.current[at], weight=weights, reduction="sum")
        self._flip(own, torch.where(of_first, second, first).detach(), here)
        return loss / len(whole)

    def _flip(self, own: Int64[Tensor, " s"], held_out: Float[Tensor, "s k"], here: Processes) -> None:
        """By chance, labels become what the held-out twin says; on each process those of the whole batch."""
        flips = self.draws[own] < flip_chance(held_out).cpu()
        changed = held_out.argmax(dim=1).cpu()[flips]
        parts = here.together([(own[flips], changed)])
        at, labels = (torch.cat(column).to(self.current.device) for column in zip(*parts, strict=True))
        self.current[at] = labels


def flip_chance(logits: Float[Tensor, "s k"]) -> Float[Tensor, " s"]:
    """(p - 1/k) k / (k - 1) of the highest probability p: 0 where nothing is known, 1 where all is sure."""
    k = logits.shape[1]
    highest = functional.softmax(logits, dim=1).amax(dim=1)
    return (highest * k - 1) / (k - 1)


def _twins_trained(task: Task, epochs: int | None) -> tuple[TrainState, float]:
    """The twins after the last epoch, for nothing stops them early, and the share of labels they changed.

    Of a budget they may use half.
    """
    _, state = twins_of(task)
    state.objective = crossed = CrossRisk(task.train, generator(task.seed, "xrm", "halves"))
    work = Work(task.seed, "xrm, twins", here=task.here, progress=task.progress)
    settings = task.training_within(len(task.train) * state.nets, share=0.5)
    settings = settings if epochs is None else replace(task.training, epochs=epochs)
    train_to_end(state, task.train, settings, work, path=task.file("xrm", "twins.pt"))
    return state, float(np.mean(crossed.current.cpu().numpy() != task.train.labels))


def _environments(twins: TrainState, task: Task) -> dict[str, Any]:
    """Of training and validation images, in evaluation mode: 1 where either twin disagrees with the label."""
    found: dict[str, Any] = {}
    start = time.perf_counter()
    for part, data in (("train", task.train), ("validation", task.validation)):
        what = f"xrm, environments of {part}"
        said = predict_all(twins.classifier, data, here=task.here, what=what, progress=task.progress)
        first, second = (logits.argmax(axis=1) for logits in np.split(said.logits, 2, axis=1))
        either = (first != said.labels) | (second != said.labels)
        found[part] = {"ids": said.ids.tolist(), "environment": either.astype(int).tolist()}
    return {"seconds": time.perf_counter() - start, **found}


def _second_task(task: Task, found: Mapping[str, Any]) -> Task:
    """The task with the inferred groups, in a folder within the method's own."""
    return replace(
        task,
        train=_with_environments(task.train, found["train"]),
        validation=_with_environments(task.validation, found["validation"]),
        folder=task.file("xrm"),
        progress=under("xrm", task.progress),
    )


def _with_environments(data: Dataset, found: Mapping[str, Any]) -> WithGroups:
    """The data with groups of class and environment."""
    if found["ids"] != data.ids.tolist():
        raise RunFolderError("xrm/environments.json is about other images than these; choose another folder")
    named = zip(data.labels.tolist(), found["environment"], strict=True)
    return WithGroups(data, np.array([f"{data.classes[y]} in environment {m}" for y, m in named]))
