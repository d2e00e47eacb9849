"""SelectiveNet: a head that chooses which images to answer, trained for one coverage."""

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from masktune.errors import InputError
from masktune.methods.base import Fitted, Task, read_by
from masktune.methods.heads import trained_with_heads
from masktune.training.devices import Processes
from masktune.training.objective import Objective
from masktune.types import Selection, Supervision

_HIDDEN = 512
"""Units of the selection head (theirs)."""

_LEAST = 1e-8
"""Mean of g that the risk is divided by at least."""

Form = Literal["paper", "reference_code"]


@final
@dataclass(frozen=True, slots=True)
class SelectiveNet:
    """SelectiveNet (Geifman and El-Yaniv, ICML 2019): three heads on the same features.

    f classifies, g selects, h classifies all images so that the features learn from all. The loss is
    alpha (r + lambda max(0, c - mean g)^2) + (1 - alpha) CE(h), r the selective risk of f under g.
    """

    name: ClassVar[str] = "selectivenet"

    coverage: float = 0.8
    """c, the share of images that g is to select (theirs: one net for each of 0.7 to 0.95)."""
    alpha: float = 0.5
    """Share of the selective loss (theirs)."""
    penalty: float = 32.0
    """lambda, what a missed coverage costs (theirs)."""
    form: Form = "paper"
    """`paper` divides the risk by the mean of g, as the paper's formula does; `reference_code` does not."""
    selection: Selection = "last"
    """The rule that chooses the epoch (theirs: the last)."""

    def __post_init__(self) -> None:
        if not (0 < self.coverage <= 1 and 0 <= self.alpha <= 1 and self.penalty >= 0):
            raise InputError(
                "expected coverage in (0, 1], alpha in [0, 1] and a penalty of 0 or more, got "
                f"{self.coverage}, {self.alpha} and {self.penalty}"
            )

    @property
    def supervision(self) -> Supervision:
        """Of the rule that chooses the epoch: training reads no groups."""
        return read_by(self.selection)

    def fit(self, task: Task) -> Fitted:
        """Train all three heads.

        Raises:
            InputError: the rule needs labels that are not there.
        """
        task = task.supervised_by(self.supervision)
        classes = len(task.train.classes)
        return trained_with_heads(
            SelectiveLoss(classes, self),
            task,
            self,
            lambda features: Heads(features, classes),
            extra=1 + classes,
            confidence="select",
        )


class Heads(nn.Module):
    """g's logit, then h's logits."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, _HIDDEN)
        self.norm = nn.BatchNorm1d(_HIDDEN)
        self.select = nn.Linear(_HIDDEN, 1)
        self.auxiliary = nn.Linear(features, classes)

    def forward(self, features: Float[Tensor, "b f"]) -> Float[Tensor, "b e"]:
        """(b, 1 + k); theirs divides by 10 after batch norm."""
        hidden = self.norm(functional.relu(self.hidden(features))) / 10
        return torch.cat([self.select(hidden), self.auxiliary(features)], dim=1)


class SelectiveLoss(Objective):
    """Its loss on the whole batch, whose means no process knows alone."""

    def __init__(self, classes: int, settings: SelectiveNet) -> None:
        super().__init__()
        self.classes = classes
        self.settings = settings

    def forward(
        self,
        logits: Float[Tensor, "s k"],
        labels: Int64[Tensor, " s"],
        own: Int64[Tensor, " s"],
        whole: Int64[Tensor, " b"],
        here: Processes,
    ) -> Float[Tensor, ""]:
        """This process's part; values and gradients add up to those of the whole batch."""
        k, n = self.classes, len(whole)
        each = functional.cross_entropy(logits[:, :k], labels, reduction="none")
        chosen = torch.sigmoid(logits[:, k])
        mine = torch.stack([(chosen * each).sum(), chosen.sum()]) / n
        parts = here.together([mine.detach().cpu()])
        sums = torch.stack(parts).sum(dim=0).to(mine).requires_grad_()
        with torch.enable_grad():
            loss = self._of_means(sums[0], sums[1])
            (slopes,) = torch.autograd.grad(loss, sums)
        # A function of sums over processes: its slopes there, times this process's terms of the sums.
        part = (slopes * mine).sum()
        part = part + (loss.detach() - (slopes * sums.detach()).sum()) / len(parts)
        auxiliary = functional.cross_entropy(logits[:, k + 1 :], labels, reduction="sum") / n
        return self.settings.alpha * part + (1 - self.settings.alpha) * auxiliary

    def _of_means(self, weighted: Tensor, coverage: Tensor) -> Tensor:
        """Of the means of g times cross-entropy, and of g."""
        # Where g vanishes, so does what it weighs; the penalty brings it back.
        risk = weighted / coverage.clamp(min=_LEAST) if self.settings.form == "paper" else weighted
        missed = functional.relu(self.settings.coverage - coverage)
        return risk + self.settings.penalty * missed**2
