"""Control: as many pixels hidden as MaskTune hides, but those where the classifier looks least."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from masktune.masking import least_salient
from masktune.methods.base import Fitted, Task
from masktune.methods.masks import Low
from masktune.methods.masktune import MaskTune, tune_in_rounds
from masktune.saliency import enlarge
from masktune.types import Hidden, Supervision


@final
@dataclass(frozen=True, slots=True)
class LeastSalientMask:
    """MaskTune with the least salient area of equal size hidden."""

    name: ClassVar[str] = "least_salient_mask"
    supervision: ClassVar[Supervision] = "none"

    of: MaskTune = MaskTune()  # noqa: RUF009 - it is frozen.
    """The MaskTune that this is a control for."""

    def fit(self, task: Task) -> Fitted:
        """Train by ERM (or take over its result from the task's folder), mask elsewhere, tune."""
        return tune_in_rounds(self.name, self.of, task.supervised_by(self.supervision), _least)


def _least(hidden: Hidden, low: Low, ids: Sequence[str], seed: int) -> Hidden:
    height, width = hidden.shape[1:]
    return least_salient(enlarge(low, (height, width)), hidden, ids, seed)
