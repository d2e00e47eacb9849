"""Methods by what is typed: a name of ours, or `file.py:Class` for somebody's own."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args

from masktune.bench.recipe import METHODS
from masktune.errors import InputError, near
from masktune.methods import MaskTune, Method
from masktune.models import user_code
from masktune.types import Supervision


def is_own(name: str) -> bool:
    """Whether that means code of the user's."""
    return ":" in name


def check_methods(names: tuple[str, ...]) -> None:
    """Refuse names that are no methods, or come twice; the user's own code is not run.

    Raises:
        InputError: one is unknown, or none is given.
    """
    for name in names:
        if name not in METHODS and not is_own(name):
            raise InputError(
                f"unknown method {name!r}{near(name, METHODS)}; there are {', '.join(METHODS)}, "
                "and file.py:Class for one of your own"
            )
    if not names:
        raise InputError("expected at least one method, got none")
    if len(set(names)) < len(names):
        raise InputError(f"expected each method once, got {' '.join(names)}")


def method_named(name: str, masktune: MaskTune) -> Method:
    """The method of that name; a control follows `masktune`.

    Raises:
        InputError: the user's class does not make a method, or it bears a name of ours.
        DataNotFound: no such file.
    """
    return METHODS[name](masktune) if name in METHODS else _own_method(name)


def with_settings(method: Method, settings: Mapping[str, Any]) -> Method:
    """The method with some of its fields changed.

    Raises:
        InputError: it has no such fields.
    """
    if not settings:
        return method
    known: list[str] = [field.name for field in fields(method)] if is_dataclass(method) else []
    for name in settings:
        if name not in known:
            raise InputError(f"{method.name} has no setting {name!r}{near(name, known)}")
    changed: Method = replace(method, **settings)  # type: ignore[type-var]
    return changed


def in_order(names: set[str] | list[str]) -> list[str]:
    """Names in the order of tables: ours, then others by name."""
    ours = [name for name in METHODS if name in names]
    return ours + sorted(set(names) - set(METHODS))


def _own_method(name: str) -> Method:
    made = user_code.function_at(name)()
    if not isinstance(made, Method):
        raise InputError(
            f"expected {name} to make a method, with name, supervision and fit (docs/methods/README.md), got "
            f"{type(made).__name__}"
        )
    if not isinstance(made.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", made.name):
        raise InputError(f"expected {name} to have a name of a-z, 0-9 and _, got {made.name!r}")
    if made.name in METHODS:
        raise InputError(f"{name} bears the name of a method of masktune, {made.name!r}; give it its own")
    if made.supervision not in get_args(Supervision):
        raise InputError(
            f"expected {name} to declare supervision as one of {', '.join(get_args(Supervision))}, got "
            f"{made.supervision!r}"
        )
    return made
