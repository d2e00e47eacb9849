"""The slider of the gallery: it starts at the scan's own threshold, and is of the same kind."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import Any, Literal

from masktune.findings.shown import Scanned
from masktune.masking import MeanPlusStd, Quantile, Threshold, TopFraction

Kind = Literal["sigmas", "top", "quantile", "other"]
"""Standard deviations above the mean; most salient share; quantile; a threshold of the user's own."""

_WORDS: Mapping[Kind, tuple[str, str, float]] = {
    "sigmas": ("Threshold: mean + ", " standard deviations", 0.1),
    "top": ("Threshold: the most salient ", " % of the image", 0.5),
    "quantile": ("Threshold: what lies above ", " % of the pixels that count", 0.5),
    "other": ("Threshold: the most salient ", " % of the image", 0.5),
}
"""Words before and behind the level, and a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slider:
    """A range of levels, and the level that the scan used."""

    kind: Kind
    before: str
    """Words in front of the level."""
    after: str
    """Words behind it."""
    least: float
    most: float
    step: float
    own: float
    """Where it starts, in standard deviations or per cent; it need not be on a step."""
    used: str
    """The scan's threshold as it prints itself."""
    fields: Mapping[str, Any]
    """What else the page's script needs of the threshold: its fields."""

    @property
    def said(self) -> str:
        """The first level as text, with no more digits than it has."""
        return f"{self.own:.1f}" if round(self.own, 1) == self.own else f"{self.own:.4g}"

    @property
    def nearest(self) -> float:
        """The step next to the scan's own level."""
        return round(round((self.own - self.least) / self.step) * self.step + self.least, 6)

    def script_data(self) -> dict[str, Any]:
        """What the page's script reads; `own` as the threshold has it, None where each image has another."""
        own = self.fields.get("k", self.fields.get("share", self.fields.get("q")))
        return {"kind": self.kind, "own": own, "said": self.said, "fields": dict(self.fields)}


def cut_of(threshold: Threshold) -> dict[str, Any] | None:
    """How the page's script cuts a map as this threshold does; None where only its own code can."""
    match threshold:
        case MeanPlusStd(k=own):
            kind: Kind = "sigmas"
        case TopFraction(share=own, most_salient=True):
            kind = "top"
        case Quantile(q=own):
            kind = "quantile"
        case _:
            return None
    return {"kind": kind, "own": own, "fields": asdict(threshold)}


def slider_of(scanned: Scanned, hidden: Mapping[str, float]) -> Slider:
    """The slider of a scan; `hidden` are the shares that the scan hid, 0 to 1, by id."""
    match threshold := scanned.threshold:
        case MeanPlusStd():
            return _slider("sigmas", threshold.k, float(max(4, ceil(threshold.k))), threshold)
        case TopFraction(most_salient=True):
            return _slider("top", 100 * threshold.share, _reach(threshold.share), threshold)
        case Quantile():
            return _slider("quantile", 100 * threshold.q, 100.0, threshold)
    share = sum(hidden.values()) / len(hidden) if hidden else 0.0
    used = str(scanned.settings.get("threshold", repr(threshold)))
    return replace(_slider("other", 100 * share, _reach(share), None), used=used)


def _slider(kind: Kind, own: float, most: float, threshold: Any) -> Slider:
    before, after, step = _WORDS[kind]
    return Slider(
        kind=kind,
        before=before,
        after=after,
        least=0.0,
        most=most,
        step=step,
        own=round(float(own), 6),
        used=repr(threshold),
        fields={} if threshold is None else asdict(threshold),
    )


def _reach(share: float) -> float:
    """Where a slider of shares ends: small shares are told apart better on a short one."""
    return 50.0 if share <= 0.5 else 100.0
