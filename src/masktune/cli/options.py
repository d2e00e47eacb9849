"""What can be typed: one frozen dataclass a group of options; the sentence under a field is its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import Parameter

from masktune.bench import Choices, PresetName
from masktune.bench.digits import CPU_EPOCHS
from masktune.data import Shortcut
from masktune.data.shortcut import Bias
from masktune.errors import InputError
from masktune.training.execution import Precision

MethodName = Literal["erm", "continue_erm", "random_mask", "least_salient_mask", "masktune"]


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
    methods: tuple[MethodName, ...] = get_args(MethodName)
    """Rows of the table."""
    preset: PresetName = "default"
    """Settings that we measured, that the paper gives, or that the official code really runs."""
    cpu: bool = False
    """The small variant: 10 epochs, whatever the preset."""

    def choices(self, computing: Computing) -> Choices:
        """What the bench wants to know of all this."""
        if self.seeds is not None and computing.seed is not None:
            raise InputError("expected --seeds or --seed, got both")
        seeds = self.seeds if computing.seed is None else (computing.seed,)
        return Choices(
            seeds=seeds or Choices().seeds,
            methods=self.methods,
            preset=self.preset,
            epochs=self.epochs if self.epochs is not None or not self.cpu else CPU_EPOCHS,
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


FLAT = Parameter(name="*")
"""Takes a dataclass's fields as options of the command itself."""

AllComputing = Annotated[Computing, Parameter(name="*", group="Shared by all commands")]
"""As an argument of a command."""
