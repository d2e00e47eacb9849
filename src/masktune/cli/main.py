"""The door: what was typed becomes a call, what went wrong becomes one line and an exit code."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cyclopts

from masktune.cli import (  # noqa: F401 - their commands register themselves.
    bench,
    data,
    data_get,
    mask,
    recipes,
    report,
    scan,
    select,
    tune,
)
from masktune.cli.app import TYPED, app
from masktune.errors import MasktuneError, MasktuneWarning, near

# Before a library reads it: nothing is reported to anybody.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 bad input, 130 interrupted, 1 (a trace) a defect of ours."""
    words = list(sys.argv[1:] if argv is None else argv)
    TYPED.set(tuple(words))
    with warnings.catch_warnings(), _stopped_by_sigterm():
        warnings.simplefilter("once", MasktuneWarning)
        warnings.showwarning = _show_warning
        sys.exit(_run(words))


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """What schedulers send is taken as Ctrl-C is: the states of the last epochs stay."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # Only there can signals be caught.
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(words: list[str]) -> int:
    try:
        command, bound, _ = app.parse_args(words, print_error=False, exit_on_error=False)
        command(*bound.args, **bound.kwargs)
        sys.stdout.flush()  # Here a reader who went away is no defect of ours; at exit Python says it is.
    except cyclopts.CycloptsError as error:
        return _failed(_sentence(error))
    except MasktuneError as error:
        if _speaks():
            for problem in getattr(error, "problems", ()):
                print(problem, file=sys.stderr)
        return _failed(" ".join(str(error).split()))
    except KeyboardInterrupt:
        then = (
            "nothing was written"
            if "--dry-run" in words
            else "the same command goes on where this one stopped"
        )
        print(f"interrupted; {then}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # The reader of our output, such as `head`, has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SystemExit as left:
        if not isinstance(left.__context__, BrokenPipeError):  # rich makes an exit of 1 of the same.
            raise
    return DONE


def _failed(sentence: str) -> int:
    if _speaks():
        print(f"error: {sentence}", file=sys.stderr)
    return BAD_INPUT


def _speaks() -> bool:
    """Under torchrun all processes fail alike; one says it."""
    return os.environ.get("RANK", "0") == "0"


def _sentence(error: cyclopts.CycloptsError) -> str:
    """What was mistyped, in one line; cyclopts says it well but for two cases."""
    command = " ".join(["masktune", *(error.command_chain or ())])
    match error:
        case cyclopts.MissingArgumentError(argument=argument, keyword=None) if (
            argument and not argument.tokens
        ):
            flags = [word for word in error.unused_tokens or () if word.startswith("-")]
            meant = near(argument.name, flags).replace("did you mean", "you wrote").replace("?)", ")")
            said = f"`{command}` needs {argument.name}{meant}."
        case cyclopts.UnusedCliTokensError(unused_tokens=[word, *_]):
            said = f"`{command}` does not expect {word!r}."
        case _:
            said = str(error)
    return " ".join(f"{said} See `{command} --help`.".split())


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    # Only ours speak to the user; those of libraries speak to us.
    if issubclass(category, MasktuneWarning):
        print(f"warning: {message}", file=sys.stderr)
