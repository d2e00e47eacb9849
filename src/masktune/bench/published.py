"""What others published, and whether it was got in the setting of a row of ours.

The values are those of `field.md` sections 2.1 and 2.2: of each method the one that it is known by, and of
some a second one that was got without group labels. Baselines of different papers lie 26 points apart, so
that a number without its setting says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from masktune.bench.standings import Standing, Standings
from masktune.types import Supervision

Trust = Literal["S", "C", "P"]

TRUST: Mapping[Trust, str] = {
    "S": "seen in a second public document that quotes it",
    "C": "seen in public code or its documents",
    "P": "from memory of the paper: check it there before you print it",
}
"""What the marks of a value mean."""

CITED: Mapping[str, str] = {
    "erm": "vapnik1991principles",
    "masktune": "asgari2022masktune",
    "group_dro": "sagawa2020groupdro",
    "cvar_dro": "levy2020largescale",
    "jtt": "liu2021jtt",
    "lff": "nam2020lff",
    "xrm": "pezeshki2024xrm",
    "dfr": "kirichenko2023dfr",
    "dfr_train": "kirichenko2023dfr",
    "afr": "qiu2023afr",
    "last_layer_balanced": "labonte2023lastlayer",
    "rwg": "idrissi2022balancing",
    "rwy": "idrissi2022balancing",
    "subg": "idrissi2022balancing",
    "suby": "idrissi2022balancing",
    "selectivenet": "geifman2019selectivenet",
    "deep_gamblers": "liu2019gamblers",
    "sat": "huang2020sat",
    "osp": "gangrade2021osp",
}
"""Where a method comes from, by the key of `references.bib`; the controls are nobody's."""

DATA_CITED: Mapping[str, str] = {
    "waterbirds": "sagawa2020groupdro",
    "celeba": "liu2015celeba",
    "in9": "xiao2021noise",
    "biased-mnist": "asgari2022masktune",
    "biased-digits": "alpaydin1998digits",
}
"""Likewise of data sets."""

_RESNET = "timm:resnet50"
_NETS = {_RESNET: "ResNet-50"}

