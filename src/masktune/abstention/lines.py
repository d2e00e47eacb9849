"""What is held side by side: each model alone, MaskTune's vote, and the votes that it must beat."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from masktune.abstention.answers import Answers
from masktune.abstention.settings import SelectSettings
from masktune.abstention.voters import STARTS, TUNED, Brought, Voter
from masktune.errors import InputError, near
from masktune.selective import Score

ENSEMBLE = "two_seed_ensemble"
"""Two ordinary trainings with different seeds: as many nets as a vote with MaskTune, and no more."""


@dataclass(frozen=True, slots=True)
class Line:
    """One way to decide, with one seed."""

    method: str
    """Whose row it is: of a vote that of the second model."""
    score: Score
    first: Voter
    second: Voter | None = None

    @property
    def seed(self) -> int:
        """Of the first model."""
        return self.first.seed

    @property
    def key(self) -> tuple[str, str]:
        """The same for all seeds."""
        return self.method, self.score.name

    @property
    def title(self) -> str:
        """In words."""
        if self.second is None:
            return self.method
        if self.method == ENSEMBLE:
            return f"{self.first.method} + {self.second.method} of another seed"
        return f"{self.first.method} + {self.second.method}"


def lines_of(answers: Answers) -> list[Line]:
    """All lines, in the order of the table: models alone, then votes, each seed after the other.

    Raises:
        InputError: there is no model to vote with, or no method of a name that was asked for.
    """
    brought, settings = answers.brought, answers.settings
    known = sorted({voter.method for voter in brought.voters})
    for name in settings.methods:
        if name not in known:
            raise InputError(f"there is no method {name!r}{near(name, known)}; there are {', '.join(known)}")
    found = [line for seed in brought.seeds for line in _of_seed(answers, seed)]
    if all(line.second is None for line in found):
        raise InputError(
            f"expected two models that can vote, such as erm and masktune, got {', '.join(known)}"
        )
    return found


def _of_seed(answers: Answers, seed: int) -> Iterator[Line]:
    brought, settings = answers.brought, answers.settings
    mine = [voter for voter in brought.voters if voter.seed == seed and _is_asked(voter, answers)]
    order = (*STARTS, *TUNED)
    if brought.of_run:
        mine.sort(key=lambda voter: order.index(voter.method) if voter.method in order else len(order))
    start = brought.voter(seed, *STARTS)
    for voter in mine:
        yield Line(voter.method, Score("sr"), voter)
        if answers.has_head(voter):
            yield Line(voter.method, Score("head"), voter)
    # Two models that were brought from elsewhere vote in the order in which they were given.
    votes = [(mine[0], mine[1])] if start is None and len(mine) == 2 else _votes(brought, seed, start)
    for first, second in votes:
        name = ENSEMBLE if second.seed != seed else second.method
        for score in settings.scores:
            yield Line(name, _score(score, settings), first, second)


def _is_asked(voter: Voter, answers: Answers) -> bool:
    """Whether a model has a line of its own; of a run with many methods some have, and those named."""
    names = (*STARTS, *TUNED, *answers.settings.methods)
    return not answers.brought.of_run or voter.method in names or answers.has_head(voter)


def _votes(brought: Brought, seed: int, start: Voter | None) -> list[tuple[Voter, Voter]]:
    if start is None:
        return []
    tuned = [one for name in TUNED if (one := brought.voter(seed, name)) is not None]
    if not tuned:  # A pair from elsewhere, of which the first bears the name erm.
        tuned = [one for one in brought.voters if one.seed == seed and one is not start][:1]
    return [(start, one) for one in [*tuned, *_of_another_seed(brought, start)]]


def _of_another_seed(brought: Brought, start: Voter) -> list[Voter]:
    """The next seed's ordinary training; the last seed takes the first's. A trial has one that all share."""
    seeds = [seed for seed in brought.seeds if brought.voter(seed, start.method) is not None]
    if start.method != "erm" or len(seeds) < 2:
        return []
    other = brought.voter(seeds[(seeds.index(start.seed) + 1) % len(seeds)], start.method)
    return [] if other is None else [other]


def _score(name: str, settings: SelectSettings) -> Score:
    return Score(name, on_disagree=settings.on_disagree if name.startswith("agree") else "reject")


def files_of(lines: Sequence[Line], splits: Sequence[str]) -> set[Path]:
    """The files that hold the models' predictions on some splits."""
    voters = [voter for line in lines for voter in (line.first, line.second) if voter is not None]
    return {voter.splits[split] for voter in voters for split in splits}
