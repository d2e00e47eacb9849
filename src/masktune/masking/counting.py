"""How much is hidden, and why nothing is."""

import warnings
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from masktune.errors import MasktuneWarning
from masktune.types import Hidden


@dataclass(frozen=True, slots=True)
class MaskStatistics:
    """Counts over masks; those of two batches add up with `+`."""

    n: int = 0
    """Masks."""
    no_evidence: int = 0
    """Masks that are empty because the map is: no value above 0, or the same value everywhere."""
    above_maximum: int = 0
    """Masks that are empty because the threshold is above the maximum of the map."""
    hidden_total: float = 0.0
    """Sum over the masks of the share of the image that is hidden."""

    @classmethod
    def of(cls, hidden: Hidden, empty_maps: Bool[Tensor, " b"]) -> "MaskStatistics":
        """Count masks; `empty_maps` is what `SaliencyMaps.empty` says of the maps they were made from."""
        nothing = ~hidden.any(2).any(1)
        return cls(
            n=len(hidden),
            no_evidence=int((nothing & empty_maps).sum()),
            above_maximum=int((nothing & ~empty_maps).sum()),
            hidden_total=float(hidden.float().mean((1, 2)).sum()),
        )

    def __add__(self, other: "MaskStatistics") -> "MaskStatistics":
        return MaskStatistics(
            n=self.n + other.n,
            no_evidence=self.no_evidence + other.no_evidence,
            above_maximum=self.above_maximum + other.above_maximum,
            hidden_total=self.hidden_total + other.hidden_total,
        )

    @property
    def empty(self) -> int:
        """Masks that hide nothing."""
        return self.no_evidence + self.above_maximum

    @property
    def hidden_share(self) -> float:
        """Mean share of the image that is hidden; 0 without masks."""
        return self.hidden_total / self.n if self.n else 0.0


def many_empty(statistics: MaskStatistics, share: float = 0.1) -> bool:
    """Whether more than this share of the masks hides nothing."""
    return statistics.empty > share * statistics.n


def warn_if_many_empty(statistics: MaskStatistics, share: float = 0.1) -> None:
    """Warn once, with the commoner reason, when more than this share of the masks hides nothing."""
    if not many_empty(statistics, share):
        return
    reason = (
        f"{statistics.above_maximum} thresholds are above their map's maximum; lower k, or use TopFraction"
    )
    if statistics.no_evidence > statistics.above_maximum:
        reason = f"{statistics.no_evidence} maps have no positive value; check the net, or try another layer"
    warnings.warn(
        f"{statistics.empty} of {statistics.n} masks hide nothing: {reason}", MasktuneWarning, stacklevel=2
    )
