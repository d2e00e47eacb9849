"""The verdict on one tested column, and what it rests on."""

from dataclasses import dataclass
from functools import cached_property

from masktune.findings.column_attention import Look
from masktune.findings.column_leaning import Leaning, leaning_of
from masktune.findings.columns import (
    ALPHA,
    NOTABLE,
    STRONG,
    Asked,
    Followed,
    Gap,
    Tested,
    Told,
    followed,
    gap_of,
    told,
)
from masktune.findings.finding import Verdict

CLEAR = 0.5
"""Lower end of the gain that a problem takes where the picture shows the column: crosses have more edges than
circles, which alone gains 0.2 to 0.4, and a classifier of crosses goes with it. Below it, a column that the
classifier does not go with is not told at all."""


@dataclass(frozen=True)
class Judged:
    """One column's verdict, and what it rests on; each is computed when it is looked at."""

    asked: Asked
    tested: Tested
    visible: bool
    """The pictures themselves show it, so a good classifier may well go with it a little."""
    look: Look
    """Whether the classifier looks elsewhere by it."""

    @cached_property
    def told(self) -> Told | None:
        """Which class it tells; None where it does not clearly tell one."""
        if self.tested.told_p >= ALPHA:
            return None
        found = told(self.asked, self.tested)
        return found if found.gain.low is not None and found.gain.low >= NOTABLE else None

    @cached_property
    def followed(self) -> Followed:
        """Whether the classifier goes with it."""
        return followed(self.asked, self.tested)

    @cached_property
    def gap(self) -> Gap | None:
        """Where errors differ by it; None where they do not clearly do so."""
        if self.tested.matters_p >= ALPHA:
            return None
        gap = gap_of(self.asked, self.tested.column)
        return gap if gap is not None and gap.clear else None

    @cached_property
    def leaning(self) -> Leaning | None:
        """Where errors turn around by it: the classifier goes with it though the label does not."""
        if self.tested.turns_p >= ALPHA or self.told is not None:
            return None
        return leaning_of(self.asked, self.tested.column)

    @property
    def uses(self) -> bool:
        """Images whose value speaks for another class are harder for the classifier."""
        return self.told is not None and self.tested.matters_p < ALPHA and self.followed.clear

    @property
    def elsewhere(self) -> bool:
        """It looks elsewhere by a column that no picture shows; what one shows may well lie elsewhere."""
        return self.look.clear and not self.visible and self.tested.column.matters

    @property
    def verdict(self) -> Verdict:
        """A problem tells the class strongly, and the classifier goes with it; or it goes with it anyway."""
        if self.leaning is not None and not self.visible:
            return "problem"
        strong = CLEAR if self.visible else STRONG
        if self.told is not None and self.uses and (self.told.gain.low or 0.0) >= strong:
            return "problem"
        told = self.told is not None and not self._ignored
        hint = told or self.gap is not None or self.leaning is not None or self.elsewhere
        return "hint" if hint else "passed"

    @property
    def _ignored(self) -> bool:
        """Seen in the picture, weak, and not what decides."""
        assert self.told is not None  # Else there is nothing to ignore.
        known = self.asked.ease is not None and self.followed.enough
        return self.visible and known and not self.uses and (self.told.gain.low or 0.0) < CLEAR

    @property
    def strength(self) -> float:
        """To sort by: of columns that tell the class 1 to 2, by gain; of others 0 to 1, by how much accuracy
        differs; below 0 where only attention does.
        """
        if self.told is not None:
            return 1 + (self.told.gain.value or 0.0)
        if self.leaning is not None:
            return 1 + min(one.value or 0.0 for one in self.leaning.differences)
        return self.look.beyond - 1 if self.gap is None else self.gap.difference.value or 0.0
