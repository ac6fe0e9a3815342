"""One door to GitHub, asked over real HTTP."""

import asyncio
import gc
import json
from datetime import timedelta

import pytest
from aiohttp import web
from pydantic import BaseModel

from controller.adapters.github.client import REJECTED_FOR, Nothing, NotThere
from controller.adapters.github.door import SILENT_FOR, UNDER_WAY
from controller.adapters.github.limits import CREATED_PER_MINUTE
from controller.adapters.github.meter import Limit, Outcome
from controller.adapters.github.pace import CREATED_AT_ONCE
from controller.errors import Refused, Unavailable
from tests.adapters.github.hub import NOW, Clock, Counter, Keyring, a_client, a_hub

SHOP = "acme/shop"
PULLS = "/repos/acme/shop/pulls"
SEVEN = f"{PULLS}/7"
COMMENTS = "issues/7/comments"


class Pull(BaseModel):
    number: int
    title: str = ""


class Run(BaseModel):
    id: int


@pytest.fixture
async def hub():
    async with a_hub() as hub:
        hub.things[SEVEN] = {"number": 7, "title": "Add a cart"}
        hub.lists[PULLS] = [{"number": number} for number in range(1, 8)]
        yield hub


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keyring():
    return Keyring()


@pytest.fixture
async def client(hub, clock, keyring):
    async with a_client(hub, clock, keyring) as client:
        yield client


async def say(client, body="Hello", *, repo=SHOP, creates=True):
    return await client.send("POST", repo, COMMENTS, {"body": body}, Run, creates=creates)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def get_pull(client, **options):
    return await client.get(SHOP, "pulls/7", Pull, **options)


# What is remembered


async def test_what_was_just_read_is_not_asked_for_again(hub, client):
    assert await get_pull(client) == await get_pull(client) == Pull(number=7, title="Add a cart")
    assert hub.asked(SEVEN) == ["GET 200"]


async def test_what_is_no_longer_fresh_is_confirmed_for_free(hub, client, clock):
    await get_pull(client)
    clock.later(minutes=1)
    await get_pull(client)
    clock.later(seconds=59)
    await get_pull(client)
    assert hub.asked(SEVEN) == ["GET 200", "GET 304"]


async def test_what_changed_is_seen_when_it_is_no_longer_fresh(hub, client, clock):
    await get_pull(client)
    hub.things[SEVEN] = {"number": 7, "title": "Add a basket"}
    assert (await get_pull(client)).title == "Add a cart"
    clock.later(minutes=1)
    assert (await get_pull(client)).title == "Add a basket"


async def test_who_wants_it_anew_gets_it_anew(hub, client):
    await get_pull(client)
    await get_pull(client, fresh=timedelta())
    assert hub.asked(SEVEN) == ["GET 200", "GET 304"]


async def test_what_is_doubted_is_asked_for_once(hub, client):
    await get_pull(client)
    client.doubt("Acme/Shop", "pulls")
    await get_pull(client)
    await get_pull(client)
    assert hub.asked(SEVEN) == ["GET 200", "GET 304"]


async def test_a_doubt_while_it_is_asked_is_not_settled_by_that_answer(hub, client):
    asked, go = asyncio.Event(), asyncio.Event()

    async def slowly(_):
        asked.set()
        await go.wait()

    hub.troubles.append(slowly)
    first = asyncio.create_task(get_pull(client))
    await asked.wait()
    client.doubt(SHOP, "pulls/7")
    second = asyncio.create_task(get_pull(client))
    await second
    go.set()
    await first
    await get_pull(client)
    assert hub.asked(SEVEN) == ["GET 200", "GET 200"]


async def test_who_asks_at_the_same_time_asks_once(hub, client):
    await asyncio.gather(*(get_pull(client) for _ in range(20)))
    assert hub.asked(SEVEN) == ["GET 200"]


async def test_who_stops_waiting_leaves_the_others_their_answer(hub, client):
    asked, go = asyncio.Event(), asyncio.Event()

    async def slowly(_):
        asked.set()
        await go.wait()

    hub.troubles.append(slowly)
    first, second = asyncio.create_task(get_pull(client)), asyncio.create_task(get_pull(client))
    await asked.wait()
    first.cancel()
    go.set()
    assert (await second).number == 7
    assert hub.asked(SEVEN) == ["GET 200"]


