"""Channel rules: origins whose channel was worked out by hand from the words of the rules."""

from __future__ import annotations

import csv
import json

import pytest

from apportion import load, transform
from apportion.night import Night
from apportion.settings import PROJECT, Settings
from apportion.warehouse import connect

# source / medium / campaign / referrer / click id -> channel
ORIGINS = """
-                    -             -              -                              -        direct
(direct)             (none)        -              -                              -        direct
(direct)             (not set)     -              -                              -        direct
(direct)             -             -              https://google.com/            -        direct
(direct)             cpc           -              -                              -        paid_other
google               cpc           x-Cross-Network -                             -        cross_network
-                    -             cross-network  https://google.com/            -        cross_network
amazon               cpc           -              -                              -        paid_shopping
shopping.google.com  ppc           -              -                              -        paid_shopping
etsy                 paidads       -              -                              -        paid_shopping
google               cpc           spring-shop    -                              -        paid_shopping
google               cpc           shopping       -                              -        paid_shopping
google               cpc           workshop       -                              -        paid_search
google               cpc           bishop         -                              -        paid_search
google               cpc           e-shop         -                              -        paid_shopping
google               cpc           eshop          -                              -        paid_shopping
google               cpc           -              -                              -        paid_search
Google               CPC           Brand          -                              -        paid_search
www.google.co.uk     ppc           -              -                              -        paid_search
google-ads           cpc           -              -                              -        paid_search
bing                 cpc           -              -                              -        paid_search
baidu.com            paid          -              -                              -        paid_search
duckduckgo           retargeting   -              -                              -        paid_search
google               cpm           -              -                              -        paid_search
facebook             cpc           -              -                              -        paid_social
fb_ads               paid_social   -              -                              -        paid_social
ig                   cpm           -              -                              -        paid_social
linkedin.com         cpc           -              -                              -        paid_social
tiktok               retargeting   -              -                              -        paid_social
x.com                ppc           -              -                              -        paid_social
youtube              cpv           -              -                              -        video
youtube              cpc           -              -                              -        video
vimeo.com            paid-video    -              -                              -        video
adnet                display       -              -                              -        display
google               display       -              -                              -        display
adnet                banner        -              -                              -        display
adnet                expandable    -              -                              -        display
adnet                interstitial  -              -                              -        display
adnet                cpm           -              -                              -        display
adnet                retargeting   -              -                              -        display
adnet                cpc           -              -                              -        paid_other
chatgpt.com          cpc           -              -                              -        paid_other
newsletter           cpc           -              -                              -        paid_other
-                    ppc           -              -                              -        paid_other
amazon               referral      -              -                              -        organic_shopping
idealo               -             -              -                              -        organic_shopping
partner              link          winter-shop    -                              -        organic_shopping
-                    -             -              https://www.ebay.de/itm/1      -        organic_shopping
facebook             -             -              -                              -        organic_social
instagram            referral      -              -                              -        organic_social
facebook             email         -              -                              -        organic_social
agency               social        -              -                              -        organic_social
agency               social-media  -              -                              -        organic_social
agency               sm            -              -                              -        organic_social
-                    -             -              https://t.co/abc               -        organic_social
-                    -             -              https://l.facebook.com/l.php   -        organic_social
-                    -             -              https://old.reddit.com/r/a     -        organic_social
-                    -             -              android-app://com.linkedin.android -    organic_social
youtube              -             -              -                              -        organic_video
agency               video         -              -                              -        organic_video
agency               tv_video_1    -              -                              -        organic_video
-                    -             -              https://m.youtube.com/watch?v=1 -       organic_video
-                    -             -              https://youtu.be/1             -        organic_video
chatgpt.com          -             -              -                              -        ai_assistant
perplexity           referral      -              -                              -        ai_assistant
-                    -             -              https://gemini.google.com/app  -        ai_assistant
-                    -             -              https://chat.openai.com/       -        ai_assistant
-                    -             -              https://copilot.microsoft.com/ -        ai_assistant
google               organic       -              -                              -        organic_search
google               -             -              -                              -        organic_search
google               email         -              -                              -        organic_search
anywhere             organic       -              -                              -        organic_search
-                    organic       -              -                              -        organic_search
-                    -             -              https://www.google.com/        -        organic_search
-                    -             -              https://www.google.co.jp/      -        organic_search
-                    -             -              https://uk.search.yahoo.com/   -        organic_search
-                    -             summer         https://duckduckgo.com/        -        organic_search
partner              referral      -              -                              -        referral
partner              app           -              -                              -        referral
partner              link          -              https://google.com/            -        referral
-                    -             -              https://blog.example/post      -        referral
-                    -             -              https://docs.google.com/d/1    -        referral
-                    -             -              https://notgoogle.com/         -        referral
-                    -             -              https://google.evil.example/   -        referral
newsletter           email         -              -                              -        email
crm                  e-mail        -              -                              -        email
crm                  e_mail        -              -                              -        email
crm                  e mail        -              -                              -        email
email                -             -              -                              -        email
newsletter           -             -              -                              -        email
crm                  newsletter    -              -                              -        email
-                    -             -              https://mail.google.com/mail   -        email
dealsite             affiliate     -              -                              -        affiliate
dealsite             affiliates    -              -                              -        affiliate
spotify              audio         -              -                              -        audio
sms                  -             -              -                              -        sms
crm                  sms           -              -                              -        sms
app                  push          -              -                              -        push
app                  webpush       -              -                              -        push
app                  mobile        -              -                              -        push
app                  notifications -              -                              -        push
firebase             -             -              -                              -        push
post                 direct-mail   -              -                              -        direct_mail
partner              sponsoring    -              -                              -        other
partner              -             -              https://google.com/            -        other
-                    sponsoring    -              https://google.com/            -        other
partner              pushing       -              -                              -        other
-                    -             -              https://www.google.com/        gclid    paid_search
-                    -             -              -                              gbraid   paid_search
-                    -             -              -                              wbraid   paid_search
-                    -             -              https://www.bing.com/          msclkid  paid_search
-                    -             -              -                              click_id paid_search
newsletter           email         -              -                              gclid    email
-                    -             -              https://www.google.com/        dclid    display
-                    -             -              https://www.google.com/        srsltid  organic_shopping
-                    -             -              https://www.tiktok.com/        ttclid   paid_social
-                    -             -              -                              li_fat_id paid_social
-                    -             -              https://t.co/                  twclid   paid_social
-                    -             -              https://l.facebook.com/        fbclid   organic_social
-                    -             -              -                              fbclid   organic_social
facebook             cpc           -              -                              fbclid   paid_social
-                    -             -              https://coupons.example/       awc      affiliate
"""
COLUMNS = ("utm_source", "utm_medium", "utm_campaign", "referrer_url", "click", "channel")
# GA4's name of a group and ours.
GROUPS = {
    "Direct": "direct", "Cross-network": "cross_network", "Paid Shopping": "paid_shopping",
    "Paid Search": "paid_search", "Paid Social": "paid_social", "Paid Video": "video",
    "Display": "display", "Paid Other": "paid_other", "Organic Shopping": "organic_shopping",
    "Organic Social": "organic_social", "Organic Video": "organic_video",
    "Organic Search": "organic_search", "Referral": "referral", "Email": "email",
    "Affiliates": "affiliate", "Audio": "audio", "SMS": "sms",
    "Mobile Push Notifications": "push",
}  # fmt: skip


