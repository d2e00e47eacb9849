"""What models say of the images of a split: read once, and matched image by image."""

import warnings

from masktune.abstention.settings import SelectSettings
from masktune.abstention.voters import Brought, Voter
from masktune.data.names import first_three
from masktune.errors import InputError, MasktuneWarning
from masktune.evaluation import Predictions
from masktune.evaluation.predictions import match
from masktune.selective import fit_temperature
from masktune.selective.predictor import Role


class Answers:
    """What each voter says of a split, read once, in one order of the images."""

    def __init__(self, brought: Brought, settings: SelectSettings) -> None:
        self.brought = brought
        self.settings = settings
        self.role: Role = brought.role(settings.calibrate)
        self._said: dict[tuple[int, str, str], Predictions] = {}
        self._heat: dict[tuple[int, str], float] = {}

    def of(self, voter: Voter, split: str) -> Predictions:
        """Its predictions, images in the order of the first voter that was asked."""
        key = voter.seed, voter.method, split
        if key not in self._said:
            found = voter.says(split)
            firsts = [one for (_, _, name), one in self._said.items() if name == split]
            self._said[key] = match(firsts[0], found) if firsts else found
        return self._said[key]

    def has_head(self, voter: Voter) -> bool:
        """Whether its method has a score of its own."""
        return self.of(voter, self.settings.test).head is not None

    def temperature(self, voter: Voter) -> float:
        """That of its logits; 1 where none is to be fitted."""
        key = voter.seed, voter.method
        if self.settings.temperature is None:
            return 1.0
        if key not in self._heat:
            self._heat[key] = fit_temperature(voter.says(self.settings.temperature))
        return self._heat[key]


def check_apart(calibration: Predictions, test: Predictions, settings: SelectSettings) -> None:
    """Refuse images that are in both splits.

    Raises:
        InputError: some are.
    """
    shared = sorted({*calibration.ids.tolist()} & {*test.ids.tolist()})
    if shared:
        raise InputError(
            f"expected different images to calibrate on and to test on, but {len(shared)} are in both "
            f"{settings.calibrate} and {settings.test}: {first_three(shared)}"
        )
    if calibration.subjects is not None and test.subjects is not None:
        both = sorted({*calibration.subjects.tolist()} & {*test.subjects.tolist()})
        if both:
            warnings.warn(
                f"{len(both)} subjects have images in both {settings.calibrate} and {settings.test} "
                f"({first_three(both)}), so the test looks easier than new subjects are",
                MasktuneWarning,
                stacklevel=2,
            )