async def test_what_fails_when_nobody_waits_any_more_is_no_bug(hub, client):
    bugs = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context))
    asked, go = asyncio.Event(), asyncio.Event()

    async def fail_slowly(_):
        asked.set()
        await go.wait()
        return web.Response(status=500)

    hub.troubles.append(fail_slowly)
    only = asyncio.create_task(get_pull(client))
    await asked.wait()
    only.cancel()
    await asyncio.gather(only, return_exceptions=True)
    go.set()
    await until(lambda: hub.seen)
    await get_pull(client)
    gc.collect()
    assert bugs == []


async def test_other_questions_are_other_answers(hub, client):
    await client.get(SHOP, "pulls/7", Pull)
    await client.get(SHOP, "pulls/7", Pull, ref="main")
    await client.get(SHOP, "pulls/7", Nothing)
    assert hub.asked(SEVEN) == ["GET 200"] * 3


async def test_a_change_makes_what_it_changed_doubtful(hub, client):
    hub.lists[f"/repos/{SHOP}/{COMMENTS}"] = []
    await client.pages(SHOP, COMMENTS, Run)
    hub.lists[f"/repos/{SHOP}/{COMMENTS}"] = [{"id": 1}]
    await say(client)
    assert await client.pages(SHOP, COMMENTS, Run) == (Run(id=1),)


# Lists


async def test_a_list_is_read_page_by_page_and_each_page_confirmed(hub, client, clock):
    hub.per_page = 3
    assert [pull.number for pull in await client.pages(SHOP, "pulls", Pull)] == [1, 2, 3, 4, 5, 6, 7]
    hub.seen.clear()
    clock.later(minutes=1)
    assert len(await client.pages(SHOP, "pulls", Pull)) == 7
    assert hub.asked(PULLS) == ["GET 304"] * 3


async def test_what_moves_to_a_page_that_was_read_already_is_not_lost(hub, client):
    hub.per_page = 3

    async def first_page_as_ever(_):
        return None

    async def first_is_closed_meanwhile(_):
        del hub.lists[PULLS][0]

    hub.troubles += [first_page_as_ever, first_is_closed_meanwhile]
    assert [pull.number for pull in await client.pages(SHOP, "pulls", Pull)] == [2, 3, 4, 5, 6, 7]


async def test_a_list_that_never_stands_still_is_read_later(hub, client):
    hub.per_page = 3

    async def another(request):
        hub.lists[PULLS].insert(0, {"number": len(hub.lists[PULLS]) + 1})

    hub.answering = another
    with pytest.raises(Unavailable, match="acme/shop/pulls changes faster than it can be read"):
        await client.pages(SHOP, "pulls", Pull)


async def test_a_page_that_fails_fails_the_list_and_what_was_known_stays(hub, client, clock):
    hub.per_page = 3
    whole = await client.pages(SHOP, "pulls", Pull)

    async def fine(_):
        return None

    hub.troubles += [fine]
    hub.trouble(500)
    with pytest.raises(Unavailable):
        await client.pages(SHOP, "pulls", Pull, fresh=timedelta())
    assert await client.pages(SHOP, "pulls", Pull) == whole


