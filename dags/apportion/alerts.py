"""Tell people that a night needs them: one message to APPORTION_ALERT_URL, as Slack takes it.

The address is a secret: whoever has it can write to the channel. So it is in no log and no message,
and a redirect, which would hand what is sent to somebody else, is not followed.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from apportion import logs

ADDRESS = "APPORTION_ALERT_URL"
_SECONDS = 10
# characters; Slack cuts what is longer than 40,000
_LONGEST = 8_000

logger = logging.getLogger("apportion.alerts")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other that is not 2xx."""

    def redirect_request(self, *arguments: object) -> None:
        return None


def send(run_id: str, text: str) -> bool | None:
    """Post `{"text": ...}` to the address; a night is never stopped because that fails.

    Args:
        run_id: name of the run that the message is about.
        text: what happened and what to do; no row of a person.

    Returns:
        Whether it was taken; None where no address is set.
    """
    address = os.environ.get(ADDRESS, "").strip()
    if not address:
        return None
    why = _post(address, f"Apportion, night {run_id}\n{text}"[:_LONGEST])
    if why:
        logger.warning(logs.line(event="alert", sent=False, why=why))
    else:
        logger.info(logs.line(event="alert", sent=True))
    return not why


def _post(address: str, text: str) -> str:
    """Why the message was not taken, without a word of the address; empty where it was."""
    try:
        if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
            return f"{ADDRESS} is no http or https address"
        request = urllib.request.Request(
            address,
            json.dumps({"text": text}).encode(),
            {"Content-Type": "application/json", "User-Agent": "apportion"},
            method="POST",
        )
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        return f"the answer was {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        # The text of an error may hold the address.
        return f"{type(error).__name__} on the way to it"
