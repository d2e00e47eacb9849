"""What a recipe is: an experiment of the paper, with everything that its numbers depend on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from masktune.bench.shown import Shown
from masktune.data import Splits
from masktune.errors import InputError, near
from masktune.evaluation import Measure, Predictions
from masktune.methods import (
    AFR,
    DFR,
    ERM,
    JTT,
    OSP,
    RWG,
    RWY,
    SAT,
    SUBG,
    SUBY,
    XRM,
    ContinueERM,
    CVaRDRO,
    DeepGamblers,
    DFRTrain,
    GroupDRO,
    LastLayerBalanced,
    LeastSalientMask,
    LfF,
    MaskTune,
    Method,
    RandomMask,
    SelectiveNet,
)
from masktune.models.classifier import Classifier
from masktune.training.execution import Precision
from masktune.training.settings import Training

PresetName = Literal["default", "paper", "official_code"]

FIVE_ARMS: Mapping[str, Callable[[MaskTune], Method]] = {
    "erm": lambda masktune: ERM(),
    "continue_erm": lambda masktune: ContinueERM(of=masktune),
    "random_mask": lambda masktune: RandomMask(of=masktune),
    "least_salient_mask": lambda masktune: LeastSalientMask(of=masktune),
    "masktune": lambda masktune: masktune,
}
"""What is run if nothing is asked for. A control is made for the MaskTune that it is compared with."""

COMPETITORS: Mapping[str, Callable[[], Method]] = {
    "group_dro": GroupDRO,
    "cvar_dro": CVaRDRO,
    "jtt": JTT,
    "lff": LfF,
    "xrm": XRM,
    "dfr": DFR,
    "dfr_train": DFRTrain,
    "afr": AFR,
    "last_layer_balanced": LastLayerBalanced,
    "rwg": RWG,
    "rwy": RWY,
    "subg": SUBG,
    "suby": SUBY,
    "selectivenet": SelectiveNet,
    "deep_gamblers": DeepGamblers,
    "sat": SAT,
    "osp": OSP,
}
"""Other methods, by their published settings as far as these are not the recipe's."""

METHODS: Mapping[str, Callable[[MaskTune], Method]] = {
    **FIVE_ARMS,
    **{name: lambda masktune, made=made: made() for name, made in COMPETITORS.items()},  # type: ignore[misc]
}
"""Methods by name, in the order of tables."""

TRAININGS: Mapping[str, float] = {
    "jtt": 1.2,
    "lff": 2,
    "xrm": 3,
    "dfr": 0,
    "dfr_train": 0,
    "last_layer_balanced": 0,
    "afr": 0.8,
}
"""How many times a competitor trains for as many epochs as ERM, beside ERM itself; once if not here."""


STARTS_FRESH = frozenset(COMPETITORS) - {"dfr", "dfr_train", "last_layer_balanced"}
"""Methods that train from the start weights; all others go on from what ERM left."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What one may choose of any recipe."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """One run of all methods each."""
    methods: tuple[str, ...] = tuple(FIVE_ARMS)
    """Names among `METHODS`."""
    preset: PresetName = "default"
    """Whose settings: ours, the paper's, the official code's."""
    epochs: int | None = None
    """Of ERM; None is the recipe's own number for the preset."""
    batch_size: int | None = None
    """Images a step; None is the preset's."""
    precision: Precision | None = None
    """Number type in training; None is the recipe's."""
    layer: str | None = None
    """Layer that maps are made at; None finds it."""

    def __post_init__(self) -> None:
        for method in self.methods:
            if method not in METHODS:
                raise InputError(
                    f"unknown method {method!r}{near(method, METHODS)}; there are {', '.join(METHODS)}"
                )
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"expected at least 1 epoch, got {self.epochs}")
        if self.batch_size is not None and self.batch_size < 2:
            raise InputError(f"expected a batch size of at least 2 (batch norm), got {self.batch_size}")
        if not self.seeds or not self.methods:
            raise InputError("expected at least one seed and one method")
        if not all(0 <= seed < 2**63 for seed in self.seeds) or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"expected seeds from 0 to 2**63 - 1, no two alike, got {self.seeds}")
        if len(set(self.methods)) < len(self.methods):
            raise InputError(f"expected each method once, got {' '.join(self.methods)}")

    @property
    def config(self) -> str | None:
        """A short name of what departs from the recipe's own settings: "paper, batch_size=32"."""
        departs = {"batch_size": self.batch_size, "precision": self.precision, "layer": self.layer}
        parts: list[str] = [self.preset] if self.preset != "default" else []
        parts += [f"{name}={value}" for name, value in departs.items() if value is not None]
        return ", ".join(parts) or None

    def applied_to(self, training: Training, masktune: MaskTune) -> tuple[Training, MaskTune]:
        """A preset's settings with what was chosen put in."""
        training = replace(
            training,
            batch_size=self.batch_size or training.batch_size,
            precision=self.precision or training.precision,
        )
        return training, replace(masktune, layer=self.layer or masktune.layer)


@dataclass(frozen=True, slots=True)
class Recipe:
    """An experiment, everything resolved."""

    name: str
    """As it is typed: "biased-mnist"."""
    command: str
    """The command that runs it: "reproduce" or "demo"."""
    choices: Choices
    training: Training
    """Of the first stage."""
    masktune: MaskTune
    """The method; its controls follow it."""
    splits: Callable[[int], Splits]
    """The data of a seed."""
    build: Callable[[int], Classifier]
    """The untrained classifier of a seed."""
    shown: Shown
    """What its table shows."""
    threads: int | None = None
    """Of the CPU; None is torch's own choice."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Of each group the value of the shortcut, by the group's name: what is measured within it too."""
    across: Callable[[Mapping[str, Predictions]], Mapping[str, list[Measure]]] | None = None
    """What is measured of several test sets together, by the split that it is listed under."""
    own_settings: Mapping[str, Any] = field(default_factory=dict)
    """What else the numbers depend on."""

    def method(self, name: str) -> Method:
        """The method of that name, with this recipe's settings."""
        return METHODS[name](self.masktune)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on, as plain values by name."""
        chosen = {"recipe": self.name, "preset": self.choices.preset}
        grown = {"seeds": list(self.choices.seeds), "methods": list(self.choices.methods)}
        return (
            chosen
            | grown
            | _named("training", self.training)
            | _named("masktune", self.masktune)
            | dict(self.own_settings)
        )


def net_of(recipe: Recipe) -> str:
    """Its backbone, as tables name it; that of the digits is our own."""
    return str(recipe.own_settings.get("net") or recipe.own_settings.get("model") or "SmallCNN")


def _named(prefix: str, record: Any) -> dict[str, Any]:
    """The fields of a record as "prefix.field"; what is no plain value by its text."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    plain = (str, int, float, tuple, type(None))
    return {
        f"{prefix}.{name}": value if isinstance(value, plain) else repr(value)
        for name, value in values.items()
    }
