"""Looks up the packages of requirements.txt among the known weaknesses of the package index.

Run by `make audit`, and so by `make lint`. Where the advisories cannot be reached, it says so and
lets pass: who lints on a train has done nothing wrong.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

# Advisories that do not concern this project, each with the reason.
ACCEPTED: dict[str, str] = {}


def main() -> int:
    """Ask, and tell; gives the exit status."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
    command += ["-r", "requirements.txt", "--format", "json", "--desc", "off"]
    command += ["--progress-spinner", "off", "--timeout", "10"]
    for advisory in ACCEPTED:
        command += ["--ignore-vuln", advisory]
    asked = subprocess.run(command, capture_output=True, text=True)
    lines, status = judged(asked.stdout, asked.stderr)
    print("\n".join(lines))
    return status


def judged(answer: str, errors: str) -> tuple[list[str], int]:
    """What pip-audit found, in lines, and the exit status.

    Args:
        answer: its JSON; anything else where it could not ask.
        errors: what it said beside.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = (errors.strip().splitlines() or ["no answer"])[-1]
        return [f"audit: not done, the advisories cannot be reached ({said})"], 0
    lines = [
        f"audit: {package['name']} {package['version']} has {weakness['id']}; "
        f"mended in {', '.join(weakness['fix_versions']) or 'no version yet'}"
        for package in packages
        for weakness in package.get("vulns", [])
    ]
    if lines:
        next_step = "raise its version in pyproject.toml, then: make lock; or, where it does not"
        return [*lines, f"next:  {next_step} concern us, say why in ACCEPTED of {__file__}"], 1
    unknown = sum("skip_reason" in package for package in packages)
    if unknown:
        return [f"audit: {unknown} of {len(packages)} packages are not known to the index here"], 0
    return [f"audit: no known weakness in {len(packages)} packages"], 0


if __name__ == "__main__":
    sys.exit(main())
