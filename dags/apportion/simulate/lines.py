"""Write events as lines of JSON: pieces of text by number, put together by DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from apportion import warehouse
from apportion.simulate import defects
from apportion.simulate.defects import Landed
from apportion.simulate.draws import scramble
from apportion.simulate.events import NAMES, OWN_ORIGINS, PAGES
from apportion.simulate.history import History, campaign_ids, content_ids
from apportion.simulate.people import BOT_AGENTS, DEVICE_TYPES, USER_AGENTS
from apportion.simulate.shop import (
    CATEGORIES,
    CONTENTS_PER_CAMPAIGN,
    PLACES,
    PRODUCTS_PER_CATEGORY,
    PROGRAMS,
)

SITE = "https://shop.example"
_ROWS_AT_ONCE = 200_000
_TYPE_OF_AGENT = (0, 0, 1, 1, 1, 2)

_LINE = """
    concat(
        '{"event_id":"', event_id, '"', name,
        case when kind = $bad_timestamp
            then ',"occurred_at":"' || strftime(make_timestamp(occurred), '%Y-%m') || '-32 25:61"'
            else ',"occurred_at":"' || cast(make_timestamp(occurred) as varchar) || 'Z"' end,
        ',"received_at":"', cast(make_timestamp(received) as varchar), 'Z"',
        anonymous, user_id, email, phone,
        case when session is not null then ',"session_id":"s' || session || '"' end,
        page, origin,
        case when is_search_click then ',"click_id":"' || event_id || '"' end,
        place, content, product, order_id,
        case when quantity is not null then ',"quantity":' || quantity end,
        case when value is not null then ',"value":'
            || case when kind = $bad_amount then '"' || cast(value as bigint) || ',50 net"'
                else cast(cast(value as decimal(18, 2)) as varchar) end
            || currency end,
        case is_consented when 1 then ',"is_consented":true'
            when 0 then ',"is_consented":false' end,
        case when engagement is not null or scroll is not null then ',"properties":{'
            || concat_ws(',',
                '"engagement_seconds":' || cast(cast(engagement as decimal(9, 1)) as varchar),
                '"scroll_depth":' || scroll) || '}' end,
        '}'
    )
"""


class Writer:
    """Renders the rows of the event files of a history.

    Args:
        history: what happened.
        landed: the rows, in the order of their files.
        order_ids: id of each order that was made.
    """

    def __init__(self, history: History, landed: Landed, order_ids: Sequence[str]):
        self.history = history
        self.landed = landed
        self.origin_time = np.datetime64(history.calendar.start, "us").astype(np.int64)
        people = history.people
        count = range(len(people))
        self.pieces = {
            "name": [_piece(event_name=name) for name in NAMES],
            "anonymous": _devices(history),
            "user_id": [_piece(user_id=people.user_id(person)) for person in count],
            "email": [_piece(email=people.email(person)) for person in count],
            "phone": [_piece(phone=f"+{people.phone(person)}") for person in count],
            "page": [_piece(page_url=SITE + page) for page in PAGES]
            + [_piece(page_url=f"{SITE}/product/{sku}") for sku in product_ids()],
            "origin": _origins(history),
            "place": [
                _piece(
                    country=place.country,
                    region=place.region,
                    city=place.city,
                    timezone=place.timezone,
                )
                for place in PLACES
            ],
            "content": _contents(history),
            "product": [_piece(product_id=sku) for sku in product_ids()],
            "order_id": [_piece(order_id=order_id) for order_id in order_ids],
            "currency": [_piece(currency=place.currency) for place in PLACES],
        }

    def event_ids(self, event: np.ndarray) -> pa.Array:
        """The ids of events, 16 hexadecimal digits."""
        return _hexadecimal(scramble(self.history.draws.key("ids"), event))

    def files(self) -> Iterator[tuple[int, bytes]]:
        """Day and content of every day's file, in order."""
        start = self.landed.file_start
        days = len(start) - 1
        with warehouse.connect(":memory:") as connection:
            connection.execute("set threads = 1")
            first = 0
            while first < days:
                last = first + 1
                while last < days and start[last + 1] - start[first] <= _ROWS_AT_ONCE:
                    last += 1
                rows = slice(start[first], start[last])
                texts = self._render(connection, rows)
                for day in range(first, last):
                    lines = texts.slice(start[day] - start[first], start[day + 1] - start[day])
                    yield day, _bytes(lines)
                first = last

    def _render(self, connection, rows: slice) -> pa.Array:
        """The lines of some rows, each with its line feed."""
        connection.register("landed", self._table(rows))
        column = connection.execute(
            f"select case when kind = $broken then left(line, cast(length(line) * 0.7 as bigint))"
            f" else line end || chr(10) as line from (select kind, {_LINE} as line from landed)",
            {
                "bad_timestamp": defects.BAD_TIMESTAMP,
                "bad_amount": defects.BAD_AMOUNT,
                "broken": defects.BROKEN_JSON,
            },
        ).to_arrow_table()["line"]
        connection.unregister("landed")
        return pa.concat_arrays(
            column.cast(pa.large_string()).chunks or [pa.array([], pa.large_string())]
        )

    def _table(self, rows: slice) -> pa.Table:
        landed = self.landed
        told = self.history.events.take(landed.event[rows])
        kind = landed.kind[rows]
        people = self.history.people
        person = told.person
        place = np.where(person >= 0, people.place[person], -1)
        known = np.where(person >= 0, person, -1)
        # A copy that was sent again says a little more of the engagement.
        engagement = told.engagement.astype(np.float64) + 0.5 * (kind == defects.NEAR_COPY)
        numbers = {
            "name": told.name,
            "anonymous": told.anonymous,
            "user_id": np.where(told.has_user, known, -1),
            "email": np.where(told.has_email, known, -1),
            "phone": np.where(told.has_phone, known, -1),
            "page": told.page,
            "origin": told.origin,
            "place": np.where(told.anonymous >= 0, place, -1),
            "content": told.content,
            "product": told.product,
            "order_id": told.order,
            "currency": place,
        }
        columns = {name: self._text(name, number) for name, number in numbers.items()}
        columns["event_id"] = self.event_ids(landed.event[rows])
        columns["kind"] = pa.array(kind)
        columns["occurred"] = pa.array(landed.occurred[rows] * 1000 + self.origin_time)
        columns["received"] = pa.array(landed.received[rows] * 1000 + self.origin_time)
        for name in ("session", "quantity", "scroll"):
            number = getattr(told, name)
            columns[name] = pa.array(number, mask=number < 0)
        columns["value"] = pa.array(told.value, mask=np.isnan(told.value))
        columns["engagement"] = pa.array(engagement, mask=np.isnan(engagement))
        columns["is_consented"] = pa.array(told.is_consented)
        columns["is_search_click"] = pa.array(told.is_search_click)
        return pa.table(columns)

    def _text(self, name: str, number: np.ndarray) -> pa.Array:
        pieces = self.pieces[name] or [""]
        index = pa.array(number.astype(np.int32), mask=number < 0)
        return pa.DictionaryArray.from_arrays(index, pa.array(pieces, pa.string()))


