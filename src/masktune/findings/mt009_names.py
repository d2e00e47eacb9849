"""What names of files and folders tell of the class, and of errors."""

from masktune.findings.column_findings import Wording, ask_family
from masktune.findings.finding import Finding, Question
from masktune.findings.observed import Observed

WORDING = Wording(
    family="names",
    many="parts of file names",
    none="the images have no file names, or these say no more than the class",
    visible=False,
)


def ask(observed: Observed) -> list[Finding]:
    """See `ask_family`."""
    return ask_family(observed, QUESTION, WORDING)


QUESTION = Question(
    code="MT009", title="Do names of files and folders go with the class, or with errors?", ask=ask
)
