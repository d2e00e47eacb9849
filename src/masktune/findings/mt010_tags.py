"""What headers, EXIF and DICOM tags tell of the class, and of errors."""

from masktune.findings.column_findings import Wording, ask_family
from masktune.findings.finding import Finding, Question
from masktune.findings.observed import Observed

WORDING = Wording(
    family="tags",
    many="headers and tags",
    none="the images are no files, so they have no headers or tags",
    visible=False,
    # How well a picture is compressed says how much is in it: trees, a plain sky.
    visible_too=frozenset({"file size", "bytes per pixel"}),
)


def ask(observed: Observed) -> list[Finding]:
    """See `ask_family`."""
    return ask_family(observed, QUESTION, WORDING)


QUESTION = Question(
    code="MT010",
    title="Do headers and tags (format, EXIF, DICOM) go with the class, or with errors?",
    ask=ask,
)
