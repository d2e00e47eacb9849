"""What image properties (brightness, colour, sharpness, borders) tell of the class, and of errors."""

from masktune.findings.column_findings import Wording, ask_family
from masktune.findings.finding import Finding, Question
from masktune.findings.observed import Observed

WORDING = Wording(
    family="properties",
    many="image properties",
    none="no image properties were measured",
    visible=True,
)


def ask(observed: Observed) -> list[Finding]:
    """See `ask_family`."""
    return ask_family(observed, QUESTION, WORDING)


QUESTION = Question(code="MT008", title="Do image properties go with the class, or with errors?", ask=ask)
