"""The log of a night: one file per run, key=value, the run's id in every line."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apportion.settings import Settings

LOGGER = logging.getLogger("apportion")
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


def path(settings: Settings, run_id: str) -> Path:
    """The log file of one run."""
    return settings.logs / f"{run_id}.log"


def line(**fields: object) -> str:
    """Write fields as `key=value`; a value with white space or a quote becomes a JSON string."""
    return " ".join(f"{key}={_value(value)}" for key, value in fields.items())


def parse(text: str) -> dict[str, str]:
    """Read back the fields of one line."""
    return {
        key: json.loads(value) if value.startswith('"') else value
        for key, value in _FIELD.findall(text)
    }


@contextmanager
def recording(settings: Settings, run_id: str) -> Iterator[None]:
    """Send what the package logs to the run's file, at level INFO."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path(settings, run_id), encoding="utf-8")
    handler.setFormatter(_Formatter(run_id))
    LOGGER.addHandler(handler)
    level = LOGGER.level
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.setLevel(level)
        LOGGER.removeHandler(handler)
        handler.close()


class _Formatter(logging.Formatter):
    """One line per record; a traceback becomes a field."""

    converter = time.gmtime

    def __init__(self, run_id: str) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S")
        self.run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        at = f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03d}Z"
        text = f"at={at} level={record.levelname} run_id={self.run_id} {record.getMessage()}"
        if record.exc_info:
            text += " " + line(traceback=self.formatException(record.exc_info))
        return text


def _value(value: object) -> str:
    text = str(value)
    return json.dumps(text) if not text or re.search(r'[\s"]', text) else text
