"""LfF: a net that is led to the shortcut tells a second one which images the shortcut does not explain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from masktune.data.base import Dataset
from masktune.errors import InputError
from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.ranges import Between, Range
from masktune.methods.trained import trained_by
from masktune.methods.twins import twins_of
from masktune.training.devices import Processes
from masktune.training.objective import Objective
from masktune.types import Selection, Supervision


@final
@dataclass(frozen=True, slots=True)
class LfF:
    """Learning from failure (Nam et al., NeurIPS 2020): both nets at once; the second one is the result.

    Cross-entropy is the loss that both rest on, whatever the task's settings name. Departures: both nets
    start from the task's weights, and the factor q of the first one's gradient is the official code's; the
    paper's formula has it not.
    """

    name: ClassVar[str] = "lff"
    ranges: ClassVar[Mapping[str, Range]] = {"q": Between(0.3, 1.0), "alpha": Between(0.0, 0.9)}

    q: float = 0.7
    """How much the first net favours images that it is sure of, above 0 and up to 1 (theirs: 0.7)."""
    alpha: float = 0.7
    """Share of the old value in an image's running loss; the rest is its newest loss (theirs: 0.7)."""
    selection: Selection = "last"
    """The rule that chooses the epoch, by the second net (theirs: the last)."""

    def __post_init__(self) -> None:
        if not (0 < self.q <= 1 and 0 <= self.alpha < 1):
            raise InputError(f"expected q in (0, 1] and alpha in [0, 1), got {self.q} and {self.alpha}")

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses the epoch: training reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train both nets, and give the second.

        Raises:
            InputError: the rule needs group labels that validation does not have.
        """
        task = task.supervised_by(self.supervision)
        twins, state = twins_of(task)
        objective, both = FailureLoss(task.train, self), (state, twins.second)
        return trained_by(objective, self.name, task, self, selection=self.selection, twins=both)


class FailureLoss(Objective):
    """The first net's loss favours what is easy, the second one's weighs an image by the first one's failure.

    Logits are those of the two nets side by side.
    """

    running: Float[Tensor, "2 n"]
    seen: Bool[Tensor, " n"]
    labels: Int64[Tensor, " n"]

    def __init__(self, data: Dataset, settings: LfF) -> None:
        super().__init__()
        self.settings = settings
        self.classes = len(data.classes)
        self.register_buffer("running", torch.zeros(2, len(data)))
        self.register_buffer("seen", torch.zeros(len(data), dtype=torch.bool))
        self.register_buffer("labels", torch.from_numpy(data.labels), persistent=False)

    def forward(
        self,
        logits: Float[Tensor, "s k2"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """The sum of both nets' mean losses."""
        first, second = logits.chunk(2, dim=1)
        easy = functional.cross_entropy(first, labels, reduction="none")
        hard = functional.cross_entropy(second, labels, reduction="none")
        self._follow(own, torch.stack([easy, hard]).detach(), here)
        # The gradient of generalised cross-entropy, (1 - p^q) / q, is that of cross-entropy times p^q.
        led = self.settings.q * torch.exp(-self.settings.q * easy.detach())
        return (led * easy + self.weights(own) * hard).sum() / len(whole)

    def weights(self, at: Int64[Tensor, " s"]) -> Float[Tensor, " s"]:
        """The second net's weights, 0 to 1, from both nets' running losses over the highest of the class."""
        at = at.to(self.labels.device)
        tiny = torch.finfo(self.running.dtype).tiny
        highest = self.running.new_zeros(2, self.classes)
        highest = highest.scatter_reduce(1, self.labels.expand(2, -1), self.running, "amax").clamp(min=tiny)
        easy, hard = (self.running[:, at] / highest[:, self.labels[at]]).unbind()
        return easy / (easy + hard).clamp(min=tiny)

    def _follow(self, own: Int64[Tensor, " s"], losses: Float[Tensor, "2 s"], here: Processes) -> None:
        """Bring the running losses of all images of the batch up to date; a first loss counts as it is."""
        parts = here.together([(own, losses.cpu())])
        at = torch.cat([part for part, _ in parts]).to(self.seen.device)
        newest = torch.cat([part for _, part in parts], dim=1).to(self.running)
        old = self.settings.alpha * self.seen[at]
        self.running[:, at] = old * self.running[:, at] + (1 - old) * newest
        self.seen[at] = True
