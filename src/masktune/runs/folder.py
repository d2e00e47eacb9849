"""A run is a folder: `run.json` first, `results.json` last, and the same command goes on where it stopped."""

import re
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, final

from masktune.errors import MasktuneWarning, RunFolderError
from masktune.files import make_folder, storage_errors
from masktune.runs.jsons import write_json
from masktune.runs.lock import LOCK_NAME, take_lock
from masktune.runs.record import AWAY, DataRecord, RunRecord, read_record
from masktune.runs.results import Results, read_results, write_results
from masktune.runs.rows import Row

_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")
"""The temporary names of `files.complete_file`, and no others."""

_TRIES, _PAUSE = 100, 0.2
"""How often, and after how many seconds each time, one looks whether another process has begun the run."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class RunFolder:
    """An output folder that one process writes to; a context manager that frees it at its end."""

    path: Path
    """The folder."""
    record: RunRecord
    """Its `run.json`."""
    lock: IO[bytes] | None
    """Keeps other processes out until it is closed; None where the disk has no locks."""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        command: str,
        argv: Sequence[str],
        settings: Mapping[str, Any],
        data: Sequence[DataRecord],
        threads: int,
        device: str,
        weights_sha256: str | None = None,
    ) -> "RunFolder":
        """Begin a run in a new or empty folder, or go on with the same run in its own.

        It is the same run when command, settings, data and start weights are. `seeds` and `methods` among the
        settings may grow: `settings` then has the old entries and the new ones. `threads` are those of the
        run's beginning, whatever is asked for, since bits depend on them.

        Raises:
            RunFolderError: the folder holds other files, another run or a damaged one, or is in use.
            StorageError: it cannot be made or written.
        """
        asked = RunRecord.now(
            command=command,
            argv=argv,
            settings=settings,
            data=data,
            weights_sha256=weights_sha256,
            threads=threads,
            device=device,
        )
        check_free(path)
        lock = take_lock(make_folder(path))
        try:
            record = _begin_or_go_on(path, asked)
            if lock is not None:  # Else a half-written file may be one that another process is at.
                _remove_parts(path)
            return cls(path, record, lock)
        except BaseException:
            if lock is not None:
                lock.close()
            raise

    @classmethod
    def join(
        cls,
        path: Path,
        *,
        command: str,
        argv: Sequence[str],
        settings: Mapping[str, Any],
        data: Sequence[DataRecord],
        threads: int,
        device: str,
    ) -> "RunFolder":
        """Work in a run's folder beside other processes of the same run, each at a part of its own.

        The folder's lock is held no longer than it takes to begin the run, where no other has.

        Raises:
            RunFolderError: the folder holds other files, another run or a damaged one.
            StorageError: it cannot be made or written.
        """
        begin = partial(
            cls.open,
            path,
            command=command,
            argv=argv,
            settings=settings,
            data=data,
            threads=threads,
            device=device,
        )
        asked = RunRecord.now(
            command=command,
            argv=argv,
            settings=settings,
            data=data,
            weights_sha256=None,
            threads=threads,
            device=device,
        )
        for _ in range(_TRIES):
            if (path / "run.json").exists():
                record = read_record(path / "run.json")
                _check_same(path, record, asked)
                return cls(path, record, None)
            try:
                begin().close()
            except RunFolderError:
                if not path.is_dir() or (path / "run.json").exists():
                    continue
                check_free(path)
                time.sleep(_PAUSE)  # Another process is about to begin it.
        raise RunFolderError(f"{path} is in use by another process that does not begin; {AWAY}")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the run, with all `seeds` and `methods` that were ever asked for."""
        return self.record.settings

    @property
    def threads(self) -> int:
        """The number of threads to compute with."""
        return self.record.threads

    @property
    def results_path(self) -> Path:
        """Where `results.json` is, or will be."""
        return self.path / "results.json"

    def model_folder(self, dataset: str, seed: int, method: str) -> Path:
        """The folder of one trained model."""
        return self.model_path(self.path, dataset, seed, method)

    @staticmethod
    def model_path(out: Path, dataset: str, seed: int, method: str) -> Path:
        """The same in a folder that is not opened."""
        return out / "models" / dataset / f"seed-{seed}" / method

    def predictions_path(self, dataset: str, seed: int, method: str, split: str) -> Path:
        """The file of one model's predictions on one split."""
        return self.model_folder(dataset, seed, method) / "predictions" / f"{split}.npz"

    def write_results(self, rows: Sequence[Row]) -> None:
        """Write `results.json`. Do it last: it says that all is done."""
        write_results(self.results_path, command=self.record.command, data=self.record.data, rows=rows)

    def read_results(self) -> Results:
        """Read `results.json`."""
        return read_results(self.results_path)

    def close(self) -> None:
        """Give the folder free for others."""
        if self.lock is not None:
            self.lock.close()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_free(path: Path) -> None:
    """Before anything is computed, make sure that the folder is ours, empty, or not there.

    Raises:
        RunFolderError: it holds other files.
        StorageError: it cannot be read.
    """
    if not path.is_dir() or (path / "run.json").exists():
        return
    with storage_errors(path, "read"):
        names = sorted(entry.name for entry in path.iterdir())
    others = [name for name in names if name != LOCK_NAME and not _is_part(name)]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise RunFolderError(
            f"{path} holds other files ({others[0]}{more}) and no run of masktune; choose an empty folder"
        )


def _is_part(name: str) -> bool:
    """Whether a name is that of a half-written file, left by a process that was killed."""
    return _PART.fullmatch(name) is not None


def _begin_or_go_on(path: Path, asked: RunRecord) -> RunRecord:
    file = path / "run.json"
    if not file.exists():
        write_json(file, asked.to_json())
        return asked
    recorded = read_record(file)
    _check_same(path, recorded, asked)
    if (path / "results.json").exists():
        read_results(path / "results.json")  # Refuses what this version cannot read, rather than replace it.
    _warn_of_other_bits(path, recorded, asked)
    grown = recorded.grown(asked)
    if grown != recorded:
        # Results are there only when all that run.json asks for is done.
        with storage_errors(path, "clean"):
            (path / "results.json").unlink(missing_ok=True)
        write_json(file, grown.to_json())
    return grown


def _check_same(path: Path, recorded: RunRecord, asked: RunRecord) -> None:
    difference = recorded.difference(asked)
    if difference:
        raise RunFolderError(
            f"{path} holds another run: {difference}; choose another folder, or repeat that run to go on"
        )


def _remove_parts(path: Path) -> None:
    with storage_errors(path, "clean"):
        for part in path.rglob(".*.part"):
            if _is_part(part.name):
                part.unlink(missing_ok=True)


def _warn_of_other_bits(path: Path, recorded: RunRecord, asked: RunRecord) -> None:
    then = recorded.versions | {"device": recorded.device}
    now = asked.versions | {"device": asked.device}
    changes = [f"{name} was {then.get(name)}, is {now[name]}" for name in now if then.get(name) != now[name]]
    if changes:
        warnings.warn(
            f"the run in {path} goes on elsewhere than it began ({'; '.join(changes)}), so its numbers may "
            "differ in the last digits from a run in one go",
            MasktuneWarning,
            stacklevel=4,
        )