async def test_a_list_within_each_page_is_found_by_its_name(hub, client):
    hub.things[f"/repos/{SHOP}/check-runs"] = {"total_count": 1, "check_runs": [{"id": 5}]}
    assert await client.pages(SHOP, "check-runs", Run, of="check_runs") == (Run(id=5),)


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("<https://evil.example/repos/acme/shop/pulls?page=2>", id="another host"),
        pytest.param("<{url}.evil.example/repos/acme/shop/pulls?page=2>", id="a host that begins like it"),
        pytest.param("<{url}/repos/acme/secrets/pulls?page=2>", id="another repository"),
        pytest.param("<{url}/user/repos?page=2>", id="another list"),
        pytest.param("<{user}/repos/acme/shop/pulls?page=2>", id="somebody else's login"),
        pytest.param("<http://[::bad/x>", id="no address"),
        pytest.param("<{url}/repos/acme/shop/../x/pulls?page=2>", id="a way up"),
    ],
)
async def test_a_next_page_elsewhere_is_not_followed(hub, client, link):
    where = link.format(url=hub.url, user=hub.url.replace("://", "://me:me@"))

    async def elsewhere(_):
        return web.json_response([{"number": 1}], headers={"Link": f'{where}; rel="next"'})

    hub.troubles.append(elsewhere)
    with pytest.raises(Unavailable, match="goes on"):
        await client.pages(SHOP, "pulls", Pull)
    assert len(hub.seen) == 1


async def test_a_next_page_by_the_repositorys_number_is_the_same_list(hub, client):
    async def by_number(request):
        if request.query.get("page") == "2":
            return web.json_response([{"number": 2}])
        page = f"{hub.url}/repositories/42/pulls?page="
        link = f'<{page}0>; rel="prev", <{page}2>; rel="next"'
        return web.json_response([{"number": 1}], headers={"Link": link})

    hub.answering = by_number
    assert [pull.number for pull in await client.pages(SHOP, "pulls", Pull)] == [1, 2]


async def test_pages_without_end_are_refused(hub, client):
    async def endless(request):
        page = int(request.query.get("page", "1"))
        return web.json_response([], headers={"Link": f'<{hub.url}{PULLS}?page={page + 1}>; rel="next"'})

    hub.answering = endless
    with pytest.raises(Refused, match="more than 200 pages"):
        await client.pages(SHOP, "pulls", Pull)


# What goes wrong


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        pytest.param(301, Refused, "GitHub says that acme/shop/pulls/7 has moved", id="moved"),
        pytest.param(307, Refused, "has moved", id="moved for now"),
        pytest.param(403, Refused, "GitHub does not let us GET acme/shop/pulls/7: no", id="forbidden"),
        pytest.param(404, NotThere, "GitHub has no acme/shop/pulls/7", id="not there"),
        pytest.param(410, NotThere, "GitHub has no acme/shop/pulls/7", id="gone"),
        pytest.param(409, Refused, "GitHub refuses GET acme/shop/pulls/7: no", id="conflict"),
        pytest.param(422, Refused, "GitHub refuses GET acme/shop/pulls/7: no", id="invalid"),
        pytest.param(500, Unavailable, "GitHub does not work", id="broken"),
    ],
)
async def test_each_answer_is_told_in_our_words(hub, client, status, error, words):
    hub.trouble(status)
    with pytest.raises(error, match=words):
        await get_pull(client)
    assert len(hub.seen) == 1


async def test_a_permission_that_is_missing_is_named(hub, client):
    hub.trouble(403, message="Resource not accessible by integration", X_Accepted_GitHub_Permissions="checks=write")
    with pytest.raises(Refused, match=r"not accessible by integration \(it takes the permission checks=write\)"):
        await say(client)


async def test_what_github_finds_wrong_is_said_and_cut(hub, client):
    async def invalid(_):
        errors = [{"resource": "CheckRun", "field": "head_sha", "code": "invalid"}, "and more", "x" * 1000]
        return web.json_response({"message": "Validation\nFailed", "errors": errors}, status=422)

    hub.troubles.append(invalid)
    with pytest.raises(Refused) as caught:
        await say(client)
    assert "Validation Failed; head_sha invalid; and more; xxx" in caught.value.reason
    assert len(caught.value.reason) < 400


async def test_a_redirect_is_not_followed(hub, client):
    async with a_hub() as elsewhere:

        async def moved(_):
            return web.Response(status=301, headers={"Location": f"{elsewhere.url}{SEVEN}"})

        hub.troubles.append(moved)
        with pytest.raises(Refused, match="has moved"):
            await get_pull(client)
        assert elsewhere.seen == []


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_read_is_tried_once_more_where_a_gateway_failed(hub, client, status):
    hub.trouble(status)
    assert (await get_pull(client)).number == 7
    hub.trouble(status, status)
    with pytest.raises(Unavailable, match="GitHub does not work"):
        await get_pull(client, fresh=timedelta())


