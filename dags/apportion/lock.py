"""One night at a time: a lock file that the kernel frees when its holder dies."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apportion import logs, warehouse
from apportion.errors import ApportionError, WarehouseBusy
from apportion.settings import Settings

# The run that this process, or the one that started it, holds the lock for.
_HELD_FOR = "APPORTION_LOCK_HELD_FOR"
# The descriptor of the lock that this process took.
_taken: list[int] = []


def path(settings: Settings) -> Path:
    """The lock file of an installation."""
    return settings.data / "night.lock"


@contextmanager
def hold(settings: Settings, run_id: str) -> Iterator[int | None]:
    """Hold the installation for one run, until the end of the block or of the process.

    A process started by the holder, with the descriptor handed down, shares the lock: inside it
    this does nothing for the same run.

    Yields:
        The descriptor to hand down to child processes; None in such a child, which has it already.

    Raises:
        WarehouseBusy: another run holds it.
        ApportionError: the folder cannot be written.
    """
    if os.environ.get(_HELD_FOR) == f"{run_id} {path(settings)}":
        yield _taken[-1] if _taken else None
        return
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path(settings), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ApportionError(
            f"{settings.data} cannot be written: {error}",
            f"mend its rights; then: apportion doctor --data {settings.data}",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise WarehouseBusy(
            f"{settings.data} is in use by {holder(settings) or 'another run'}",
            f"wait for that run, or see: apportion status --data {settings.data}",
        ) from None
    since = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, logs.line(pid=os.getpid(), run_id=run_id, since=since).encode(), 0)
    os.environ[_HELD_FOR] = f"{run_id} {path(settings)}"
    _taken.append(descriptor)
    warehouse.sweep(settings.data)
    try:
        yield descriptor
    finally:
        _taken.pop()
        del os.environ[_HELD_FOR]
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


def holder(settings: Settings) -> str | None:
    """Who holds the installation, in words; None if nobody does."""
    try:
        descriptor = os.open(path(settings), os.O_RDWR)
    except (FileNotFoundError, PermissionError):
        return None  # Who may not write there does not see who does.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        fields = logs.parse(os.pread(descriptor, 4096, 0).decode())
        return "run {run_id} (process {pid}) since {since}".format(
            **{"run_id": "?", "pid": "?", "since": "?"} | fields
        )
    else:
        return None
    finally:
        os.close(descriptor)
