import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from controller.adapters.notify import notifier
from controller.adapters.notify.slack import TEXT_LIMIT, Slack, escaped, message
from controller.adapters.notify.webhook import Webhook, payload
from controller.common.notices import Notice, Severity, Status
from controller.errors import Refused, Unavailable
from controller.settings import Route
from tests.adapters.notify.door import opened

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LABELS = {"probe": "shop", "alarm": "fast-burn"}


def a_notice(status=Status.FIRING, **said):
    told = {"id": "probe/shop/1", "at": NOON, "severity": Severity.PAGE, "about": "probe:shop", "title": "shop burns"}
    return Notice(**(told | {"status": status, "labels": LABELS, "link": "http://mayfly/probes/shop"} | said))


@pytest.fixture
async def door():
    async with opened() as one:
        yield one


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as one:
        yield one


def a_webhook(door, session, **said):
    return Webhook("pager", door.url, "hunter2", session, **said)


async def test_a_webhook_is_signed_with_the_time_and_named_for_ever(door, session):
    webhook = a_webhook(door, session, clock=lambda: 1_777_896_000.9)
    await webhook.tell(a_notice())
    await webhook.tell(a_notice())
    headers, body = door.heard[0]
    expected = hmac.new(b"hunter2", b"1777896000." + body, hashlib.sha256).hexdigest()
    assert headers["X-Mayfly-Signature-256"] == f"sha256={expected}"
    assert headers["X-Mayfly-Timestamp"] == "1777896000"
    assert headers["Content-Type"] == "application/json"
    assert door.keys == ["probe/shop/1", "probe/shop/1"]


async def test_a_webhook_without_a_secret_is_not_signed(door, session):
    await Webhook("pager", door.url, "", session).tell(a_notice())
    assert "X-Mayfly-Signature-256" not in door.heard[0][0]


def test_the_body_is_alertmanagers():
    document = json.loads(payload(a_notice(), "pager"))
    labels = {"alertname": "fast-burn", "severity": "page", **LABELS}
    annotations = {"summary": "shop burns", "description": ""}
    [alert] = document.pop("alerts")
    assert document == {
        "version": "4",
        "groupKey": "probe:shop",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "pager",
        "groupLabels": {"about": "probe:shop"},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "http://mayfly/probes/shop",
    }
    fingerprint = alert.pop("fingerprint")
    assert alert == {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": "2026-05-04T12:00:00+00:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://mayfly/probes/shop",
    }
    [over] = json.loads(payload(a_notice(Status.RESOLVED), "pager"))["alerts"]
    assert over["endsAt"] == "2026-05-04T12:00:00+00:00"
    assert over["fingerprint"] == fingerprint, "the same alert, whatever became of it"


@pytest.mark.parametrize(
    ("status", "headers", "error", "wait"),
    [
        pytest.param(200, {}, None, None, id="taken"),
        pytest.param(204, {}, None, None, id="taken without a word"),
        pytest.param(500, {}, Unavailable, None, id="their bug"),
        pytest.param(503, {"Retry-After": "120"}, Unavailable, timedelta(minutes=2), id="away for two minutes"),
        pytest.param(429, {"Retry-After": "7"}, Unavailable, timedelta(seconds=7), id="too many"),
        pytest.param(429, {"Retry-After": "soon"}, Unavailable, None, id="a time that is none"),
        pytest.param(408, {}, Unavailable, None, id="too slow"),
        pytest.param(400, {}, Refused, None, id="not understood"),
        pytest.param(404, {}, Refused, None, id="no such hook"),
        pytest.param(302, {"Location": "/elsewhere"}, Refused, None, id="a redirect is not followed"),
    ],
)
async def test_what_an_answer_means(door, session, status, headers, error, wait):
    door.status, door.headers = status, headers
    webhook = a_webhook(door, session)
    if error is None:
        await webhook.tell(a_notice())
    else:
        with pytest.raises(error) as problem:
            await webhook.tell(a_notice())
        assert getattr(problem.value, "retry_after", None) == wait
        assert problem.value.reason == f"it answered {status} said by them"
    assert len(door.heard) == 1


async def test_one_that_hangs_is_left_after_a_while(door, session):
    door.hangs = True
    with pytest.raises(Unavailable, match=r"did not answer within 0\.1 s"):
        await a_webhook(door, session, timeout=0.1).tell(a_notice())


async def test_a_url_is_a_secret_and_not_repeated(session):
    secret = "http://127.0.0.1:9/services/T0/B0/hunter2"
    with pytest.raises(Unavailable) as problem:
        await Slack("slack", secret, session).tell(a_notice())
    assert "hunter2" not in problem.value.reason
    with pytest.raises(Refused) as problem:
        await Slack("slack", "http:///hunter2", session).tell(a_notice())
    assert "hunter2" not in problem.value.reason


async def test_slack_is_told_in_its_own_words(door, session):
    await Slack("slack", door.url, session).tell(a_notice(text="5 of 120 failed"))
    assert json.loads(door.heard[0][1]) == {
        "text": "🔴 shop burns",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "*🔴 shop burns*", "verbatim": True}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "5 of 120 failed", "verbatim": True}},
            {
                "type": "context",
                "elements": [
                    {
                        "type": "mrkdwn",
                        "text": "page · 2026-05-04 12:00:00 UTC · <http://mayfly/probes/shop|open>",
                        "verbatim": True,
                    }
                ],
            },
        ],
    }


def test_nobody_is_mentioned_and_nothing_linked_by_what_others_wrote():
    said = json.dumps(message(a_notice(title="<!channel> & co", text="<https://evil.example|the dashboard>")))
    assert "&lt;!channel&gt; &amp; co" in said
    assert "<https://evil" not in said


@pytest.mark.parametrize("text", ["&" * 5000, "x" * 5000, "<a>" * 2000, "short"])
def test_a_long_text_is_cut_where_no_entity_is(text):
    told = escaped(text, TEXT_LIMIT)
    assert len(told) <= TEXT_LIMIT
    whole = told.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert "&" not in whole


async def test_a_route_takes_its_secrets_from_the_environment(door, session):
    made = notifier(Route(name="s", kind="slack", url_from="SLACK_URL"), {"SLACK_URL": door.url}, session)
    await made.tell(a_notice())
    assert made.name == "s"
    assert len(door.heard) == 1
    with pytest.raises(Refused, match="route `s` takes its URL or secret from SLACK_URL, which is not set"):
        notifier(Route(name="s", kind="slack", url_from="SLACK_URL"), {}, session)
    with pytest.raises(Refused, match="HOOK_SECRET"):
        notifier(Route(name="w", url=door.url, secret_from="HOOK_SECRET"), {"HOOK_SECRET": ""}, session)
