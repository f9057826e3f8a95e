"""The one place that shows progress, and the one that tells errors."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from apportion.errors import ApportionError

# characters
SAID_SHOWN = 200
WIDTH_OF_A_FILE = 160


class Progress:
    """Steps as they go: a spinner with the time on a terminal, one plain line per step elsewhere.

    Use it as a context manager; everything goes to standard error.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.number = 0
        self.console = Console(stderr=True, highlight=False)
        self._bars: Bars | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=self.console,
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def say(self, text: str) -> None:
        """Say one line that belongs to no step."""
        self.console.print(escape(text), soft_wrap=True)

    def started(self, step: str) -> None:
        """A step begins."""
        self.number += 1
        if self._bars:
            self._remove()
            self._task = self._bars.add_task(f"{self._count()} {step}", total=None)

    def done(self, step: str, seconds: float, said: str) -> None:
        """A step is done; `said` is what it did, shown as far as it fits; the log has it all."""
        self._remove()
        if len(said) > SAID_SHOWN:
            said = f"{said[:SAID_SHOWN].rstrip()} ... (apportion status)"
        self._print("[green]done[/]", step, seconds, said)

    def failed(self, step: str, seconds: float) -> None:
        """A step failed; the error itself is told by `report`."""
        self._remove()
        self._print("[red]FAILED[/]", step, seconds, "")

    def _print(self, status: str, step: str, seconds: float, said: str) -> None:
        text = f"{self._count()} {step:<18} {status:<6} {seconds:6.1f} s  {escape(said)}"
        self.console.print(text.rstrip(), soft_wrap=True)

    def _count(self) -> str:
        return f"{self.number:>2}/{self.total}"

    def _remove(self) -> None:
        if self._bars and self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


def output() -> Console:
    """Standard output, as wide as the terminal, or wide enough for tables where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_OF_A_FILE)


def report(error: BaseException, *, verbose: bool = False) -> None:
    """Tell an error in one screen on standard error: what happened, and the next command.

    Args:
        error: an ApportionError, or anything unexpected.
        verbose: show the traceback too.
    """
    console = Console(stderr=True, highlight=False)
    if isinstance(error, ApportionError):
        what, next_step = error.what, error.next_step
    else:
        what = f"unexpected {type(error).__name__}: {error}"
        next_step = "" if verbose else "the same command with --verbose shows where"
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    lines = what.strip().splitlines() or ["failed"]
    if len(lines) > 30:
        lines = [*lines[:30], f"... and {len(lines) - 30} more lines"]
    console.print(f"[red]error:[/] {escape(chr(10).join(lines))}", soft_wrap=True)
    if next_step:
        console.print(f"[bold]next:[/]  {escape(next_step)}", soft_wrap=True)
