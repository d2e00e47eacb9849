"""What can be typed: one frozen dataclass a group of options; the sentence under a field is its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

from cyclopts import Parameter

from masktune.bench import Choices, NetName, PresetName
from masktune.bench.recipe import FIVE_ARMS
from masktune.data import Shortcut
from masktune.data.official.celeba import SPURIOUS, TARGET
from masktune.data.shortcut import Bias
from masktune.errors import InputError
from masktune.training.execution import Precision

MethodName = Literal[
    "erm",
    "continue_erm",
    "random_mask",
    "least_salient_mask",
    "masktune",
    "group_dro",
    "cvar_dro",
    "jtt",
    "lff",
    "xrm",
    "dfr",
    "dfr_train",
    "afr",
    "last_layer_balanced",
    "rwg",
    "rwy",
    "subg",
    "suby",
    "selectivenet",
    "deep_gamblers",
    "sat",
    "osp",
]

ARMS = cast(tuple[MethodName, ...], tuple(FIVE_ARMS))
"""What is run if nothing is asked for."""


@dataclass(frozen=True, kw_only=True)
class Computing:
    """Options of all commands that compute."""

    seed: int | None = None
    """One seed; short for --seeds with one number."""
    device: str = "auto"
    """cpu, cuda:0, mps; auto takes a GPU where there is one."""
    workers: int | None = None
    """Threads that read images; one a core if not given. Data sets that lie in memory need none."""
    batch_size: int | None = None
    """Images a step; the preset's if not given."""
    precision: Precision | None = None
    """Number type in training; auto is bfloat16 where the hardware has matrix units for it. If not given, the
    recipe's own."""
    layer: str | None = None
    """Layer that saliency maps are made at; found if not given."""
    dry_run: bool = False
    """Show settings, image counts and an estimate of time and disk; write nothing."""
    json: bool = False
    """Print results.json instead of the table."""
    quiet: bool = False
    """Show no progress."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """Options of all recipes."""

    out: Path
    """Folder for the results: new, empty, or that of the same command, which then goes on."""
    seeds: tuple[int, ...] | None = None
    """One run of all methods for each; 0 1 2 if not given."""
    epochs: int | None = None
    """Epochs of ERM; the preset's if not given."""
    methods: tuple[MethodName, ...] = ARMS
    """Rows of the table; the others are competitors, most of which read group labels (docs/methods)."""
    preset: PresetName = "default"
    """Settings that we measured, that the paper gives, or that the official code really runs."""
    cpu: bool = False
    """The small variant, for two cores: fewer epochs, and of photos a smaller net and images."""

    def choices(self, computing: Computing, cpu_epochs: int | None = None) -> Choices:
        """What the bench wants to know of all this; `cpu_epochs` are those of the small variant."""
        if self.seeds is not None and computing.seed is not None:
            raise InputError("expected --seeds or --seed, got both")
        seeds = self.seeds if computing.seed is None else (computing.seed,)
        return Choices(
            seeds=seeds or Choices().seeds,
            methods=self.methods,
            preset=self.preset,
            epochs=self.epochs if self.epochs is not None or not self.cpu else cpu_epochs,
            batch_size=computing.batch_size,
            precision=computing.precision,
            layer=computing.layer,
        )


@dataclass(frozen=True, kw_only=True)
class BiasedMNISTOptions:
    """Options of biased MNIST alone."""

    data: Path
    """Folder with MNIST as torchvision keeps it (MNIST/raw), packed or not; it may be read-only."""
    protocol: Literal["sorted", "random"] = "sorted"
    """Which images contradict the shortcut: 4s and 5s only, as in the official code, or any digit."""
    conflict_ratio: float = 0.01
    """Share of the training images that contradict the shortcut."""
    bias: Bias = "square"
    """The shortcut."""
    squares: Literal[1, 2] = 1
    """One square, or a second one in the other corner."""

    @property
    def shortcut(self) -> Shortcut:
        """As the data set wants it."""
        return Shortcut(
            bias=self.bias, squares=self.squares, conflict_ratio=self.conflict_ratio, protocol=self.protocol
        )


@dataclass(frozen=True, kw_only=True)
class OfficialOptions:
    """Options of all recipes whose data have an official layout."""

    data: Path
    """Folder of the data set in its official layout; `masktune data check` looks into it."""


@dataclass(frozen=True, kw_only=True)
class SelectiveOptions(OfficialOptions):
    """Options of the recipes on abstaining."""

    net: NetName = "resnet32"
    """The net, from random weights: that of the official code, or VGG-16-BN, of which most numbers in the
    literature on abstaining are."""


@dataclass(frozen=True, kw_only=True)
class PhotoOptions(OfficialOptions):
    """Options of the recipes on photos."""

    weights: Path | None = None
    """ImageNet's weights to start from: of ResNet-50, or with --cpu of EfficientNet-Lite0."""


@dataclass(frozen=True, kw_only=True)
class CelebAOptions(PhotoOptions):
    """Options of CelebA alone."""

    target: str = TARGET
    """The attribute that is told: one of CelebA's 40."""
    spurious: str = SPURIOUS
    """The attribute that goes with it; both make the groups."""


FLAT = Parameter(name="*")
"""Takes a dataclass's fields as options of the command itself."""

AllComputing = Annotated[Computing, Parameter(name="*", group="Shared by all commands")]
"""As an argument of a command."""
