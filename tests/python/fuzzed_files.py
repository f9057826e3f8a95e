"""Files that somebody could land by mistake or malice, each made from a seed.

Each record carries a mark of its own (`mark7f3a09c2k`), so that one that is lost on the way is seen
by its mark.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow
import pyarrow.parquet

MARK = re.compile(rb"mark[0-9a-f]{8}k")
INJECTIONS = (
    "'); drop table raw.orders; --",
    "x'; copy (select 1) to 'pwned'; --",
    '"; drop schema raw cascade; --',
    "'||(select inner_pad from raw._pii_key)||'",
    "$$; attach 'pwned' as p; $$",
    "{{ env_var('HOME') }}{% do run_query('drop table raw.orders') %}",
    "=cmd|' /C calc'!A0",
    "@SUM(1+9)*cmd",
    "+1;-1",
    "`touch pwned`$(touch pwned)",
    "\\'; drop table raw.orders; --",
    "%s%n{0}${path}:1?*[a-z]",
    "<script>alert(1)</script>",
    "\u202etxt.exe\u0000"[:-1],
    "ﬁ𝔘𝕟ї©ode 👩‍👩‍👧",
)
NAMES = (
    "a b", "it's", 'quo"te', "st*r?", "[a-z]", "ünï", "$(touch pwned)", "; drop table raw.orders",
    "new\nline", "per%cent", "back\\slash", "-rf", "comma,name", "{{ x }}", "a.b.c", "'''", "day=1",
)  # fmt: skip
DATES = (
    "2024-03-01T10:00:00Z", "2024-03-01", "01/03/2024", "1.3.2024", "Mar 1, 2024", "1709287200",
    "1709287200123", "20240301T100000Z", "2024-03-01 10:00:00 +0100", "31/12/99", "9999-12-31",
)  # fmt: skip
AMOUNTS = (
    "1", "12.50", "1,234.56", "1.234,56", "1 234,56", "1'234.56", "$5", "5 EUR", "1e3", "-0", "NaN",
    "inf", "(5.00)", "٣", "", "0x10", "99999999999999999999",
)  # fmt: skip
HEADER = ("order_id", "ordered_at", "revenue", "user_id", "email", "note")


@dataclass(frozen=True)
class Fuzzed:
    """One file: its name within the landing folder, and its bytes."""

    name: str
    content: bytes


def fuzzed(seed: int) -> Fuzzed:
    """The file of a seed."""
    draws = random.Random(seed)
    kind = draws.choice(("csv", "csv", "csv", "tsv", "jsonl", "jsonl", "ndjson", "json", "parquet"))
    content = MAKERS[kind](draws)
    for mutate in draws.choices(MUTATIONS, k=draws.choice((0, 1, 1, 1, 2, 3))):
        content = mutate(draws, content)
    ending = kind
    packing = draws.random()
    if packing < 0.1:
        content, ending = gzip.compress(content, 1, mtime=0), f"{kind}.gz"
    elif packing < 0.2:
        content, ending = pyarrow.compress(content, "zstd", asbytes=True), f"{kind}.zst"
    if packing < 0.2 and draws.random() < 0.1:
        content = truncated(draws, content)
    if draws.random() < 0.02:
        ending = draws.choice(("csv", "json", "jsonl", "parquet", "csv.gz", "json.zst"))
    stem = draws.choice(NAMES) if draws.random() < 0.3 else "plain"
    return Fuzzed(f"orders/{stem} {seed}.{ending}", content)


def _records(draws: random.Random) -> list[dict[str, str]]:
    records = []
    for _ in range(draws.choice((1, 3, 10, 40))):
        odd = draws.random() < 0.15
        records.append(
            {
                "order_id": f"mark{draws.randrange(16**8):08x}k",
                "ordered_at": draws.choice(DATES) if odd else "2024-03-01",
                "revenue": draws.choice(AMOUNTS) if odd else "12.5",
                "user_id": draws.choice(INJECTIONS) if draws.random() < 0.3 else "u",
                "email": draws.choice(("", "ann@example.org", *INJECTIONS)),
                "note": draws.choice(("", "two\nlines", 'a "quote"', "a,b;c\td|e", *INJECTIONS)),
            }
        )
    return records


def _names(draws: random.Random) -> list[str]:
    names = list(HEADER)
    if draws.random() < 0.15:
        names[draws.randrange(6)] = names[draws.randrange(6)]
    if draws.random() < 0.15:
        names[draws.randrange(6)] = draws.choice((*INJECTIONS, "", " ", "x" * 5000))
    return names


def _csv(draws: random.Random, delimiters: str = ",,,;\t|") -> bytes:
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=draws.choice(delimiters),
        quoting=draws.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
        lineterminator=draws.choice(("\n", "\n", "\r\n")),
    )
    writer.writerow(_names(draws))
    writer.writerows(list(record.values()) for record in _records(draws))
    return text.getvalue().encode()


def _objects(draws: random.Random) -> list[dict[str, object]]:
    names = _names(draws)
    made = []
    for record in _records(draws):
        values: dict[str, object] = dict(zip(names, record.values(), strict=True))
        if draws.random() < 0.1:
            values["nested"] = {"a": [1, {"b": draws.choice(INJECTIONS)}]}
        if draws.random() < 0.1:
            values["number"] = draws.choice((1, 1e300, 12345678901234567890, None, True, -0.0))
        made.append(values)
    return made


def _json_lines(draws: random.Random) -> bytes:
    is_ascii = draws.random() < 0.5
    lines = [json.dumps(one, ensure_ascii=is_ascii) for one in _objects(draws)]
    return ("\n".join(lines) + draws.choice(("\n", ""))).encode()


def _json_array(draws: random.Random) -> bytes:
    return json.dumps(_objects(draws), indent=draws.choice((None, 1))).encode()


def _parquet(draws: random.Random) -> bytes:
    records = _records(draws)
    sink = pyarrow.BufferOutputStream()
    columns = {}
    for name, key in zip(_names(draws), HEADER, strict=True):
        if name not in columns:
            columns[name] = [record[key] for record in records]
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    return sink.getvalue().to_pybytes()


MAKERS: dict[str, Callable[[random.Random], bytes]] = {
    "csv": _csv,
    "tsv": lambda draws: _csv(draws, "\t"),
    "jsonl": _json_lines,
    "ndjson": _json_lines,
    "json": _json_array,
    "parquet": _parquet,
}


def truncated(draws: random.Random, content: bytes) -> bytes:
    """Break off anywhere."""
    return content[: draws.randrange(len(content) + 1)]


def reencoded(draws: random.Random, content: bytes) -> bytes:
    """Another encoding than UTF-8."""
    text = content.decode("utf-8", "replace")
    return text.encode(
        draws.choice(("utf-16", "utf-16-le", "latin-1", "cp1252", "utf-32")), "replace"
    )


def marked(draws: random.Random, content: bytes) -> bytes:
    """A byte order mark."""
    return b"\xef\xbb\xbf" + content


def holed(draws: random.Random, content: bytes) -> bytes:
    """NUL bytes."""
    return _inserted(draws, content, b"\0" * draws.choice((1, 3, 2000)))


def flipped(draws: random.Random, content: bytes) -> bytes:
    """Bytes that are others."""
    flipped = bytearray(content)
    for _ in range(draws.choice((1, 2, 20)) if content else 0):
        flipped[draws.randrange(len(flipped))] = draws.randrange(256)
    return bytes(flipped)


def stretched(draws: random.Random, content: bytes) -> bytes:
    """A very long line, 10 MB at most and rarely."""
    size = 10_000_000 if draws.random() < 0.1 else 300_000
    return _inserted(draws, content, draws.choice((b"x", b",", b'"', b"[", b" ", b'{"a":')) * size)


def nested(draws: random.Random, content: bytes) -> bytes:
    """JSON within JSON within JSON."""
    depth = draws.choice((50, 600, 1500, 100_000))
    pair = draws.choice(((b"[", b"]"), (b'{"a":', b"}")))
    value = pair[0] * depth + b"1" + pair[1] * depth
    line = b'{"order_id":"deep","ordered_at":"2024-03-01","revenue":1,"note":' + value + b"}"
    return draws.choice((content + b"\n" + line + b"\n", line + b"\n" + content, line))


def unbalanced(draws: random.Random, content: bytes) -> bytes:
    """Quotes that nothing closes."""
    for _ in range(draws.choice((1, 2, 5))):
        content = _inserted(draws, content, b'"')
    return content


def spaced(draws: random.Random, content: bytes) -> bytes:
    """Blank lines, lone carriage returns and other white space."""
    for _ in range(draws.choice((1, 4))):
        content = _inserted(
            draws, content, draws.choice((b"\n", b"\n\n", b"\r", b"\r\n", b" ", b"\t"))
        )
    return content


def ragged(draws: random.Random, content: bytes) -> bytes:
    """Lines of another number of values."""
    lines = content.split(b"\n")
    lines[draws.randrange(len(lines))] += draws.choice((b",", b",more", b'"', b"}", b";;"))
    return b"\n".join(lines)


def shuffled(draws: random.Random, content: bytes) -> bytes:
    """Lines in another order, or twice: the header too."""
    lines = content.split(b"\n")
    return b"\n".join(draws.choices(lines, k=len(lines)))


def emptied(draws: random.Random, content: bytes) -> bytes:
    """Nothing, or nearly."""
    return draws.choice((b"", b"\n", b" ", b"\0", b"[]", b"{}", b"null", b'"', b"[", b"order_id"))


def _inserted(draws: random.Random, content: bytes, what: bytes) -> bytes:
    place = draws.randrange(len(content) + 1)
    return content[:place] + what + content[place:]


MUTATIONS = (
    truncated, reencoded, marked, holed, flipped, stretched, nested, unbalanced, spaced, ragged,
    shuffled, emptied,
)  # fmt: skip
