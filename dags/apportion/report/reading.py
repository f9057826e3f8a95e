"""Reading the report: in the browser from the file, or served on this machine alone."""

from __future__ import annotations

import functools
import http.server
import webbrowser
from pathlib import Path
from typing import Any

import typer

from apportion.errors import UsageError
from apportion.report import FOLDER, INDEX
from apportion.settings import Settings

LOOPBACK = "127.0.0.1"


def show(settings: Settings) -> None:
    """Open the published report in a browser, and say where it is.

    Raises:
        UsageError: nothing is published, or by a release that made no report.
    """
    page = find(settings)
    typer.echo(page)
    webbrowser.open(page.resolve().as_uri())


def serve(settings: Settings, port: int) -> None:
    """Serve the published report, and nothing else, on 127.0.0.1 until Ctrl-C.

    Raises:
        UsageError: there is no report, or the port is taken.
    """
    with server(settings, port) as listening:
        typer.echo(f"http://{LOOPBACK}:{listening.server_port}/ (Ctrl-C stops it)")
        listening.serve_forever()


def server(settings: Settings, port: int) -> http.server.ThreadingHTTPServer:
    """A server of the report as it is published at each request.

    Raises:
        UsageError: there is no report, or the port is taken.
    """
    find(settings)
    handler = functools.partial(_Handler, settings=settings)
    try:
        return http.server.ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be listened on: {error}", "apportion report --serve --port 0"
        ) from error


def find(settings: Settings) -> Path:
    """The page of the version in use.

    Raises:
        UsageError: there is none.
    """
    page = settings.published / FOLDER / INDEX
    if not page.is_file():
        raise UsageError(f"there is no report at {page}", "apportion run makes one")
    return page


class _Handler(http.server.BaseHTTPRequestHandler):
    """Gives the page at / to who asks for this machine by its name, and nothing else."""

    def __init__(self, *arguments: Any, settings: Settings) -> None:
        self.settings = settings
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer one request."""
        # A page elsewhere may have its own name point here, and then read what is not its own.
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        if host not in (LOOPBACK, "localhost"):
            self.send_error(403)
        elif self.path not in ("/", f"/{INDEX}"):
            self.send_error(404)
        else:
            page = find(self.settings).read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(page)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing of each request."""
