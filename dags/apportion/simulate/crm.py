"""What is known of people: contacts, surveys, consents, arms of experiments, requests."""

from __future__ import annotations

import datetime as dt

import numpy as np

from apportion.simulate.draws import scramble
from apportion.simulate.history import History
from apportion.simulate.people import NEVER, PURPOSES
from apportion.simulate.sheets import Sheet, moments, sheet, week
from apportion.simulate.shop import CATEGORIES, DAY, EXPERIMENTS, PLACES, SEGMENTS

_LANGUAGES = {"US": "en", "DE": "de", "FR": "fr", "NL": "nl"}
_AGES = ((0, "Under 18"), (18, "18-24"), (25, "25-34"), (35, "35-44"), (45, "45-54"), (55, "55-64"),
         (65, "65+"))  # fmt: skip
_INCOMES = ((0, "Under 15K"), (15, "15-24K"), (25, "25-34K"), (35, "35-49K"), (50, "50-74K"),
            (75, "75-99K"), (100, "100-124K"), (125, "125K+"))  # fmt: skip
_EDUCATIONS = ("secondary", "vocational", "bachelor", "master")
_VALUES = {
    "bargain_hunters": "price",
    "trend_followers": "novelty",
    "loyalists": "quality",
    "browsers": "inspiration",
    "gift_givers": "service",
}
_REQUESTS = ("access", "opt_out_of_sale", "erase")


def misspelt(email: str, way: int) -> str:
    """An address with one mistake of typing: letters swapped, one missing or one doubled."""
    name, _, domain = email.partition("@")
    place = 1 + way % max(len(name) - 2, 1)
    if way % 3 == 0:
        name = name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    elif way % 3 == 1:
        name = name[:place] + name[place + 1 :]
    else:
        name = name[:place] + name[place] + name[place:]
    return f"{name}@{domain}"


def contact_id(person: int) -> str:
    """Id of a person's CRM record."""
    return f"C{2_000_000 + person}"