async def cut(request):
    request.transport.abort()


async def test_a_read_is_tried_once_more_where_the_line_broke(hub, client):
    hub.troubles.append(cut)
    assert (await get_pull(client)).number == 7


async def test_a_change_is_never_repeated(hub, client):
    for trouble in (502, 503, 500):
        hub.trouble(trouble)
        with pytest.raises(Unavailable):
            await say(client)
    assert hub.asked() == ["POST 502", "POST 503", "POST 500"]
    arrived = []

    async def cut_after_it_was_heard(request):
        arrived.append(await request.text())
        request.transport.abort()

    hub.answering = cut_after_it_was_heard
    with pytest.raises(Unavailable, match="GitHub does not answer"):
        await say(client)
    assert len(arrived) == 1


async def test_nobody_waits_again_for_who_is_silent(hub, clock, keyring):
    async def silent(_):
        await asyncio.sleep(60)

    hub.answering = silent
    async with a_client(hub, clock, keyring, seconds=0.1) as client:
        with pytest.raises(Unavailable, match="it takes too long"):
            await get_pull(client)
        hub.answering = None
        with pytest.raises(Unavailable, match="it took too long just now") as caught:
            await say(client)
        assert caught.value.retry_after == SILENT_FOR
        assert len(hub.seen) == 0
        clock.now += SILENT_FOR
        assert (await get_pull(client)).number == 7


async def test_an_outage_says_when_it_may_be_over(hub, client):
    hub.trouble(503, 503, Retry_After="120")
    with pytest.raises(Unavailable) as caught:
        await get_pull(client)
    assert caught.value.retry_after == timedelta(minutes=2)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<html>It is broken", id="no JSON"),
        pytest.param("", id="nothing"),
        pytest.param("[]", id="a list"),
        pytest.param('{"number": "seven"}', id="another shape"),
        pytest.param("[" * 100_000, id="without end"),
    ],
)
async def test_an_answer_that_is_none_is_told_and_not_kept(hub, client, body):
    async def strange(_):
        return web.Response(text=body)

    hub.troubles.append(strange)
    with pytest.raises(Unavailable, match="in a shape that we do not know"):
        await get_pull(client)
    assert (await get_pull(client)).number == 7


async def test_a_change_that_is_answered_by_somebody_else_is_not_taken_for_done(hub, client):
    async def somebody(_):
        return web.Response(text="<html>Please log in to the network")

    hub.troubles.append(somebody)
    with pytest.raises(Unavailable, match="in a shape that we do not know"):
        await client.send("POST", SHOP, COMMENTS, {"body": "ready"}, Nothing, creates=True)


@pytest.mark.parametrize("body", ["{}", "7", "", '{"items": 7}', "[7]", "[" * 100_000])
async def test_a_list_that_is_none_is_told(hub, client, body):
    async def strange(_):
        return web.Response(text=body)

    hub.troubles.append(strange)
    with pytest.raises(Unavailable):
        await client.pages(SHOP, "pulls", Pull, of="items")


async def test_unchanged_is_no_answer_to_who_never_knew_it(hub, client):
    async def unchanged(_):
        return web.Response(status=304)

    hub.troubles.append(unchanged)
    with pytest.raises(Unavailable, match="we never knew it"):
        await get_pull(client)


@pytest.mark.parametrize(
    ("repo", "path"),
    [
        pytest.param("acme/shop/..", "pulls", id="too long a name"),
        pytest.param("acme/..", "pulls", id="a way up"),
        pytest.param("acme", "pulls", id="no name"),
        pytest.param("acme/shop?x=", "pulls", id="a query in the name"),
        pytest.param(SHOP, "contents/../../other/contents/x", id="up from a file"),
        pytest.param(SHOP, "contents/%2e%2e/x", id="up, written otherwise"),
        pytest.param(SHOP, "contents/x?ref=y", id="a query in the path"),
        pytest.param(SHOP, "contents/x#y", id="a fragment in the path"),
    ],
)
async def test_no_name_leads_out_of_a_repository(hub, client, repo, path):
    with pytest.raises(Refused):
        await client.get(repo, path, Nothing)
    with pytest.raises(Refused):
        await client.send("DELETE", repo, path, {}, Nothing, creates=False)
    assert hub.seen == []


