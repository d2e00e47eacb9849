"""`report`: draw the report of a run again, or hold it against another run."""

from pathlib import Path

from masktune.cli.app import app
from masktune.files import write_text
from masktune.report import Told, compare_runs, comparison_in_words, redraw_scan


@app.command
def report(
    run: Path,
    old_run: Path | None = None,
    *,
    no_images: bool = False,
    pseudonymous_ids: bool = False,
) -> None:
    """Draw the report of a finished scan again, or compare it with an older run on the same images.

    Neither the model nor the images are needed.

    Example: masktune report scanned

    Example: masktune report scanned-after scanned-before

    Args:
        run: the folder of a finished scan.
        old_run: an older one; both are paired by sample id.
        no_images: leave pictures out of the report.
        pseudonymous_ids: leave names of files, paths and tags out of it.
    """
    if old_run is None:
        path = redraw_scan(run, Told(images=not no_images, pseudonymous=pseudonymous_ids))
        print(f"Written: {path}")
        return
    text = comparison_in_words(compare_runs(run, old_run))
    write_text(run / "comparison.md", text)
    print(text, end="")
    print(f"\nWritten: {run / 'comparison.md'}")
