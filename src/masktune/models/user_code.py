"""Functions of the user's, for nets and preprocessing: `my_package.nets:build`, `path/to/nets.py:build`."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from masktune.errors import DataNotFound, InputError, near
from masktune.seeds import seed_of


def call(name: str, schemes: tuple[str, ...]) -> nn.Module:
    """Import the module and call its function without arguments; a net in its place is taken as it is.

    Args:
        name: of the module or file, and of the function, with a colon between.
        schemes: the words before a colon that mean something else, for near names.

    Raises:
        DataNotFound: no such file or module.
        InputError: no such function, it raised something, or it gave no module of torch.
    """
    made = _found(name, schemes)
    if not isinstance(made, nn.Module):
        if not callable(made):
            raise InputError(f"expected a function without arguments at {name}, got {type(made).__name__}")
        _check_arguments(name, made)
        with _told(name):
            made = made()
    if not isinstance(made, nn.Module):
        raise InputError(f"expected a torch module or a Classifier from {name}, got {type(made).__name__}")
    return made


def function_at(name: str) -> Callable[..., Any]:
    """A function of the user's, such as a preprocess: `file.py:function` or `package.module:function`.

    What it raises when it is called is told in one line, with its file and line.

    Raises:
        DataNotFound: no such file or module.
        InputError: no such function.
    """
    if ":" not in name:
        raise InputError(f"expected file.py:function or package.module:function, got {name!r}")
    made = _found(name, ())
    if not callable(made):
        raise InputError(f"expected a function at {name}, got {type(made).__name__}")

    def told(*given: Any) -> Any:
        with _told(name):
            return made(*given)

    return told


def sha256_of(name: str) -> str | None:
    """Of the file behind `file.py:function` or `package.module:function`; None for what is no code of a user.

    What that file imports is not looked at.
    """
    place, _, _ = name.rpartition(":")
    if place.endswith(".py"):
        path = Path(place)
    else:
        try:
            spec = importlib.util.find_spec(place) if place else None
        except (ModuleNotFoundError, ValueError):
            spec = None
        if spec is None or spec.origin is None or place in ("timm", "torchvision", "hf"):
            return None
        path = Path(spec.origin)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _found(name: str, schemes: tuple[str, ...]) -> Any:
    """What bears that name."""
    place, _, function = name.rpartition(":")
    module = _from_file(name, Path(place)) if place.endswith(".py") else _by_name(name, place, schemes)
    made = getattr(module, function, None)
    if made is None:
        known = [one for one, value in vars(module).items() if callable(value) and not one.startswith("_")]
        raise InputError(f"{place} has no function {function!r}{near(function, known)}")
    return made


def _from_file(name: str, file: Path) -> ModuleType:
    if not file.is_file():
        known = [path.name for path in file.parent.glob("*.py")] if file.parent.is_dir() else []
        raise DataNotFound(f"no file at {file}{near(file.name, known)}, to take {name} from")
    # A name of its own: two files of one name may be loaded, and none must hide an installed module.
    unique = f"masktune_user_{file.stem}_{seed_of(file.resolve())}"
    spec = importlib.util.spec_from_file_location(unique, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module  # Dataclasses and pickles look their module up there.
    with _path(file.resolve().parent), _told(name):
        spec.loader.exec_module(module)
    return module


def _by_name(name: str, place: str, schemes: tuple[str, ...]) -> ModuleType:
    with _path(Path.cwd()):  # As `python -m` does, and the installed command does not.
        importlib.invalidate_caches()
        try:
            found = bool(place) and importlib.util.find_spec(place) is not None
        except (ModuleNotFoundError, ValueError):
            found = False  # A parent is missing, or a name with a slash.
        if not found:
            raise DataNotFound(
                f"no module {place!r} to take {name} from{near(place, schemes)}; --model is timm:NAME, "
                "torchvision:NAME, hf:DIR, package.module:function or path/to/file.py:function"
            )
        with _told(name):
            return importlib.import_module(place)


def _check_arguments(name: str, made: Callable[..., object]) -> None:
    try:
        inspect.signature(made).bind()
    except TypeError as error:
        raise InputError(
            f"expected {name} to need no arguments, but {error}; give them defaults, or write a function "
            "that passes them"
        ) from error
    except ValueError:
        pass  # Built-ins have no signature.


@contextmanager
def _path(folder: Path) -> Iterator[None]:
    """Modules beside the user's are found for the length of the block."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What user code raises, or its attempt to leave, becomes one line with file and line number."""
    try:
        yield
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise InputError(f"{name} failed{_where(error)}: {said}") from error


def _where(error: BaseException) -> str:
    """The last line of the user's own code on the way to the error."""
    if isinstance(error, SyntaxError):
        return f" at {error.filename}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if _is_users(frame.filename)]
    if not own:
        return ""
    return f" at {own[-1].filename}, line {own[-1].lineno}"


def _is_users(filename: str) -> bool:
    libraries = ("site-packages", "importlib", "<frozen", f"python{sys.version_info[0]}.")
    return not any(part in filename for part in libraries)
