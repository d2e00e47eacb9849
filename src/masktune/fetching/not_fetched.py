"""What is raised when no source had the file."""

from collections.abc import Sequence
from pathlib import Path

from masktune.errors import DataNotFound
from masktune.fetching.connection import NO_NAME


class NotFetched(DataNotFound):
    """No source had a file of a data set; `problems` are the steps that a person can take."""

    def __init__(self, file: str, root: Path, reasons: Sequence[tuple[str, str]], by_hand: str) -> None:
        advice = "follow the steps above, or name another place with --source"
        if all(reason == NO_NAME for _, reason in reasons):
            hosts = " or ".join(host for host, _ in reasons)
            said = f"expected {file} from {hosts}, but no such name can be looked up"
            advice += f", or run the same command on a machine that is online, and copy {root} here"
        else:
            told = "; ".join(f"{host}: {reason}" for host, reason in reasons)
            said = f"expected {file} from the place{'s' * (len(reasons) > 1)} that may have it, got {told}"
        super().__init__(f"{said}; {advice}")
        self.problems = tuple(by_hand.format(root=root).splitlines())
