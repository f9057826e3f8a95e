"""Apportion and its peers on the same generated journeys: a table, and docs/benchmarks.md.

`python bench.py [JOURNEYS ...]` (default 100000 1000000; 10000000 takes an hour and 40 GB of disk).
Each piece of work runs in a process of its own, in turn with the others, `RUNS` times (default 3);
the table has the medians.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import worlds
from work import THREADS, WORK

from apportion.settings import PROJECT

FOLDER = PROJECT / "data" / "bench"
PEERS = FOLDER / "peers" / "bin" / "python"
PAGE = PROJECT / "docs" / "benchmarks.md"
PLOT = PROJECT / "docs" / "images" / "benchmarks.svg"
RUNS = int(os.environ.get("RUNS", "3"))
TIMEOUT = 3600

# What is wanted: ours, theirs (or a limit), measure, how many times less ours must be.
WANTED = [
    ("apportion: every model, wide credits written", "channelattribution: 3 heuristics", "cpu", 3),
    (
        "apportion: every model, wide credits written",
        "marketing-attribution-models: 5 heuristics",
        "cpu",
        10,
    ),
    *(
        (f"apportion: markov {order}", f"channelattribution: markov {order}", "cpu", factor)
        for order, factor in ((1, 2), (2, 1), (3, 1))
    ),
    ("apportion: shapley", "marketing-attribution-models: shapley", "cpu", 10),
    ("apportion: credits written, long", "limit: CTAS of the long credits", "cpu", 1 / 3),
    (
        "apportion: every model, wide credits written",
        "channelattribution: 3 heuristics",
        "peak_mb",
        3,
    ),
]


def measure(name: str, data: Path) -> dict[str, float] | str:
    """One run of one piece of work; a text where it did not end well."""
    python = sys.executable if name.startswith(("apportion", "limit")) else str(PEERS)
    command = [python, str(Path(__file__).with_name("work.py")), name, str(data)]
    environment = os.environ | {"OMP_NUM_THREADS": str(THREADS), "MPLBACKEND": "Agg"}
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT, env=environment
        )
    except subprocess.TimeoutExpired:
        return f"more than {TIMEOUT} s"
    if result.returncode != 0:
        return f"failed: {(result.stderr or result.stdout).strip().splitlines()[-1][:80]}"
    return json.loads(result.stdout.strip().splitlines()[-1])


def medians(data: Path) -> dict[str, dict[str, float] | str]:
    """The median of each measure of each piece of work; the fit comes first, for the credits."""
    found: dict[str, list] = {name: [] for name in WORK}
    order = ["apportion: the whole fit", *(n for n in WORK if n != "apportion: the whole fit")]
    for run in range(RUNS):
        for name in order:
            found[name].append(measure(name, data))
            print(f"run {run + 1} of {RUNS}: {name}: {found[name][-1]}", flush=True)
    return {
        name: next((result for result in results if isinstance(result, str)), None)
        or {
            key: statistics.median(result[key] for result in results)
            for key in ("cpu", "wall", "peak_mb")
        }
        for name, results in found.items()
    }


def table(results: dict[str, dict[str, float] | str]) -> list[str]:
    lines = ["| work | CPU, s | wall, s | peak memory, MB |", "|---|---:|---:|---:|"]
    for name, result in results.items():
        if isinstance(result, str):
            lines.append(f"| {name} | {result} | | |")
        else:
            lines.append(
                f"| {name} | {result['cpu']:.2f} | {result['wall']:.2f}"
                f" | {result['peak_mb']:,.0f} |"
            )
    return lines


def ratios(results: dict[str, dict[str, float] | str]) -> list[str]:
    lines = [
        "| ours | against | measure | less than it, wanted | measured | |",
        "|---|---|---|---:|---:|---|",
    ]
    for ours, theirs, measured, wanted in WANTED:
        left, right = results[ours], results[theirs]
        if isinstance(left, str) or isinstance(right, str):
            lines.append(f"| {ours} | {theirs} | {measured} | {wanted:.2g}x | - | not measured |")
            continue
        factor = right[measured] / left[measured]
        verdict = "reached" if factor >= wanted else "**not reached**"
        lines.append(
            f"| {ours} | {theirs} | {measured} | {wanted:.2g}x | {factor:.2g}x | {verdict} |"
        )
    return lines


def plot(results: dict[str, dict[str, float] | str]) -> str:
    """Bars of CPU time, as SVG."""
    bars = [(name, result["cpu"]) for name, result in results.items() if isinstance(result, dict)]
    most = max(cpu for _, cpu in bars)
    colours = {"apportion": "#1f6f5c", "limit": "#9a9a9a"}
    rows = []
    for number, (name, cpu) in enumerate(bars):
        y, width = 22 * number + 8, 420 * cpu / most
        colour = colours.get(name.split(":")[0], "#c47a2c")
        rows.append(
            f'<text x="322" y="{y + 12}" text-anchor="end">{name}</text>'
            f'<rect x="330" y="{y}" width="{width:.1f}" height="16" fill="{colour}"/>'
            f'<text x="{336 + width:.1f}" y="{y + 12}">{cpu:.2f} s</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="820" height="{22 * len(bars) + 16}"'
        ' font-family="sans-serif" font-size="12"><title>CPU time by work, seconds</title>'
        + "".join(rows)
        + "</svg>\n"
    )


def versions() -> str:
    ours = (
        "import duckdb, sys;"
        " print('Python', sys.version.split()[0], '· DuckDB', duckdb.__version__)"
    )
    theirs = (
        "from importlib.metadata import version as v; print(' · '.join(f'{n} {v(n)}' for n in"
        " ('ChannelAttribution', 'marketing_attribution_models', 'polars', 'pandas')))"
    )
    said = [
        subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
        for python, code in ((sys.executable, ours), (str(PEERS), theirs))
    ]
    return " · ".join(line.strip() for line in said)


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [100_000, 1_000_000]
    pages = {}
    for size in sizes:
        data = worlds.make(FOLDER, size)
        pages[size] = medians(data)
    largest = pages[sizes[-1]]
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. The same generated journeys for all: a mean of five touchpoints,",
        "ten channels, one in twenty converts. CPU and wall time are of the work alone, medians of",
        "interleaved runs; peak memory is of the whole process. What Apportion does runs through",
        "dbt, with the credits of every model in the scopes all, personalized and of each channel",
        "written; the solvers are the SQL that dbt compiles, with counting. The peers run by API,",
        "on data that is already in memory, and give aggregates.",
        "",
        f"{dt.date.today()}, {platform.machine()}, {os.cpu_count()} cores, {THREADS} threads,"
        f" {RUNS} runs, {versions()}.",
        "",
    ]
    for size, results in pages.items():
        lines += [f"## {size:,} journeys", "", *table(results), "", *ratios(results), ""]
    if len(sizes) > 1:
        lines += ["## Growth", "", "| work | " + " | ".join(f"{s:,}" for s in sizes) + " |"]
        lines += ["|---|" + "---:|" * len(sizes)]
        for name in WORK:
            shown = [pages[s][name] for s in sizes]
            cells = ["-" if isinstance(r, str) else f"{r['cpu']:.2f}" for r in shown]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += ["![CPU time by work](images/benchmarks.svg)", ""]
    PLOT.write_text(plot(largest), encoding="utf-8")
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