# Who we are


async def test_a_token_that_is_not_taken_is_asked_for_anew(hub, client, keyring):
    keyring.tokens = ["ghs_old_one", "ghp_token"]
    assert (await get_pull(client)).number == 7
    await say(client)
    assert [(seen.status, seen.token) for seen in hub.seen] == [
        (401, "ghs_old_one"),
        (200, "ghp_token"),
        (201, "ghp_token"),
    ]


async def test_many_whose_token_is_not_taken_forget_it_once(hub, client, keyring):
    keyring.tokens = ["ghs_old_one", "ghp_token", "ghs_never_used"]
    await asyncio.gather(*(client.get(SHOP, "pulls/7", Pull, at=turn) for turn in range(5)))
    assert keyring.tokens == ["ghp_token", "ghs_never_used"]


async def test_credentials_that_are_not_taken_are_not_shown_again_for_a_minute(hub, client, clock):
    hub.tokens.clear()
    for _ in range(3):
        with pytest.raises(Refused, match="GitHub does not accept our credentials: Bad credentials"):
            await get_pull(client)
    assert hub.asked() == ["GET 401", "GET 401"]
    hub.tokens.add("ghp_token")
    clock.later(seconds=REJECTED_FOR.total_seconds())
    assert (await get_pull(client)).number == 7


async def test_a_repository_without_credentials_is_not_asked_about(hub, client, keyring):
    keyring.missing = {SHOP}
    with pytest.raises(Refused, match="not installed on acme/shop"):
        await get_pull(client)
    assert hub.seen == []


# What must never be said


async def test_no_secret_leaves_in_a_body(hub, clock, keyring):
    secrets = ("s3cr3t-of-the-database", "s3cr3t-of", "pw")
    async with a_client(hub, clock, keyring, secrets=secrets) as client:
        log = "token ghp_token, url postgres://u:s3cr3t-of-the-database@db, s3cr3t-of, pw"
        body = {"output": {"text": log, "annotations": [{"message": log, "line": 3, "raw": None}]}}
        await client.send("PATCH", SHOP, "check-runs/5", body, Run, creates=False)
    hidden = "token •••, url postgres://u:•••@db, •••, pw"
    sent = {"output": {"text": hidden, "annotations": [{"message": hidden, "line": 3, "raw": None}]}}
    assert json.loads(hub.seen[0].body) == sent


async def test_no_token_is_in_what_went_wrong(hub, client, keyring):
    async def echo(request):
        return web.json_response({"message": f"bad {request.headers['Authorization']}"}, status=422)

    hub.troubles.append(echo)
    with pytest.raises(Refused, match="bad Bearer •••") as caught:
        await say(client)
    assert "ghp_token" not in repr(caught.value)
    assert "ghp_token" not in repr(client)


# Pace


async def test_the_last_of_the_quota_is_kept_for_telling(hub, clock, keyring):
    meter = Counter()
    reset = NOW + timedelta(minutes=10)
    hub.headers = quota(remaining=250, reset=reset)
    async with a_client(hub, clock, keyring, meter=meter) as client:
        await get_pull(client)
        with pytest.raises(Unavailable, match="quota is used up: 250 of 5000") as caught:
            await client.pages(SHOP, "pulls", Pull)
        assert caught.value.retry_after == timedelta(minutes=10)
        await say(client)
        assert (await get_pull(client)).number == 7
        health = client.health()
    assert (health.remaining, health.limit, health.resets_at) == (250, 5000, reset)
    assert (meter.outcomes, meter.limits) == ([Outcome.OK, Outcome.OK], [Limit.QUOTA])


