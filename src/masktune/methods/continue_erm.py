"""Control: one more ordinary epoch. What MaskTune must beat first, for it also trains one epoch longer."""

from dataclasses import dataclass
from typing import ClassVar, final

from masktune.methods.base import Fitted, Task
from masktune.methods.masktune import MaskTune, tune_in_rounds
from masktune.types import Supervision


@final
@dataclass(frozen=True, slots=True)
class ContinueERM:
    """Tunes as MaskTune does, from the same checkpoint and in the same order, on images without masks."""

    name: ClassVar[str] = "continue_erm"
    supervision: ClassVar[Supervision] = "none"

    of: MaskTune = MaskTune()  # noqa: RUF009 - it is frozen.
    """The MaskTune that this is a control for."""

    def fit(self, task: Task) -> Fitted:
        """Train by ERM (or take over its result from the task's folder), then tune without masks."""
        return tune_in_rounds(self.name, self.of, task.supervised_by(self.supervision), None)
