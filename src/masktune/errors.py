"""What can go wrong, as one tree.

MasktuneError            catch this one to catch them all; the command line turns it into exit code 2
├── InputError           an argument, a batch or a setting that cannot be used       (ValueError)
│   ├── CannotCertify    too few calibration images for the risk asked for; says how many it takes
│   ├── LayerNotFound    no layer bears that name; near names are listed
│   └── NoSpatialLayer   no layer has a height and a width; candidates are listed
├── DataNotFound         nothing at that place; says what was looked for             (FileNotFoundError)
├── DataDamaged          a file is truncated or is not what its name says            (ValueError)
│   └── UnreadableImages  some images cannot be used; it holds a sentence on each
├── SaliencyError        a map cannot be computed: no gradient, not a number         (RuntimeError)
├── TrainingDiverged     the loss is not a number; the last good checkpoint stays    (ArithmeticError)
├── RunFolderError       the output folder holds something else                      (ValueError)
├── StorageError         full disk, no permission, no such folder                    (OSError)
└── MissingExtra         an optional library is not installed; the line to type      (ImportError)

MasktuneWarning          worth knowing, but no error                                 (UserWarning)

In brackets: the built-in that it also is. Each message is one line: what was expected, what came, what to do.
"""

import difflib
from collections.abc import Iterable, Sequence


class MasktuneError(Exception):
    """Root of all errors that masktune raises on purpose."""


class InputError(MasktuneError, ValueError):
    """An argument, a batch or a setting that cannot be used."""


class CannotCertify(InputError):
    """Calibration images cannot certify the risk that was asked for."""


class LayerNotFound(InputError):
    """The net has no layer of that name."""


class NoSpatialLayer(InputError):
    """The net has no layer whose output has a height and a width."""


class DataNotFound(MasktuneError, FileNotFoundError):
    """There is no data where it was looked for."""


class DataDamaged(MasktuneError, ValueError):
    """A data file is truncated or is not what its name says."""


class UnreadableImages(DataDamaged):
    """Some images of a data set cannot be used."""

    def __init__(self, problems: Sequence[str], n: int) -> None:
        more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(
            f"expected {n} images that can be read, but {len(problems)} cannot: {problems[0]}{more}; mend or "
            "remove them, or pass --skip-unreadable"
        )
        self.problems = tuple(problems)


class SaliencyError(MasktuneError, RuntimeError):
    """A saliency map cannot be computed."""


class TrainingDiverged(MasktuneError, ArithmeticError):
    """The loss is no longer a finite number."""


class RunFolderError(MasktuneError, ValueError):
    """The output folder holds another run, or files that are not ours."""


class StorageError(MasktuneError, OSError):
    """A file or folder cannot be written or read."""


class MissingExtra(MasktuneError, ImportError):
    """An optional library is not installed."""


class MasktuneWarning(UserWarning):
    """Something the user should know that does not stop the work."""


def near(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x' or 'y'?)" for known names that look like `name`, else ""."""
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(repr(match) for match in close)}?)" if close else ""
