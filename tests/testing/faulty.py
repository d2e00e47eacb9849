"""What the tests of checks share: lines of faults, and the quickest method that there is."""

from types import SimpleNamespace

import pytest

from masktune.methods import Fitted


def named_in(check, *given):
    """The lines of faults."""
    with pytest.raises(AssertionError, match="does not conform:") as caught:
        check(*given)
    first, *lines = str(caught.value).splitlines()
    assert first.endswith("does not conform:")
    assert all(line.startswith("- ") for line in lines)  # A sentence each, however many lines an error has.
    return [line.removeprefix("- ") for line in lines]


def started(task):
    """The quickest method that there is."""
    return Fitted(task.build(), "last", 0, 0.0)


def bare(**members):
    """A method with these members; those that are None it has not."""
    given = {"name": "bare", "supervision": "none", "fit": started} | members
    return SimpleNamespace(**{name: value for name, value in given.items() if value is not None})
