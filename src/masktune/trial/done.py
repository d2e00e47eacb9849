"""A trial when all is computed and nothing told yet."""

from dataclasses import dataclass

from masktune.data.base import Dataset, Subset
from masktune.evaluation import Predictions, decided, operating_point
from masktune.methods import Fitted, Task
from masktune.models.classifier import Classifier
from masktune.training.together import predict_all
from masktune.trial.arms import Arm, Arms
from masktune.trial.given import Given
from masktune.trial.rates import RateChoice
from masktune.trial.settings import TrialSettings


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """All that was computed."""

    given: Given
    settings: TrialSettings
    task: Task
    held: Subset
    start: Fitted
    choice: RateChoice
    arms: Arms

    def classifier(self, arm: Arm) -> Classifier:
        """The arm's net; that of the start where it has none of its own."""
        return (arm.fitted or self.start).classifier

    def predictions(self, arm: Arm) -> dict[str, Predictions]:
        """Of judged and test images, as the arm's net says."""
        found = {"validation": arm.predictions}
        if self.given.test is not None:
            found["test"] = self._asked(arm, self.given.test, f"testing {arm.name}")
        return found

    def on_calibration(self, arm: Arm) -> Predictions | None:
        """Of the reserved images, for `select`; nothing in the trial looks at them."""
        reserved = self.given.calibration
        return None if reserved is None else self._asked(arm, reserved, f"calibration images, {arm.name}")

    def _asked(self, arm: Arm, data: Dataset, what: str) -> Predictions:
        here, progress = self.task.here, self.task.progress
        return predict_all(self.classifier(arm), data, here=here, what=what, progress=progress)

    def threshold(self, arm: Arm) -> float | None:
        """Where the second class is given, fixed on the judged images."""
        if self.settings.operating_point is None:
            return None
        return operating_point(self.settings.operating_point).fixed_on(arm.predictions)


def decided_at(predictions: Predictions, threshold: float | None) -> Predictions:
    """The same predictions, decided there; as they are without one."""
    return predictions if threshold is None else decided(predictions, threshold)
