"""From predictions to thresholds, tables and predictors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from masktune.abstention.answers import Answers, check_apart
from masktune.abstention.areas import Areas, areas_of
from masktune.abstention.lines import files_of, lines_of
from masktune.abstention.measured import Measured, measured
from masktune.abstention.pictures import Disputed, disputed
from masktune.abstention.rows import rows_of
from masktune.abstention.settings import SelectSettings
from masktune.abstention.voters import Brought, bring, sha256_over
from masktune.runs import DataRecord, Results, RunFolder
from masktune.runs.versions import versions
from masktune.types import Progress, Step, silent

PREDICTORS = "predictors"
"""Folder of the calibrated predictors, as JSON."""


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """What came out."""

    settings: SelectSettings
    brought: Brought
    lines: tuple[Measured, ...]
    """Of each way to decide and each seed."""
    areas: tuple[Areas, ...]
    """Of each way to decide over its seeds."""
    results: Results
    answers_sha256: str
    """Over the files of predictions that were read."""
    disputed: tuple[Disputed, ...] = ()
    """Images that the vote does not answer because its models disagree, where pictures are at hand."""

    def seeds_of(self, areas: Areas) -> list[Measured]:
        """A line's numbers, seed by seed."""
        return [one for one in self.lines if one.line.key == areas.key]

    @property
    def headline(self) -> Areas:
        """The vote that is asked about: MaskTune's, or of two models brought from elsewhere theirs."""
        score = self.settings.scores[0]
        votes = [
            one for one in self.areas if one.key[1] == score and self.seeds_of(one)[0].line.second is not None
        ]
        named = [one for one in votes if one.key[0] == "masktune"]
        return (named or votes)[0]

    @property
    def baseline(self) -> Areas:
        """The first model of that vote, alone, by its largest probability."""
        first = self.seeds_of(self.headline)[0].line.first.method
        return next(one for one in self.areas if one.key == (first, "sr"))

    @property
    def point(self) -> tuple[str, float]:
        """The point by which groups are told: the first risk, or the coverage nearest to 80 %."""
        if self.settings.risk:
            return ("empirical" if self.settings.empirical else "guaranteed"), float(self.settings.risk[0])
        return "coverage", min((float(one) for one in self.settings.coverage), key=lambda one: abs(one - 0.8))


Finish = Callable[[Selected], None]
"""Writes what is to be read, before `results.json` says that all is done."""


def select(
    first: Path,
    second: Path | None,
    settings: SelectSettings,
    progress: Progress = silent,
    images: str | None = None,
) -> Selected:
    """Find thresholds on one split, and judge them on another.

    Args:
        first: a run folder; or a folder or `.npz` of one model's predictions.
        second: another model's; none beside a run folder.
        settings: what is asked.
        progress: is called with each step.
        images: a folder or manifest that holds the test images, for pictures.

    Raises:
        DataNotFound, DataDamaged: predictions are not there or damaged.
        InputError: they do not fit together, there is no such split, or a guarantee on images that were read.
        CannotCertify: too few calibration images for the risk asked for.
    """
    brought = bring(first, second)
    answers = Answers(brought, settings)
    lines = lines_of(answers)
    one = lines[0].first
    check_apart(answers.of(one, settings.calibrate), answers.of(one, settings.test), settings)
    found: list[Measured] = []
    for line in lines:
        found.append(measured(line, answers))
        progress(Step("deciding", len(found), len(lines)))
    areas = areas_of(found, settings)
    data = [DataRecord(lines[0].first.dataset, brought.variant, brought.sha256)]
    results = Results("select", versions(), data, rows_of(brought, found, areas, settings))
    read = sha256_over(files_of(lines, (settings.calibrate, settings.test)))
    selected = Selected(settings, brought, tuple(found), tuple(areas), results, read)
    if images is None:
        return selected
    vote = selected.seeds_of(selected.headline)[0]
    assert vote.line.second is not None
    pictures = disputed(vote, answers.of(vote.line.second, settings.test), *selected.point, images)
    return replace(selected, disputed=tuple(pictures))


def run_select(
    first: Path,
    second: Path | None,
    settings: SelectSettings,
    out: Path,
    *,
    argv: Sequence[str] = (),
    progress: Progress = silent,
    finish: Finish | None = None,
    images: str | None = None,
) -> Selected:
    """The same, into a run folder; nothing is written before all numbers are there.

    Raises:
        as `select`; RunFolderError: `out` holds something else. StorageError: it cannot be written.
    """
    selected = select(first, second, settings, progress, images)
    with RunFolder.open(
        out,
        command="select",
        argv=argv,
        settings=settings.to_record() | {"predictions.sha256": selected.answers_sha256},
        data=selected.results.data,
        threads=1,
        device="cpu",
    ) as folder:
        for one in selected.lines:
            for at in one.points:
                if at.predictor is not None:
                    name = f"{one.line.method}-{one.line.score.name}-{at.kind}-{at.asked:g}.json"
                    at.predictor.save(out / PREDICTORS / f"seed-{one.line.seed}" / name)
        if finish is not None:
            finish(selected)
        folder.write_results(selected.results.rows)
    return selected
