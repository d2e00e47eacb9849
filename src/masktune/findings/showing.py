"""Which images a report shows: those that findings name, those that change their class, and a fair rest."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int64

from masktune.data.base import Dataset
from masktune.findings.finding import Finding
from masktune.findings.observed import Observed
from masktune.findings.settings import ScanSettings
from masktune.findings.shown import Shown
from masktune.runs.pictures import jpegs
from masktune.seeds import seed_of


def shown_images(
    dataset: Dataset,
    observed: Observed,
    findings: Sequence[Finding],
    settings: ScanSettings,
    wanted: Sequence[str] = (),
) -> tuple[Shown, ...]:
    """The images of the gallery, in the order of the data set; `wanted` are ids that come first."""
    chosen = _chosen(observed, findings, settings, wanted)
    named: dict[str, list[str]] = {}
    for finding in findings:
        if finding.verdict in ("problem", "hint"):
            for sample in finding.samples:
                named.setdefault(sample, []).append(finding.code)
    shown: list[Shown] = []
    for start in range(0, len(chosen), settings.batch_size):
        at = chosen[start : start + settings.batch_size]
        images = dataset.__getitems__(torch.from_numpy(at)).images
        pictures = zip(at.tolist(), jpegs(images), strict=True)
        shown += [_shown(observed, position, jpeg, named) for position, jpeg in pictures]
    return tuple(shown)


def _chosen(
    observed: Observed, findings: Sequence[Finding], settings: ScanSettings, wanted: Sequence[str]
) -> Int64[np.ndarray, " m"]:
    """Positions: wanted, named by findings, then an even draw over classes, by seed and id."""
    at = {sample: position for position, sample in enumerate(observed.ids.tolist())}
    fired = [finding for finding in findings if finding.verdict in ("problem", "hint")]
    ids = [*wanted, *(sample for finding in fired for sample in finding.samples)]
    named = [at[sample] for sample in ids if sample in at]
    keys = np.array(
        [seed_of("shown", settings.seed, sample) for sample in observed.ids.tolist()], dtype=np.int64
    )
    order = np.argsort(keys, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)  # Within its class, so that small classes are seen too.
    for label in np.unique(observed.labels):
        members = order[observed.labels[order] == label]
        rank[members] = np.arange(len(members))
    rest = order[np.argsort(rank[order], kind="stable")]
    chosen = list(dict.fromkeys([*named, *rest.tolist()]))[: settings.shown]
    return np.array(sorted(chosen), dtype=np.int64)


def _shown(observed: Observed, at: int, jpeg: bytes, named: dict[str, list[str]]) -> Shown:
    sample, predictions = str(observed.ids[at]), observed.predictions
    classes = observed.net_classes
    said = int(predictions.predicted[at])
    return Shown(
        id=sample,
        label=observed.data_classes[observed.labels[at]],
        predicted=classes[said],
        after=classes[int(observed.hidden_logits["salient"][at].argmax())],
        confidence=float(predictions.probabilities[at, said]),
        split=None if predictions.splits is None else str(predictions.splits[at]),
        low=observed.low[at],
        jpeg=jpeg,
        findings=tuple(dict.fromkeys(named.get(sample, ()))),
    )