async def test_a_secondary_limit_stops_everything_of_that_account_only(hub, client, clock):
    hub.things["/repos/other/shop/pulls/7"] = {"number": 7}
    hub.trouble(403, message="You have exceeded a secondary rate limit. Please wait")
    with pytest.raises(Unavailable, match="GitHub wants us to wait: You have exceeded a secondary") as caught:
        await say(client)
    assert caught.value.retry_after == timedelta(minutes=1)
    with pytest.raises(Unavailable):
        await get_pull(client)
    assert (await client.get("other/shop", "pulls/7", Pull)).number == 7
    health = client.health()
    assert health.waits_until == NOW + timedelta(minutes=1)
    assert "secondary rate limit" in health.why
    clock.later(minutes=1)
    await say(client)
    assert client.health().waits_until is None


async def test_new_things_are_spaced(hub, client):
    await asyncio.gather(*(say(client, repo=f"acme/shop{turn}") for turn in range(CREATED_AT_ONCE)))
    began = asyncio.get_running_loop().time()
    await say(client)
    assert asyncio.get_running_loop().time() - began >= 0.99
    with pytest.raises(Unavailable, match=f"{CREATED_PER_MINUTE} new things a minute") as caught:
        await say(client)
    assert caught.value.retry_after == timedelta(seconds=2)
    await say(client, creates=False)


async def test_changes_of_one_thing_wait_for_each_other_and_others_do_not(hub, client):
    under_way, most = {"one": 0, "all": 0}, {"one": 0, "all": 0}

    async def slowly(request):
        for kind in ["all"] if "issues" not in request.path else ["all", "one"]:
            under_way[kind] += 1
            most[kind] = max(most[kind], under_way[kind])
        await asyncio.sleep(0.02)
        for kind in ["all"] if "issues" not in request.path else ["all", "one"]:
            under_way[kind] -= 1

    hub.answering = slowly
    changes = [say(client, creates=False) for _ in range(4)]
    reads = [client.get(SHOP, "pulls/7", Pull, at=turn) for turn in range(30)]
    await asyncio.gather(*changes, *reads)
    assert most["one"] == 1
    assert 1 < most["all"] <= UNDER_WAY


async def test_a_quota_that_is_used_up_is_told(hub, client):
    reset = NOW + timedelta(minutes=10)
    hub.headers = quota(remaining=0, reset=reset)
    await get_pull(client)
    with pytest.raises(Unavailable, match="used up"):
        await say(client)
    health = client.health()
    assert (health.waits_until, health.why) == (reset, "GitHub's quota of 5000 requests is used up")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"x-ratelimit-remaining": "-1"}, id="less than nothing"),
        pytest.param({"x-ratelimit-remaining": "lots"}, id="no number"),
        pytest.param({"x-ratelimit-remaining": "9" * 5000}, id="more than there is"),
        pytest.param({"x-ratelimit-limit": "0", "x-ratelimit-remaining": "0"}, id="of nothing"),
        pytest.param({"x-ratelimit-remaining": "6000"}, id="more left than there was"),
        pytest.param({"x-ratelimit-reset": "1e9"}, id="no time"),
        pytest.param({"x-ratelimit-reset": "0", "x-ratelimit-remaining": "0"}, id="filled up long ago"),
        pytest.param({"x-ratelimit-resource": "search", "x-ratelimit-remaining": "0"}, id="of something else"),
    ],
)
async def test_a_quota_that_makes_no_sense_stops_nothing(hub, client, headers):
    hub.headers = quota(remaining=4000, reset=NOW + timedelta(minutes=10)) | headers
    await get_pull(client)
    assert (await get_pull(client, fresh=timedelta())).number == 7
    assert client.health().remaining is None


async def test_a_quota_never_stops_us_for_more_than_an_hour(hub, client):
    hub.headers = quota(remaining=0, reset=NOW + timedelta(days=3000))
    await get_pull(client)
    with pytest.raises(Unavailable) as caught:
        await get_pull(client, fresh=timedelta())
    assert caught.value.retry_after == timedelta(hours=1)
    assert client.health().resets_at == NOW + timedelta(hours=1)


def quota(*, remaining, reset):
    return {
        "x-ratelimit-limit": "5000",
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(int(reset.timestamp())),
    }