def contacts(history: History) -> tuple[Sheet, dict[int, str], set[int]]:
    """CRM records of everybody whose address is known, exported weekly; some are updated later.

    Returns:
        the sheet; the misspelt address of each person who has one; whose records have a user_id.
    """
    people, calendar = history.people, history.calendar
    draw = history.draws.stream("crm")
    person = np.flatnonzero(history.known_since < NEVER)
    created = history.known_since[person]
    before = -(draw.random(len(person)) * 700 * DAY).astype(np.int64) - 1
    created = np.where(created < 0, before, created)
    is_updated = draw.random(len(person)) < 0.12
    updated = np.maximum(created, 0)
    updated = updated + (draw.random(len(person)) * (history.end - updated)).astype(np.int64)
    typo = draw.random(len(person)) < 0.03
    loud = draw.random(len(person)) < 0.06
    without_user = draw.random(len(person)) < 0.15
    name_typo = draw.random(len(person)) < 0.03
    style = draw.integers(0, 4, len(person))
    way = draw.integers(0, 1000, len(person))
    says_age = draw.random(len(person)) < 0.8
    says_income = draw.random(len(person)) < 0.6
    size = draw.integers(1, 7, len(person))
    education = draw.integers(0, len(_EDUCATIONS), len(person))

    rows = np.concatenate([np.arange(len(person)), np.flatnonzero(is_updated)])
    is_update = np.arange(len(rows)) >= len(person)
    told_at = np.where(is_update, updated[rows], np.maximum(created[rows], 0))
    has_user = (history.account_since[person] < NEVER) & ~without_user
    records: list[dict[str, object]] = []
    for row, update in zip(rows.tolist(), is_update.tolist(), strict=True):
        who = int(person[row])
        place = PLACES[people.place[who]]
        email, last_name = people.email(who), people.last_name(who)
        email = misspelt(email, int(way[row])) if typo[row] else email
        age, income = int(people.age[who]), int(people.income[who])
        born = calendar.start - dt.timedelta(age * 365 + (who * 37) % 365)
        records.append(
            {
                "contact_id": contact_id(who),
                "email": f" {email.upper()}" if loud[row] else email,
                "phone": _written(people.phone(who), int(style[row]))
                if people.has_phone[who]
                else None,
                "user_id": people.user_id(who) if has_user[row] else None,
                "first_name": people.first_name(who),
                "last_name": last_name[:-1] if name_typo[row] else last_name,
                "birth_date": born.isoformat() if says_age[row] else None,
                "age_band": _band(_AGES, age) if says_age[row] else None,
                "gender": "female" if people.is_female[who] else "male",
                "country": place.country,
                "region": place.region,
                "city": place.city,
                "postal_code": f"{place.postal}{who % 90 + 10}",
                "income_band": _band(_INCOMES, income // 1000) if says_income[row] else None,
                "education": _EDUCATIONS[education[row]],
                "household_size": str(size[row]) if size[row] < 5 else "5+",
                "language": _LANGUAGES[place.country],
                "lifecycle_stage": "customer" if update else "lead",
            }
        )
    columns: dict[str, object] = {
        name: [record[name] for record in records]
        for name in (records[0] if records else {"contact_id": None})
    }
    columns["created_at"] = moments(calendar.start, created[rows])
    columns["updated_at"] = moments(calendar.start, np.where(is_update, told_at, created[rows]))
    day = week(told_at // DAY, calendar.days)
    wrong = {
        int(person[row]): misspelt(people.email(int(person[row])), int(way[row]))
        for row in np.flatnonzero(typo)
    }
    members = set(person[has_user].tolist())
    return sheet("contacts", "csv", day, columns, told_at), wrong, members


def _written(digits: str, style: int) -> str:
    """A telephone number as people write it."""
    return (
        f"+{digits}",
        digits,
        f"+{digits[:2]} {digits[2:5]} {digits[5:]}",
        f"+{digits[:1]}-{digits[1:4]}-{digits[4:7]}-{digits[7:]}",
    )[style]


def _band(bands: tuple[tuple[int, str], ...], value: int) -> str:
    return [name for floor, name in bands if value >= floor][-1]


def profile_attributes(history: History) -> Sheet:
    """Answers to surveys and what intent networks sell, exported weekly."""
    people, calendar = history.people, history.calendar
    draw = history.draws.stream("surveys")
    found: list[tuple[int, int, str, str, str, str]] = []
    member = np.flatnonzero(history.account_since < NEVER)
    asked = member[draw.random(len(member)) < 0.3]
    when = np.maximum(history.account_since[asked], 0)
    when = when + (draw.random(len(asked)) * (history.end - when)).astype(np.int64)
    for person, time in zip(asked.tolist(), when.tolist(), strict=True):
        segment = SEGMENTS[people.segment[person]]
        best = CATEGORIES[int(np.argmax(segment.tastes))]
        found.append((person, time, "interest", best, "psychographic", "survey"))
        found.append((person, time, "values", _VALUES[segment.name], "psychographic", "survey"))
        home = "owner" if people.income[person] > 60_000 else "renter"
        found.append((person, time, "home", home, "demographic", "survey"))
    person, day = np.nonzero(history.wanting >= 0)
    is_seen = (draw.random(len(person)) < 0.02) & (history.known_since[person] < day * DAY)
    for who, when_day in zip(person[is_seen].tolist(), day[is_seen].tolist(), strict=True):
        category = CATEGORIES[history.wanting[who, when_day]]
        time = when_day * DAY + DAY // 2
        found.append((who, time, "in_market", category, "intent", "intent network"))
    who = np.array([item[0] for item in found], np.int64)
    time = np.array([item[1] for item in found], np.int64)
    has_account = history.account_since[who] <= time
    start = np.datetime64(calendar.start, "us")
    return sheet(
        "profile_attributes",
        "parquet",
        week(time // DAY, calendar.days),
        {
            "user_id": [
                people.user_id(item[0]) if known else None
                for item, known in zip(found, has_account.tolist(), strict=True)
            ],
            "email": [
                None if known else people.email(item[0])
                for item, known in zip(found, has_account.tolist(), strict=True)
            ],
            "attribute": [item[2] for item in found],
            "value": [item[3] for item in found],
            "kind": [item[4] for item in found],
            "source": [item[5] for item in found],
            "observed_at": start + time.astype("timedelta64[ms]").astype("timedelta64[us]"),
        },
        time,
    )


def consents(history: History) -> Sheet:
    """Answers when first met, for every purpose, and withdrawals; exported weekly."""
    people, calendar = history.people, history.calendar
    person = np.flatnonzero(history.met_at < NEVER)
    who = np.repeat(person, len(PURPOSES))
    purpose = np.tile(np.arange(len(PURPOSES)), len(person))
    answered = people.is_granted[who, purpose]
    gone = people.withdraws_at[who, purpose]
    late = np.flatnonzero(answered & (gone < history.end))
    number = np.concatenate([np.arange(len(who)), late])
    is_gone = np.arange(len(number)) >= len(who)
    who, purpose = who[number], purpose[number]
    time = np.where(is_gone, gone[number], history.met_at[who])
    has_account = history.account_since[who] < time
    # Half of those who have an account withdraw by a link in an e-mail.
    by_email = is_gone & has_account & (who % 2 == 0)
    anonymous = history.met_anonymous[who]
    texts = people.anonymous_id_text(np.maximum(anonymous, 0))
    granted = answered[number] & ~is_gone
    rows = range(len(number))
    return sheet(
        "consents",
        "jsonl",
        week(time // DAY, calendar.days),
        {
            "user_id": [
                people.user_id(int(who[row])) if has_account[row] and not by_email[row] else None
                for row in rows
            ],
            "email": [people.email(int(who[row])) if by_email[row] else None for row in rows],
            "anonymous_id": [
                texts[row]
                if anonymous[row] >= 0 and not (is_gone[row] and has_account[row])
                else None
                for row in rows
            ],
            "purpose": [PURPOSES[number] for number in purpose.tolist()],
            "is_granted": granted.tolist(),
            "changed_at": moments(calendar.start, time),
            "jurisdiction": [PLACES[number].jurisdiction for number in people.place[who].tolist()],
        },
        time,
    )


def experiment_assignments(history: History) -> Sheet:
    """Which arm each person is in, from when they are first met; exported weekly."""
    people, calendar = history.people, history.calendar
    person = np.flatnonzero(history.met_at < NEVER)
    names = list(EXPERIMENTS)
    who = np.repeat(person, len(names))
    number = np.tile(np.arange(len(names)), len(person))
    time = history.met_at[who]
    has_account = history.account_since[who] < time
    texts = people.anonymous_id_text(np.maximum(history.met_anonymous[who], 0))
    is_control = people.is_held_out[who, number]
    start = np.datetime64(calendar.start, "us")
    return sheet(
        "experiment_assignments",
        "parquet",
        week(time // DAY, calendar.days),
        {
            "experiment_id": [names[row] for row in number.tolist()],
            "variant_id": [
                "control" if control else "treatment" for control in is_control.tolist()
            ],
            "user_id": [
                people.user_id(one) if known else None
                for one, known in zip(who.tolist(), has_account.tolist(), strict=True)
            ],
            "anonymous_id": [
                None if known else text
                for text, known in zip(texts, has_account.tolist(), strict=True)
            ],
            "assigned_at": start + time.astype("timedelta64[ms]").astype("timedelta64[us]"),
            "is_control": is_control,
        },
        time,
    )


def privacy_requests(history: History) -> Sheet:
    """A few people ask to see what is known of them, not to be sold, or to be forgotten."""
    people, calendar = history.people, history.calendar
    draw = history.draws.stream("privacy")
    count = len(_REQUESTS) * max(2, len(people) // 1000)
    time = (history.end * (0.5 + 0.45 * draw.random(count))).astype(np.int64)
    # Three in four have an account; the fourth is known by the first visit alone.
    member = np.flatnonzero((history.account_since < history.end // 2) & people.has_phone)
    visitor = np.flatnonzero((history.account_since >= NEVER) & (history.met_at < history.end // 2))
    pools = [
        pool[np.argsort(scramble(history.draws.key("privacy", 1), pool))]
        for pool in (member, visitor)
    ]
    asked = [
        (number, number % 4, int(pool[number]))
        for number in range(count)
        if number < len(pool := pools[number % 4 == 3])
    ]
    time = time[[number for number, _, _ in asked]]
    anonymous = people.anonymous_id_text(
        np.array([history.met_anonymous[person] for _, _, person in asked], np.int64)
    )
    return sheet(
        "privacy_requests",
        "json",
        time // DAY,
        {
            "request_id": [f"Q{3_000_000 + number}" for number, _, _ in asked],
            "requested_at": moments(calendar.start, time),
            "kind": [_REQUESTS[number % len(_REQUESTS)] for number, _, _ in asked],
            "user_id": [people.user_id(who) if by == 0 else None for _, by, who in asked],
            "anonymous_id": [
                text if by == 3 else None for (_, by, _), text in zip(asked, anonymous, strict=True)
            ],
            "email": [people.email(who) if by == 1 else None for _, by, who in asked],
            "phone": [f"+{people.phone(who)}" if by == 2 else None for _, by, who in asked],
        },
        time,
    )
