"""Where things are, and the settings that belong to an installation or an input."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml

from apportion.errors import UsageError

PRIVATE = 0o077
"""What others may not do with what a night makes: anything; the folder keeps what its owner set."""
PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """Paths of one installation: everything that it makes lies under `data`.

    Attributes:
        data: folder of the warehouse, the versions, the logs.
        landing: folder of the input files, one subfolder per dataset.
    """

    data: Path
    landing: Path

    @classmethod
    def resolve(cls, data: Path | str | None = None, landing: Path | str | None = None) -> Settings:
        """Take each path from the argument, else its environment variable, else the default."""
        data = Path(data or os.environ.get("APPORTION_DATA") or PROJECT / "data").resolve()
        landing = Path(landing or os.environ.get("APPORTION_LANDING") or data / "landing").resolve()
        return cls(data, landing)

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that the night works in."""
        return self.data / "warehouse.duckdb"

    @property
    def versions(self) -> Path:
        """One folder per published version."""
        return self.data / "versions"

    @property
    def published(self) -> Path:
        """The relative symlink to the version that people read."""
        return self.data / "published"

    @property
    def logs(self) -> Path:
        """Logs of the runs."""
        return self.data / "logs"

    @property
    def target(self) -> Path:
        """What dbt compiles; per data folder, so that two installations do not meet."""
        return self.data / "target"

    def input_vars(self) -> dict[str, object]:
        """The dbt vars that this input needs, from `<landing>/vars.yml`; empty if there is none.

        Raises:
            UsageError: the file is not a mapping.
        """
        path = self.landing / "vars.yml"
        if not path.is_file():
            return {}
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not YAML: {error}", f"mend {path}") from error
        if not isinstance(values, dict):
            raise UsageError(f"{path} must be a mapping of var name to value", f"mend {path}")
        return values

    def pii_salt(self) -> bytes:
        """The key of the identifier hashes: APPORTION_PII_SALT, else a file (mode 600)."""
        if salt := os.environ.get("APPORTION_PII_SALT"):
            return salt.encode()
        path = self.data / "pii_salt"
        if not path.is_file():
            self.data.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
        return path.read_text().strip().encode()