def origins() -> list[dict[str, str]]:
    """The table above; only the first three of its columns may hold blanks."""
    rows = []
    for line in ORIGINS.strip().splitlines():
        values = [line[:21].strip(), line[21:35].strip(), line[35:50].strip(), *line[50:].split()]
        row = dict(zip(COLUMNS, values, strict=True))
        rows.append({name: value for name, value in row.items() if value != "-"})
    return rows


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple]:
    """Channel, is_paid and is_direct of each origin, by its number."""
    folder = tmp_path_factory.mktemp("channels")
    path = folder / "landing" / "events" / "a.jsonl"
    path.parent.mkdir(parents=True)
    events = []
    for number, origin in enumerate(origins()):
        event = {"event_id": f"e{number}", "event_name": "page", "anonymous_id": f"d{number}"}
        event["occurred_at"] = "2026-01-01T10:00:00Z"
        tags = {name: origin[name] for name in COLUMNS[:4] if name in origin}
        if "click" in origin:
            tags[origin["click"]] = "1"
        events.append(event | tags)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    settings = Settings.resolve(folder / "data", folder / "landing")
    night = Night(settings)
    load.load(night)
    transform.build(night, "staging")
    transform.build(night, "intermediate")
    with connect(settings.warehouse, read_only=True) as connection:
        rows = connection.execute(
            "select event_id, channel, is_paid, is_direct from intermediate.int_events__classified"
        ).fetchall()
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize(("number", "origin"), enumerate(origins()), ids=str)
def test_channel(found: dict[str, tuple], number: int, origin: dict[str, str]) -> None:
    assert found[f"e{number}"][0] == origin["channel"]


def test_paid_and_direct_are_those_of_the_channel(found: dict[str, tuple]) -> None:
    with (PROJECT / "seeds" / "channels.csv").open(newline="") as file:
        channels = {row["channel"]: row for row in csv.DictReader(file)}
    for channel, is_paid, is_direct in found.values():
        assert str(is_paid).lower() == channels[channel]["is_paid"]
        assert str(is_direct).lower() == channels[channel]["is_direct"]
    assert {channel for channel, is_paid, _ in found.values() if is_paid} == {
        "cross_network", "paid_shopping", "paid_search", "paid_social", "video", "display",
        "paid_other", "affiliate", "audio", "direct_mail",
    }  # fmt: skip


def test_every_group_has_its_rule_and_an_origin(found: dict[str, tuple]) -> None:
    with (PROJECT / "seeds" / "channel_rules.csv").open(newline="") as file:
        rules = list(csv.DictReader(file))
    said = {(rule["comment"].split(":")[0], rule["channel"]) for rule in rules}
    assert len(GROUPS) == 18
    assert set(GROUPS.items()) <= said
    assert {rule["channel"] for rule in rules} == {channel for channel, _, _ in found.values()}
    assert len(origins()) >= 80
