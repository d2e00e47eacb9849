"""Control: the image's own mask at a random place; same area, same shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

from masktune.masking import roll_elsewhere
from masktune.methods.base import Fitted, Task
from masktune.methods.masks import Low
from masktune.methods.masktune import MaskTune, tune_in_rounds
from masktune.types import Hidden, Supervision


@final
@dataclass(frozen=True, slots=True)
class RandomMask:
    """MaskTune with each mask rolled around its image by a seeded step."""

    name: ClassVar[str] = "random_mask"
    supervision: ClassVar[Supervision] = "none"

    of: MaskTune = MaskTune()  # noqa: RUF009 - it is frozen.
    """The MaskTune that this is a control for."""

    def fit(self, task: Task) -> Fitted:
        """Train by ERM (or take over its result from the task's folder), mask elsewhere, tune."""
        return tune_in_rounds(self.name, self.of, task.supervised_by(self.supervision), _elsewhere)


def _elsewhere(hidden: Hidden, low: Low, ids: Sequence[str], seed: int) -> Hidden:
    return roll_elsewhere(hidden, ids, seed)
