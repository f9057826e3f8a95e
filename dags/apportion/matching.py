"""CRM records without a key in common that are probably one person's, found by splink.

What is found goes into the landing folder, data set `identity_matches`: with it a match is data
like any other, is there after a rebuild, and is undone by taking the file away, or for good by
`apportion identity split`. Optional: var `identity_matching`.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from apportion import suites, warehouse
from apportion.errors import ApportionError
from apportion.settings import Settings

if TYPE_CHECKING:
    from apportion.night import Night

MATCHES = "identity_matches"
# With fewer CRM records, or of a column fewer values, there is nothing to learn from.
FEWEST_CONTACTS = 100
FEWEST_VALUES = 50
# Below this probability a pair is not even told.
TOLD_FROM = 0.5
# Pairs of records looked at, to learn how often two people agree by chance; the seed fixes which.
RANDOM_PAIRS, SEED = 1_000_000, 7
# Pairs are compared that agree in all of one of these. Those of the first two teach what the other
# columns tell: of what pairs agree in anyway, nothing can be learned.
TEACHING = (("first_name", "last_name"), ("birth_date",), ("last_name", "postal_code"))
BLOCKS = (*TEACHING, ("phone",), ("email",))
# Who agrees in all of one of these is nearly always one person: so they tell how many pairs there
# are, of which they find about so large a share.
SURE = (("first_name", "last_name", "birth_date"), ("phone",), ("email",))
SURE_SHARE = 0.7

# The latest of each CRM record, with whom it belongs to by keys alone; names without case and
# accents, a phone by its last nine digits.
_CONTACTS = """
with latest as (
    select *
    from staging.stg_landing__contacts
    where trim(contact_id) <> ''
    qualify row_number() over (
        partition by trim(contact_id)
        order by coalesce(updated_at, created_at) desc nulls last, file_seq desc, row_number desc
    ) = 1
)

select
    trim(latest.contact_id) as contact_id,
    identifiers.user_key,
    nullif(lower(strip_accents(trim(latest.first_name))), '') as first_name,
    nullif(lower(strip_accents(trim(latest.last_name))), '') as last_name,
    try_cast(latest.birth_date as date) as birth_date,
    nullif(lower(replace(latest.postal_code, ' ', '')), '') as postal_code,
    nullif(lower(strip_accents(trim(latest.city))), '') as city,
    nullif(lower(trim(latest.email)), '') as email,
    nullif(right(regexp_replace(latest.phone, '[^0-9]', '', 'g'), 9), '') as phone
from latest
inner join intermediate.int_identity__identifiers as identifiers
    on
        identifiers.identifier_type = 'contact_id'
        and identifiers.identifier_value = trim(latest.contact_id)
order by latest.contact_id
"""
_TOLD = "select first_contact_id, second_contact_id from staging.stg_landing__identity_matches"


@dataclass(frozen=True)
class Match:
    """Two CRM records that are probably one person's: their ids and the probability, 0 to 1."""

    first: str
    second: str
    probability: float


def match(night: Night) -> str:
    """The step of the weekly training: find matches and land them, where that is wanted.

    Returns:
        One line for people.
    """
    if not suites.variables(night.settings)["identity_matching"]:
        return "CRM records are not matched: var identity_matching is off"
    return land(night.settings, find(night.settings))


