"""`report`: draw the report of a run again, or hold it against another run."""

from pathlib import Path

from masktune.cli.app import app
from masktune.cli.show import say
from masktune.report import Told, redraw_scan, write_comparison


@app.command
def report(
    run: Path,
    old_run: Path | None = None,
    *,
    no_images: bool = False,
    pseudonymous_ids: bool = False,
) -> None:
    """Draw the report of a finished scan again, or compare it with an older run on the same images.

    Neither the model nor the images are needed. So it has no pictures, or no names, where the report of one
    of the runs has none; those who have the images type the scan again to have them. A comparison goes
    into RUN, as comparison.html and comparison.md.

    Example: masktune report scanned

    Example: masktune report scanned-after scanned-before

    Args:
        run: the folder of a finished scan.
        old_run: an older one; both are paired by sample id.
        no_images: leave pictures out of the report.
        pseudonymous_ids: leave names of files, paths and tags out of it.
    """
    told = Told(images=not no_images, pseudonymous=pseudonymous_ids)
    if old_run is None:
        drawn = redraw_scan(run, told)
        say("note", map(_kept, drawn.kept), quiet=False)
        print(f"Written: {drawn.page}")
        return
    written = write_comparison(run, old_run, told)
    print(written.text, end="")
    print(f"\nWritten: {' and '.join(map(str, written.files))}")


def _kept(what: str) -> str:
    flag = {"pictures": "--no-images", "names": "--pseudonymous-ids"}[what]
    return (
        f"the run was made without {what}, so this report has none either; to have them, type its scan again "
        f"without {flag}"
    )
