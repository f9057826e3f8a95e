"""Errors for people: what happened, why, and the next command to run."""

from __future__ import annotations


class ApportionError(Exception):
    """A failure that is told in one screen: exit status 1 (it failed).

    Args:
        what: what happened, with file, line and column where there is one.
        next_step: the command or action that mends it.
    """

    exit_status = 1

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step


class UsageError(ApportionError):
    """The call itself is wrong: exit status 2."""

    exit_status = 2


class GateFailed(ApportionError):
    """A gate said no and nothing was published: exit status 3."""

    exit_status = 3


class WarehouseBusy(ApportionError):
    """Another process holds the warehouse: exit status 4."""

    exit_status = 4
