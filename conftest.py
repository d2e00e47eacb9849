"""The documents run: `make docs` executes the examples of README, docs and docstrings with sybil.

- A `python` fence is executed; the fences of one page share their names, from top to bottom.
- A fence in a docstring of `src` likewise: that is how an example is marked.
- `masktune ...` in a `bash` or `console` fence is not run: its command and each flag must be in its help.
  `make ...` must be a target of the Makefile.

What a page needs but should not show stands in a comment: `<!-- invisible-code-block: python ... -->`.
`<!-- skip: next "reason" -->` leaves the next fence out. Each page runs in an empty folder of its own.
"""

import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

from sybil import Example, Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parent


def commands(fence: str, prompt: bool) -> Iterator[list[str]]:
    """The commands of a fence, as words; in a console session only the lines behind the prompt are typed."""
    for line in fence.replace("\\\n", " ").splitlines():
        if line.startswith("$ ") or not prompt:
            yield shlex.split(line.removeprefix("$ "), comments=True)


def help_of(words: list[str]) -> str:
    """What `masktune WORDS --help` prints; an error of the test where it is refused."""
    from masktune.cli import main  # Late: jaxtyping's import hook has to be in place before.

    printed = io.StringIO()
    with mock.patch.dict(os.environ, COLUMNS="400"), redirect_stdout(printed):  # Wide: no flag is wrapped.
        try:
            code = main([*words, "--help"])
        except SystemExit as stop:
            code = stop.code
    assert not code, f"`masktune {' '.join(words)}` is not a command"
    return printed.getvalue()


def check_masktune(words: list[str]) -> None:
    """The command exists and knows every flag of the line."""
    command = words[: next((i for i, word in enumerate(words) if word.startswith("-")), len(words))]
    known = set(re.findall(r"--[a-z][a-z0-9-]*", help_of(command)))
    typed = {word.split("=")[0] for word in words if word.startswith("--")} - {"--help", "--version"}
    assert typed <= known, f"`masktune {' '.join(command)}` has no {', '.join(sorted(typed - known))}"


def check_make(targets: list[str]) -> None:
    """Each target is in the Makefile; settings (`ARGS=...`) are not targets."""
    known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in targets:
        assert target in known or "=" in target, f"the Makefile has no target {target!r}"


def check_shell(example: Example) -> None:
    """Check the lines of a shell fence that are ours."""
    for words in commands(str(example.parsed), prompt=example.region.lexemes["arguments"] == "console"):
        while words and re.match(r"[A-Z_]+=", words[0]):  # Settings of the environment before the command.
            words.pop(0)
        if words and Path(words[0]).name == "masktune":
            check_masktune(words[1:])
        elif "masktune" in words and words[words.index("masktune") - 1] == "-m":
            check_masktune(words[words.index("masktune") + 1 :])
        elif words and words[0] == "make":
            check_make(words[1:])


def into_empty_folder(namespace: dict[str, Any]) -> None:
    """What an example writes does not land in the checkout."""
    namespace["_folder"] = tempfile.TemporaryDirectory()
    namespace["_before"] = Path.cwd()
    os.chdir(namespace["_folder"].name)


def back_again(namespace: dict[str, Any]) -> None:
    """The folder before, and the empty folder goes away."""
    os.chdir(namespace["_before"])
    namespace["_folder"].cleanup()


shell = [CodeBlockParser(language, check_shell) for language in ("bash", "console")]
pages = Sybil(
    parsers=[SkipParser(), PythonCodeBlockParser(), *shell],
    path=str(ROOT),
    patterns=["*.md"],
    setup=into_empty_folder,
    teardown=back_again,
)
docstrings = Sybil(
    parsers=[SkipParser(), PythonCodeBlockParser()],
    path=str(ROOT / "src"),
    patterns=["*.py"],
    document_types={".py": PythonDocStringDocument},
    setup=into_empty_folder,
    teardown=back_again,
)

pytest_collect_file = (pages + docstrings).pytest()
