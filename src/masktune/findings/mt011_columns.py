"""What further columns of a manifest, groups and splits tell of the class, and of errors."""

from masktune.findings.column_findings import Wording, ask_family
from masktune.findings.finding import Finding, Question
from masktune.findings.observed import Observed

WORDING = Wording(
    family="columns",
    many="columns of the manifest",
    none="there is no manifest with further columns, and no group or split",
    visible=False,
)


def ask(observed: Observed) -> list[Finding]:
    """See `ask_family`."""
    return ask_family(observed, QUESTION, WORDING)


QUESTION = Question(
    code="MT011", title="Do further columns of the data go with the class, or with errors?", ask=ask
)