def product_ids() -> list[str]:
    """Id of every product."""
    return [
        f"{category[:3].upper()}-{number + 1:03d}"
        for category in CATEGORIES
        for number in range(PRODUCTS_PER_CATEGORY)
    ]


def campaign_fields(history: History) -> list[dict[str, object]]:
    """What a message of each campaign says of its campaign, by number."""
    found = []
    for number, campaign in enumerate(campaign_ids(history.calendar)):
        program = PROGRAMS[number // len(history.calendar.months)]
        found.append(
            {
                "channel": program.channel,
                "campaign_id": campaign,
                "tactic": program.tactic,
                "is_personalized": program.is_personalized,
            }
        )
    return found


def _piece(**values: object) -> str:
    """Keys and values of a JSON object, each after a comma."""
    return "".join(
        f",{json.dumps(key)}:{json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
    )


def _devices(history: History) -> list[str]:
    people = history.people
    texts = people.anonymous_id_text(np.arange(len(people.id_device) + history.bots))
    pieces = []
    for number, device in enumerate(people.id_device.tolist()):
        agent = int(people.device_agent[device])
        pieces.append(
            _piece(
                anonymous_id=texts[number],
                device_type=DEVICE_TYPES[_TYPE_OF_AGENT[agent]],
                user_agent=USER_AGENTS[agent],
                ip=f"10.{device >> 16 & 255}.{device >> 8 & 255}.{device & 255}",
            )
        )
    for bot in range(history.bots):
        pieces.append(
            _piece(
                anonymous_id=texts[len(pieces)],
                user_agent=BOT_AGENTS[bot % len(BOT_AGENTS)],
                ip=f"192.0.2.{bot % 256}",
            )
        )
    return pieces


def _origins(history: History) -> list[str]:
    pieces = [_piece(referrer_url=referrer) if referrer else "" for referrer in OWN_ORIGINS]
    campaigns = campaign_ids(history.calendar)
    for number, content in enumerate(content_ids(history.calendar)):
        campaign = number // CONTENTS_PER_CAMPAIGN
        program = PROGRAMS[campaign // len(history.calendar.months)]
        values = {
            "utm_source": program.source,
            "utm_medium": program.medium,
            "utm_campaign": campaigns[campaign],
            "utm_content": content,
        }
        if program.name == "search":
            values = {"referrer_url": OWN_ORIGINS[1], **values, "utm_term": "shoes"}
        pieces.append(_piece(**values))
    return pieces


def _contents(history: History) -> list[str]:
    pieces = []
    fields = campaign_fields(history)
    for number, content in enumerate(content_ids(history.calendar)):
        campaign = number // CONTENTS_PER_CAMPAIGN
        program = PROGRAMS[campaign // len(history.calendar.months)]
        values = {**fields[campaign], "content_id": content}
        if program.events[2] == "ad_impression":
            values["ad_id"] = f"ad-{content}"
        if program.channel in ("email", "on_site"):
            values["template_id"] = f"{program.name}-{content[-1]}"
        if program.experiment:
            values |= {"experiment_id": program.experiment, "variant_id": "treatment"}
        pieces.append(_piece(**values))
    return pieces


def _hexadecimal(bits: np.ndarray) -> pa.Array:
    codes = np.array([f"{byte:02x}" for byte in range(256)], "S2")
    texts = codes[np.ascontiguousarray(bits.astype(">u8")).view(np.uint8)].tobytes()
    offsets = np.arange(0, 16 * (len(bits) + 1), 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(bits), pa.py_buffer(offsets), pa.py_buffer(texts))


def _bytes(lines: pa.Array) -> bytes:
    """The text of consecutive strings, without copying each."""
    if not len(lines):
        return b""
    _, offsets, data = lines.buffers()
    bounds = np.frombuffer(offsets, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    return data[int(bounds[0]) : int(bounds[-1])].to_pybytes()
