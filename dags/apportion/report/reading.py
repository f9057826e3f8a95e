"""Opening the report: the file itself, or served on the loopback address alone."""

from __future__ import annotations

import functools
import http.server
import webbrowser
from pathlib import Path

import typer

from apportion.errors import UsageError
from apportion.report import FOLDER, INDEX
from apportion.settings import Settings

ADDRESS = "127.0.0.1"


def page(settings: Settings) -> Path:
    """The page of the version in use.

    Raises:
        UsageError: nothing is published, or the version was published without a report.
    """
    path = settings.published / FOLDER / INDEX
    if not path.is_file():
        raise UsageError(f"there is no report in {settings.published}", "apportion run makes one")
    return path


def open_in_browser(path: Path) -> bool:
    """Ask the desktop's browser to show the page; False where there is none."""
    return webbrowser.open(path.resolve().as_uri())


class _Handler(http.server.SimpleHTTPRequestHandler):
    """The folder of the report, without a line per request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def server(path: Path, port: int) -> http.server.ThreadingHTTPServer:
    """A server of the page's folder, bound to the loopback address.

    Raises:
        UsageError: the port is taken.
    """
    handler = functools.partial(_Handler, directory=str(path.parent))
    try:
        return http.server.ThreadingHTTPServer((ADDRESS, port), handler)
    except OSError as error:
        raise UsageError(f"port {port} cannot be used: {error}", "take another: --port") from error


def serve(path: Path, port: int) -> None:
    """Serve the page until Ctrl-C."""
    with server(path, port) as serving:
        typer.echo(f"http://{ADDRESS}:{serving.server_address[1]}/ (Ctrl-C stops it)")
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            typer.echo("stopped")
