"""SQL expressions that turn a value as it was delivered into the type of its column, or null."""

from __future__ import annotations

from apportion.datasets import Column

_FAMILIES = {
    "VARCHAR": "text",
    "JSON": "nested",
    "ENUM": "text",
    "TINYINT": "integer",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "HUGEINT": "integer",
    "UTINYINT": "integer",
    "USMALLINT": "integer",
    "UINTEGER": "integer",
    "UBIGINT": "integer",
    "UHUGEINT": "integer",
    "FLOAT": "float",
    "DOUBLE": "float",
    "DECIMAL": "decimal",
    "DATE": "date",
    "TIMESTAMP": "moment",
    "TIMESTAMP_S": "moment",
    "TIMESTAMP_MS": "moment",
    "TIMESTAMP_NS": "moment",
    "TIMESTAMP WITH TIME ZONE": "zoned",
    "BOOLEAN": "flag",
    "STRUCT": "nested",
    "MAP": "nested",
    "UNION": "nested",
}

# Epochs are told apart by magnitude. Up to 3e11 seconds reaches past the year 9999, so that this
# common "never" is not taken for a day of 1977 in milliseconds. A date may be a birth date, and
# those lie before 1979 more often than in the year 9999.
_LATEST_SECOND = "300000000000"
_LATEST_SECOND_OF_A_DATE = "100000000000"


def family(sql_type: str) -> str:
    """What a DuckDB type is to us.

    One of text, integer, float, decimal, date, moment, zoned, flag, nested, other.
    """
    if sql_type.endswith("]"):
        return "nested"
    return _FAMILIES.get(sql_type.split("(")[0], "other")


def present(value: str, source: str) -> str:
    """The delivered value, or null where it is missing: an empty text is a missing one."""
    return f"nullif({value}, '')" if source == "text" else value


def _epoch(value: str, limit: str) -> str:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by magnitude.

    Below `limit` seconds, below a thousand times that milliseconds, and so on.
    """
    number = f"try_cast({value} as decimal(38,6))"
    return (
        f"case when abs({number}) < {limit}"
        f" then make_timestamp(cast(round({number} * 1000000) as bigint))"
        f" when abs({number}) < {limit}000"
        f" then make_timestamp(cast(round({number} * 1000) as bigint))"
        f" when abs({number}) < {limit}000000"
        f" then make_timestamp(cast(round({number}) as bigint))"
        f" when abs({number}) < {limit}000000000"
        f" then make_timestamp(cast(round({number} / 1000) as bigint)) end"
    )


def _moment(value: str, source: str, limit: str = _LATEST_SECOND) -> str:
    if source in ("moment", "date"):
        return f"try_cast({value} as timestamp)"
    if source == "zoned":
        return f"({value} at time zone 'UTC')"
    if source in ("integer", "decimal", "float"):
        day = f"cast(try_cast({value} as bigint) as varchar)"
    elif source in ("text", "other"):
        value = f"trim(cast({value} as varchar))"
        day = value
    else:
        return "cast(null as timestamp)"
    compact = f"try_strptime({day}, '%Y%m%d')"
    # Eight digits are a day (ISO 8601, basic form) where the calendar has it; others are epochs.
    numeric = (
        f"case when length({day}) = 8 and {compact} >= timestamp '1900-01-01'"
        f" and {compact} < timestamp '2100-01-01' then {compact} else {_epoch(value, limit)} end"
    )
    if source in ("integer", "decimal", "float"):
        return numeric
    basic = (
        rf"regexp_replace({value}, '^(\d{{4}})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)',"
        r" '\1-\2-\3T\4:\5:\6')"
    )
    # Some write a space before the offset.
    closed_up = f"replace(replace({value}, ' +', '+'), ' -', '-')"
    return (
        rf"case when regexp_matches({value}, '^\d{{4}}-\d')"
        f" then coalesce(try_cast({value} as timestamptz), try_cast({closed_up} as timestamptz))"
        " at time zone 'UTC'"
        rf" when regexp_full_match({value}, '-?\d+(\.\d*)?([eE][+]?\d+)?') then {numeric}"
        rf" when regexp_matches({value}, '^\d{{8}}T\d{{6}}')"
        f" then try_cast({basic} as timestamptz) at time zone 'UTC' end"
    )


def _whole(value: str) -> str:
    number = f"try_cast({value} as decimal(38,6))"
    return f"case when {number} = trunc({number}) then try_cast({number} as bigint) end"


def cast(column: Column, value: str, source: str) -> str:
    """SQL of the typed value of a column; null where the value is missing or cannot be read.

    Args:
        column: the column of the contract.
        value: SQL of the delivered value.
        source: its family, see `family`.
    """
    text = f"trim(cast({value} as varchar))"
    numeric = source in ("integer", "decimal", "float")
    if column.kind == "text":
        if source == "text":
            return f"cast({value} as varchar)"
        if source == "nested":
            return f"cast(to_json({value}) as varchar)"
        if source == "float":
            # 123.0 is the whole number 123 that passed through a tool without nullable integers.
            return (
                f"case when isfinite({value}) then case when {value} = trunc({value})"
                f" and abs({value}) < 1e15 then cast(cast({value} as bigint) as varchar)"
                f" else cast({value} as varchar) end end"
            )
        return f"cast({value} as varchar)"
    if column.kind == "moment":
        return _moment(value, source)
    if column.kind == "date":
        return f"cast({_moment(value, source, _LATEST_SECOND_OF_A_DATE)} as date)"
    if column.kind in ("money", "rate"):
        if numeric:
            return f"try_cast({value} as {column.sql_type})"
        return (
            f"try_cast({text} as {column.sql_type})"
            if source in ("text", "other")
            else (f"cast(null as {column.sql_type})")
        )
    if column.kind == "number":
        if not numeric and source not in ("text", "other"):
            return "cast(null as double)"
        number = f"try_cast({value if numeric else text} as double)"
        return f"case when isfinite({number}) then {number} end"
    if column.kind == "integer":
        if not numeric and source not in ("text", "other"):
            return "cast(null as bigint)"
        return _whole(value if numeric else text)
    if column.kind == "flag":
        if source == "flag":
            return value
        return (
            f"case when lower({text}) in ('true', 't', 'yes', 'y', '1', '1.0') then true"
            f" when lower({text}) in ('false', 'f', 'no', 'n', '0', '0.0') then false end"
        )
    if source == "text":
        return f"case when json_valid({value}) then cast({value} as json) end"
    return f"to_json({value})"