_FITTED: Mapping[Supervision, str] = {
    "none": "fitted without group labels",
    "validation_groups": "fitted to groups of validation",
    "train_groups": "fitted to groups of training",
}
_SELECTED: Mapping[Supervision | None, str] = {
    "none": "selected without group labels",
    "validation_groups": "selected by the worst group",
    "train_groups": "selected by groups of training",
    None: "how it was selected is not known",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedResult:
    """A number of a paper, with the setting that it was got in; rates are fractions."""

    method: str
    dataset: str
    variant: str
    """Of the data set."""
    net: str = _RESNET
    """As `--model` names it, or in words."""
    fitted_with: Supervision
    """Group labels that weights were fitted by."""
    selected_with: Supervision | None
    """Group labels that epoch or settings were chosen by; None where that is not known."""
    worst: float
    """Accuracy of the worst group."""
    worst_sd: float | None = None
    average: float | None = None
    average_sd: float | None = None
    average_of: str | None = None
    """Which average, by its metric's name; None where that is not known."""
    source: str
    """In words: "Liu et al. 2021, table 1"."""
    key: str
    """Of the source in `references.bib`."""
    trust: Trust


@dataclass(frozen=True, slots=True)
class Beside:
    """A published result to stand beside a row of ours."""

    result: PublishedResult
    differs: tuple[str, ...]
    """What of its setting is not ours, in words: "ResNet-50", "official images"."""

    @property
    def same(self) -> bool:
        """Whether it was got in our setting."""
        return not self.differs


def published_beside(table: Standings, line: Standing) -> Beside | None:
    """What was published of this method on this data set; of several results the one nearest to our setting.

    The setting is the same where variant of the data, net, and the group labels read at training and at
    selection are, and nothing of the recipe was changed. None where nothing is known, and of data of
    somebody's own that bear a known name.
    """
    if table.variant is None:
        return None
    known = [one for one in PUBLISHED if (one.method, one.dataset) == (line.method, table.dataset)]
    found = [Beside(one, _differing(one, table, line)) for one in known]
    return min(found, key=lambda one: (len(one.differs), one.result.variant != table.variant), default=None)


def _differing(one: PublishedResult, table: Standings, line: Standing) -> tuple[str, ...]:
    own = "" if line.config is None else f"without our {line.config}"
    told = (
        (one.net == table.net, _NETS.get(one.net, one.net)),
        (one.variant == table.variant, f"{one.variant} images"),
        (one.fitted_with == line.fitted_with, _FITTED[one.fitted_with]),
        (one.selected_with == line.selected_with, _SELECTED[one.selected_with]),
        (line.config is None, own),
    )
    return tuple(words for same, words in told if not same)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paper:
    """What is common to results of one source."""

    source: str
    key: str
    selected_with: Supervision | None = "validation_groups"
    net: str = _RESNET
    waterbirds: str = "official"
    """The variant that it used."""
    weighted: str | None = "accuracy_train_weighted"
    """Its average on Waterbirds; on CelebA, whose test images have natural shares, all give the raw mean."""

    def found(
        self,
        method: str,
        trust: Trust,
        fitted_with: Supervision = "none",
        *,
        waterbirds: str | None = None,
        celeba: str | None = None,
    ) -> tuple[PublishedResult, ...]:
        """Its results for a method; "92.9 ± 0.2 / 94.2 ± 0.4" is worst group / average in per cent."""
        sets = (
            ("waterbirds", self.waterbirds, waterbirds, self.weighted),
            ("celeba", "official", celeba, "accuracy"),
        )
        return tuple(
            PublishedResult(
                method=method,
                dataset=dataset,
                variant=variant,
                net=self.net,
                fitted_with=fitted_with,
                selected_with=self.selected_with,
                source=self.source,
                key=self.key,
                trust=trust,
                **_numbers(said, average_of),
            )
            for dataset, variant, said, average_of in sets
            if said is not None
        )


def _numbers(said: str, average_of: str | None) -> dict[str, Any]:
    worst, _, average = said.partition(" / ")
    of = {"average_of": average_of} if average else {}
    return _with_sd("worst", worst) | _with_sd("average", average) | of


def _with_sd(name: str, said: str) -> dict[str, float]:
    """In fractions."""
    values = [round(float(part) / 100, 4) for part in said.split(" ± ") if part]
    return dict(zip((name, f"{name}_sd"), values, strict=False))


_SAGAWA = _Paper(source="Sagawa et al. 2020, table 3", key="sagawa2020groupdro")
_LIU = _Paper(source="Liu et al. 2021, table 1", key="liu2021jtt")
_IDRISSI = _Paper(source="Idrissi et al. 2022, table 2", key="idrissi2022balancing")
_KIRICHENKO = _Paper(source="Kirichenko et al. 2023, table 2", key="kirichenko2023dfr")
_QIU = _Paper(source="Qiu et al. 2023, their README", key="qiu2023afr")
_LABONTE = _Paper(source="LaBonte et al. 2023", key="labonte2023lastlayer")
_PEZESHKI = _Paper(
    source="Pezeshki et al. 2024, demo of their README",
    key="pezeshki2024xrm",
    selected_with="none",
    net="a last layer on frozen features",
)
_ASGARI = _Paper(
    source="Asgari Taghanaki et al. 2022, table 2",
    key="asgari2022masktune",
    selected_with="none",
    waterbirds="corrected",
    weighted=None,
)
_YANG = _Paper(
    source="Yang et al. 2023", key="yang2023subpopbench", selected_with="none", weighted="accuracy"
)

PUBLISHED: tuple[PublishedResult, ...] = (
    *_LIU.found("erm", "S", waterbirds="72.6 / 97.3", celeba="47.2 / 95.6"),
    *_YANG.found("erm", "S", waterbirds="69.1 ± 4.7 / 84.1", celeba="57.6 ± 0.8 / 95.0"),
    *_ASGARI.found("erm", "S", waterbirds="80.8 ± 1.3"),
    *_ASGARI.found("masktune", "S", waterbirds="86.4 ± 1.9 / 93.0 ± 0.7", celeba="78.0 ± 1.2 / 91.3 ± 0.1"),
    *_SAGAWA.found(
        "group_dro", "S", "train_groups", waterbirds="91.4 ± 1.1 / 93.5", celeba="88.9 ± 2.3 / 92.9"
    ),
    *replace(_ASGARI, selected_with=None).found("group_dro", "S", "train_groups", waterbirds="89.3 ± 3.1"),
    *_LIU.found("cvar_dro", "P", waterbirds="75.9 / 96.0", celeba="64.4 / 82.5"),
    *_LIU.found("jtt", "S", waterbirds="86.7 / 93.3", celeba="81.1 / 88.0"),
    *_YANG.found("jtt", "S", waterbirds="71.2 ± 0.5"),
    *_LIU.found("lff", "S", waterbirds="78.0 / 91.2", celeba="77.2 / 85.1"),
    *_YANG.found("lff", "P", waterbirds="75.0 ± 0.7", celeba="53.0 ± 4.3"),
    *_PEZESHKI.found("xrm", "C", waterbirds="86"),
    *_KIRICHENKO.found(
        "dfr",
        "S",
        "validation_groups",
        waterbirds="92.9 ± 0.2 / 94.2 ± 0.4",
        celeba="88.3 ± 1.1 / 91.3 ± 0.3",
    ),
    *_KIRICHENKO.found(
        "dfr_train", "P", "train_groups", waterbirds="90.2 ± 0.8 / 97.0", celeba="80.7 ± 2.4 / 90.6"
    ),
    *_QIU.found("afr", "C", waterbirds="90.4 ± 1.1 / 94.2 ± 1.2", celeba="82.0 ± 0.5 / 91.3 ± 0.3"),
    *_LABONTE.found("last_layer_balanced", "S", waterbirds="92.6 ± 0.8"),
    *_IDRISSI.found("rwg", "S", "train_groups", waterbirds="87.6 ± 1.6", celeba="84.3 ± 1.8"),
    *_IDRISSI.found("rwy", "S", waterbirds="86.1 ± 0.7", celeba="82.9 ± 2.2"),
    *_IDRISSI.found("subg", "S", "train_groups", waterbirds="89.1 ± 1.1", celeba="85.6 ± 2.3"),
    *_IDRISSI.found("suby", "P", waterbirds="82.4 ± 1.7", celeba="79.9 ± 3.3"),
)
"""All that is shown; of two of a method that are as near, one on the same images goes first, then this
order."""
