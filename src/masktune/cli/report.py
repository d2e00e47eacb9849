"""`report`: draw the report of a run again, or hold it against another run."""

from pathlib import Path

from masktune.cli.app import app
from masktune.cli.show import say
from masktune.errors import DataNotFound, InputError
from masktune.findings.store import has_scanned
from masktune.report import Told, redraw_scan, redraw_trial, statement_of, write_comparison
from masktune.runs import read_record
from masktune.trial.store import has_trialled

_REDRAWN = {"scan": redraw_scan, "tune": redraw_trial}


@app.command
def report(
    run: Path,
    old_run: Path | None = None,
    *,
    no_images: bool = False,
    pseudonymous_ids: bool = False,
    statement: bool = False,
) -> None:
    """Draw the report of a finished scan or trial again, or compare a scan with an older one.

    Neither the model nor the images are needed. So it has no pictures, or no names, where the report of one
    of the runs has none; those who have the images type the scan again to have them. A comparison is one of
    two scans on the same images; it goes into RUN, as comparison.html and comparison.md.

    Example: masktune report scanned

    Example: masktune report scanned-after scanned-before

    Example: masktune report tuned --statement

    Args:
        run: the folder of a finished scan or trial.
        old_run: an older scan; both are paired by sample id.
        no_images: leave pictures out of the report.
        pseudonymous_ids: leave names of files, paths and tags out of it.
        statement: of a trial, print the paragraph that says how it can be repeated, and write nothing.
    """
    if statement:
        print(_statement(run, old_run))
        return
    told = Told(images=not no_images, pseudonymous=pseudonymous_ids)
    if old_run is None:
        command = _command_of(run)
        drawn = _REDRAWN[command](run, told)
        say("note", (_kept(what, command) for what in drawn.kept), quiet=False)
        print(f"Written: {drawn.page}")
        return
    written = write_comparison(run, old_run, told)
    print(written.text, end="")
    print(f"\nWritten: {' and '.join(map(str, written.files))}")


def _command_of(run: Path) -> str:
    """What the run was; one that was saved from Python has no record, and its files tell."""
    path = run / "run.json"
    if not path.exists():
        if has_trialled(run):
            return "tune"
        if has_scanned(run):
            return "scan"
        what = "holds neither" if run.exists() else "does not exist"
        raise DataNotFound(
            f"expected the folder of a finished scan or trial, got {run}, which {what}; give the --out of "
            "`masktune scan` or `masktune tune`"
        )
    command = read_record(path).command
    if command not in _REDRAWN:
        raise InputError(
            f"expected the folder of a scan or a trial, got one of `masktune {command}`, whose report is "
            "summary.md; give that of `masktune scan --out` or `masktune tune --out`"
        )
    return command


def _statement(run: Path, old_run: Path | None) -> str:
    if old_run is not None:
        raise InputError("expected one trial for --statement, got two folders; leave the second one out")
    if _command_of(run) != "tune":
        raise InputError(
            f"expected the folder of a trial for --statement, got {run}; give that of `masktune tune --out`"
        )
    return statement_of(run)


def _kept(what: str, command: str) -> str:
    flag = {"pictures": "--no-images", "names": "--pseudonymous-ids"}[what]
    return (
        f"the run was made without {what}, so this report has none either; to have them, type its {command} "
        f"again without {flag}"
    )
