"""What was asked of a run, as `run.json`: written first, compared before a run goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from masktune.errors import DataDamaged, RunFolderError
from masktune.runs.jsons import plain, read_object
from masktune.runs.versions import versions

SCHEMA = "masktune.run/1"

AWAY = "choose another folder, or move this one away"
"""What to do about a folder that cannot be used; the end of several messages."""

GROWING = ("seeds", "methods")
"""Settings that a run may be given more of when it goes on."""

MOST_TOLD = 3
"""Settings that differ, of which a refusal tells."""


@dataclass(frozen=True, slots=True)
class DataRecord:
    """Which data a run used."""

    name: str
    """Name of the data set."""
    variant: str | None
    """Its variant, where it has several."""
    sha256: str
    """Hash over its content."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The content of `run.json`; fields in its order."""

    schema: str
    """The version of this format."""
    command: str
    """The command, such as "reproduce"."""
    argv: list[str]
    """The command line."""
    settings: dict[str, Any]
    """All settings that the numbers depend on, resolved; not engine, json, quiet or workers."""
    versions: dict[str, str]
    """Versions of masktune, torch, numpy and Python when the run began."""
    data: list[DataRecord]
    """The data sets."""
    weights_sha256: str | None
    """Hash of the weights that the run started from, if any."""
    threads: int
    """Threads of a CPU run; a run that goes on uses as many, for the same bits."""
    device: str
    """The device, such as "cpu"."""
    started: str
    """When the run began, in UTC."""

    @classmethod
    def now(
        cls,
        *,
        command: str,
        argv: Sequence[str],
        settings: Mapping[str, Any],
        data: Sequence[DataRecord],
        weights_sha256: str | None,
        threads: int,
        device: str,
    ) -> "RunRecord":
        """The record of a run that begins now."""
        return cls(
            schema=SCHEMA,
            command=command,
            argv=list(argv),
            settings=plain(settings),
            versions=versions(),
            data=list(data),
            weights_sha256=weights_sha256,
            threads=threads,
            device=device,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object, keys in order."""
        return asdict(self)

    def difference(self, asked: "RunRecord") -> str | None:
        """What makes `asked` another run than this one, in words; None where it is the same."""
        if asked.command != self.command:
            return f"the command was {self.command!r}, is {asked.command!r}"
        names = sorted((set(self.settings) | set(asked.settings)) - set(self._growing(asked)))
        settings = [
            f"{name} was {self.settings.get(name)!r}, is {asked.settings.get(name)!r}"
            for name in names
            if self.settings.get(name) != asked.settings.get(name)
        ]
        if settings:
            more = len(settings) - MOST_TOLD
            return "; ".join(settings[:MOST_TOLD]) + (f"; and {more} more settings" if more > 0 else "")
        if asked.data != self.data:
            return f"the data were {_in_words(self.data)}, are {_in_words(asked.data)}"
        if asked.weights_sha256 != self.weights_sha256:
            return f"the start weights had the sha256 {self.weights_sha256}, have {asked.weights_sha256}"
        return None

    def grown(self, asked: "RunRecord") -> "RunRecord":
        """This record with what `asked` adds to the growing settings; the old entries come first."""
        settings = self.settings | self._growing(asked)
        return self if settings == self.settings else replace(self, settings=settings, argv=asked.argv)

    def _growing(self, asked: "RunRecord") -> dict[str, list[Any]]:
        both = {name: (self.settings.get(name), asked.settings.get(name)) for name in GROWING}
        return {
            name: old + [entry for entry in new if entry not in old]
            for name, (old, new) in both.items()
            if isinstance(old, list) and isinstance(new, list)
        }


def read_record(path: Path) -> RunRecord:
    """Read a `run.json`.

    Raises:
        DataNotFound: there is no such file.
        RunFolderError: it is damaged, or of another version of the format.
    """
    try:
        entries = read_object(path)
        schema = entries.get("schema")
        if schema != SCHEMA:
            raise RunFolderError(f"{path} has the schema {schema!r}, this masktune reads {SCHEMA!r}; {AWAY}")
        wrong = set(entries) ^ {field.name for field in fields(RunRecord)}
        if wrong:
            raise DataDamaged(f"{path} is damaged: wrong keys {', '.join(sorted(wrong))}")
        return RunRecord(**entries | {"data": [DataRecord(**entry) for entry in entries["data"]]})
    except (DataDamaged, TypeError) as error:
        raise RunFolderError(f"{path} is damaged, so the run cannot go on; {AWAY}") from error


def _in_words(data: Sequence[DataRecord]) -> str:
    return ", ".join(
        f"{entry.name}{f' ({entry.variant})' if entry.variant else ''} {entry.sha256[:12]}" for entry in data
    )
