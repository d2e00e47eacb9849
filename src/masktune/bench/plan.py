"""What is to be compared, before any data are opened."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from masktune.bench.named import check_methods
from masktune.bench.recipe import FIVE_ARMS
from masktune.bench.search import check_rule
from masktune.bench.sources import Common, Source
from masktune.errors import InputError
from masktune.types import Selection

Budget = Literal["paper", "equal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be compared, as plain data: every process of a bench makes the same jobs of it."""

    sources: tuple[Source, ...]
    methods: tuple[str, ...] = tuple(FIVE_ARMS)
    """Names of ours, or file.py:Class; ERM is always among them, for the others start from it."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One run of each method on each data set for each."""
    budget: Budget = "paper"
    """Each method as its authors train it, or all with as many images as MaskTune reads."""
    search: int = 0
    """Settings that are tried of each method that declares ranges, its own among them; 0 tries none."""
    search_by: Selection = "worst_class"
    """The rule by which validation chooses among them."""
    threads: int | None = None
    """Of the CPU, for a job; None is the data set's own number, else torch's."""
    common: Common = Common()  # noqa: RUF009 - it is frozen.
    """What holds for all data sets."""

    def __post_init__(self) -> None:
        check_methods(self.methods)
        if not self.sources:
            raise InputError("expected at least one data set, got none")
        if not self.seeds or not all(0 <= seed < 2**63 for seed in self.seeds):
            raise InputError(f"expected one seed or more, from 0 to 2**63 - 1, got {self.seeds}")
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"expected each seed once, got {self.seeds}")
        if self.search < 0 or self.search == 1:
            raise InputError(f"expected to try 2 settings or more, or 0 for no search, got {self.search}")
        check_rule(self.search_by)
        if self.threads is not None and self.threads < 1:
            raise InputError(f"expected at least 1 thread a job, got {self.threads}")

    def grown(self, begun: Mapping[str, Any]) -> "Plan":
        """The plan with the seeds and methods that the same bench began with, first."""
        seeds = [*begun.get("seeds", ()), *self.seeds]
        methods = [*begun.get("methods", ()), *self.methods]
        return replace(self, seeds=tuple(dict.fromkeys(seeds)), methods=tuple(dict.fromkeys(methods)))

    @property
    def typed_methods(self) -> tuple[str, ...]:
        """The methods with ERM, which the others are held against and many start from."""
        return self.methods if "erm" in self.methods else ("erm", *self.methods)