def find(settings: Settings) -> list[Match]:
    """The pairs of CRM records of two people that are probably one, the most probable first.

    A pair that was landed before is not found again, so that a veto stays the last word.

    How much an agreement tells is learned from the records themselves: the Fellegi-Sunter model,
    fitted by expectation maximisation (Linacre et al. 2022, splink).

    Raises:
        WarehouseBusy: a night is running.
        ApportionError: there is no warehouse, or too little to learn from.
    """
    if not settings.warehouse.exists():
        raise ApportionError(f"there is no warehouse at {settings.warehouse}", "apportion run")
    with warehouse.connect(settings.warehouse, read_only=True) as connection:
        contacts = connection.execute(_CONTACTS).to_arrow_table()
        told = set(connection.execute(_TOLD).fetchall())
    if contacts.num_rows < FEWEST_CONTACTS:
        raise ApportionError(
            f"{contacts.num_rows} CRM records are too few to match, {FEWEST_CONTACTS} are needed",
            "wait for more contacts, or set var identity_matching to false",
        )
    known = {
        name
        for name in contacts.column_names
        if contacts.num_rows - contacts[name].null_count >= FEWEST_VALUES
    }
    blocks = [block for block in BLOCKS if known.issuperset(block)]
    if not known.issuperset(("first_name", "last_name", "birth_date")):
        raise ApportionError(
            "CRM records cannot be matched: they need first_name, last_name and birth_date",
            "add the columns to the data set contacts, or set var identity_matching to false",
        )
    with warehouse.connect(":memory:", beside=settings.warehouse) as memory:
        memory.register("landed", contacts)
        memory.execute("create table contacts as select * from landed")
        found = _matched(memory, known, blocks)
    return [pair for pair in found if (pair.first, pair.second) not in told]


def land(settings: Settings, matches: list[Match]) -> str:
    """Write matches into the landing folder; the next night takes them in.

    Returns:
        One line for people.
    """
    least = suites.variables(settings)["identity_match_probability"]
    sure = sum(found.probability >= least for found in matches)
    said = f"{len(matches)} pairs of CRM records, {sure} of them with a probability from {least} on"
    if not matches:
        return f"{said}: nothing to land"
    now = dt.datetime.now(dt.UTC)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("first_contact_id", "second_contact_id", "probability", "matched_at"))
    for found in matches:
        at = now.isoformat(timespec="seconds")
        writer.writerow((found.first, found.second, f"{found.probability:.6f}", at))
    folder = settings.landing / MATCHES
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{now:%Y%m%dT%H%M%S%f}.csv"
    partial = file.with_suffix(".partial")
    partial.write_text(text.getvalue(), encoding="utf-8")
    partial.replace(file)
    return f"{said}, for the next night: {file}"


def _matched(
    connection: duckdb.DuckDBPyConnection, known: set[str], blocks: list[tuple[str, ...]]
) -> list[Match]:
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    from splink import comparison_library as compare

    logging.getLogger("splink").setLevel(logging.ERROR)
    comparisons = {
        "first_name": compare.JaroWinklerAtThresholds("first_name", [0.92, 0.8]),
        "last_name": compare.JaroWinklerAtThresholds("last_name", [0.92, 0.8]),
        "birth_date": compare.DateOfBirthComparison("birth_date", input_is_string=False),
        "postal_code": compare.DamerauLevenshteinAtThresholds("postal_code", 1),
        "city": compare.ExactMatch("city"),
        "email": compare.DamerauLevenshteinAtThresholds("email", 1),
        "phone": compare.DamerauLevenshteinAtThresholds("phone", 1),
    }
    api = DuckDBAPI(connection)
    linker = Linker(
        api.register("contacts"),
        SettingsCreator(
            link_type="dedupe_only",
            unique_id_column_name="contact_id",
            comparisons=[comparison for name, comparison in comparisons.items() if name in known],
            blocking_rules_to_generate_predictions=[block_on(*block) for block in blocks],
            additional_columns_to_retain=["user_key"],
        ),
        log_level=logging.ERROR,
    )
    linker.training.estimate_probability_two_random_records_match(
        [block_on(*block) for block in SURE if known.issuperset(block)], recall=SURE_SHARE
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=SEED)
    for block in [block for block in TEACHING if block in blocks][:2]:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*block))
    pairs = linker.inference.predict(threshold_match_probability=TOLD_FROM)
    rows = connection.execute(
        f"""
        select
            least(contact_id_l, contact_id_r) as first,
            greatest(contact_id_l, contact_id_r) as second,
            max(match_probability) as probability
        from {pairs.physical_name}
        where user_key_l <> user_key_r
        group by all
        order by probability desc, first, second
        """
    ).fetchall()
    return [Match(*row) for row in rows]
