"""Why a source did not give a file: both are met inside this room, never outside."""


class Unusable(Exception):
    """This source will not do, now or in a minute; the next one may."""


class BrokeOff(Exception):
    """The connection failed; another try, from where it broke off, may do."""

    def __init__(self, reason: str, *, reached: bool = True) -> None:
        super().__init__(reason)
        self.reached = reached
        """False where no server answered at all: without a beginning, waiting is of little use."""


class NothingLeft(BrokeOff):
    """The server has no bytes beyond those that came: they were not of this file."""
