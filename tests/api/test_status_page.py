"""The status page and a probe's page: HTML, without a browser."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from controller.access.desk import AccessDesk
from controller.access.model import Scope
from controller.api.app import create_api
from controller.api.pages import create_pages
from controller.api.probe_pages import MOST_PLOTS, create_probe_pages
from controller.probes.model import Alarm
from controller.settings import Policy
from tests.api.api import all_well
from tests.api.probe_world import EVIL, SUSPECT, ProbeWorld
from tests.fakes.access import FakeAccess
from tests.fakes.desk import FakeDesk
from tests.fakes.examples import NOON

ORIGIN = {"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}
CLOSED = {"access": {"mode": "token"}, "probing": {"public_status": True}}


@pytest.fixture
def world() -> ProbeWorld:
    return ProbeWorld(NOON)


def a_client(world: ProbeWorld, known: AccessDesk | None = None, **said: object) -> httpx.AsyncClient:
    policy, desk = Policy.model_validate(said), FakeDesk()
    pages = [
        create_pages(desk, None, policy, clock=lambda: NOON, probes=world.desk),
        create_probe_pages(world.desk, policy, clock=lambda: NOON),
    ]
    app = create_api(desk, probes=world.desk, version="0", policy=policy, ready=all_well, routers=pages, access=known)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8080", headers=ORIGIN)


@pytest.fixture
async def client(world: ProbeWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with a_client(world) as client:
        yield client


def an_access() -> AccessDesk:
    memory = FakeAccess()
    return AccessDesk(memory, memory, lambda: NOON)


async def token_of(access: AccessDesk, scope: Scope) -> dict[str, str]:
    _, secret = await access.make("ada", scope, "ada")
    return {"Authorization": f"Bearer {secret}"}


async def test_the_page_says_first_whether_everything_works(client: httpx.AsyncClient, world: ProbeWorld) -> None:
    world.fires()
    page = await client.get("/status")
    assert page.status_code == 200
    assert "<h1>1 of 3 does not work</h1>" in page.text
    assert '<span class="pill bad">burning</span>' in page.text
    assert '<span class="pill good">up</span>' in page.text
    assert '<span class="pill rest">unknown</span>' in page.text


async def test_there_is_a_bar_for_each_of_90_days_and_each_that_has_news_tells_them(client: httpx.AsyncClient) -> None:
    page = await client.get("/status/shop")
    days = page.text.partition('<svg class="days good"')[2].partition("</svg>")[0]
    paths = re.findall(r'<path(?: class="(\w+)")? d="([^"]+)"><title>([^<]*)</title>', days)
    assert sorted(place for _, path, _ in paths for place in map(int, re.findall(r"M(\d+) 0v30", path))) == [
        2 + 4 * day for day in range(90)
    ]
    assert [(tone, words) for tone, _, words in paths] == [
        ("calm", "nothing failed on these days"),
        ("bad", "07 March: 50% of 6 passed, 3 failed"),
        ("warn", "14 March: 98.61% of 144 passed, 2 failed"),
    ]
    assert 'aria-label="The shop, 90 days: 88 up, 1 degraded, 1 down"' in page.text


async def test_a_day_of_which_nothing_is_known_is_seen_to_be_one(client: httpx.AsyncClient) -> None:
    page = await client.get("/status/cellar")
    assert page.text.count('<path class="rest" d="M') == 90
    assert '<path class="rest" d="M2 20v10"><title>15 December: nothing is known</title></path>' in page.text
    assert "on these days" not in page.text


async def test_the_steps_of_a_plot_have_words_to_point_at_where_there_is_one(client: httpx.AsyncClient) -> None:
    assert 'class="hit"' in (await client.get("/status/search")).text
    assert 'class="hit"' in (await client.get("/probes/search")).text
    assert 'class="hit"' not in (await client.get("/status")).text


async def test_availability_is_cut_and_not_rounded(client: httpx.AsyncClient) -> None:
    """5 of 822 failed: 99.3917%."""
    assert re.search(r'class="share">99\.39% <small>of 90 days', (await client.get("/status/shop")).text)


async def test_latencies_are_plotted_over_the_span_that_one_asks_for(client: httpx.AsyncClient) -> None:
    for key, words in (("", "24 hours"), ("24h", "24 hours"), ("7d", "7 days"), ("90d", "90 days"), ("x", "24 hours")):
        page = await client.get("/status/search", params={"span": key} if key else {})
        label = re.search(r'aria-label="Latency of search over ([\w ]+): lately p50 ([^,]+), p95 ', page.text)
        assert label is not None
        assert label[1] == words
        assert page.text.count('<path class="p') == 3


async def test_an_incident_says_when_how_long_and_after_what(client: httpx.AsyncClient, world: ProbeWorld) -> None:
    world.fires()
    text = (await client.get("/status")).text
    assert "lasted 1 h 35 min" in text
    assert "lasted 12 min so far" in text
    assert f"after <strong>{SUSPECT}</strong> became live" in text


async def test_one_probe_has_a_page_of_its_own_and_another_none(client: httpx.AsyncClient) -> None:
    page = await client.get("/status/search")
    assert "The shop" not in page.text
    gone = await client.get("/status/nothing")
    assert (gone.status_code, "Nothing is here" in gone.text) == (404, True)


async def test_everybody_sees_what_is_public_and_no_more(world: ProbeWorld) -> None:
    world.fires()
    async with a_client(world, an_access(), **CLOSED) as client:
        page, one, hidden = [await client.get(path) for path in ("/status", "/status/shop", "/status/cellar")]
    assert [page.status_code, one.status_code, hidden.status_code] == [200, 200, 404]
    for text in (page.text, one.text):
        assert "The shop" in text
        for secret in ("cellar", SUSPECT, "/probes/", "3 of 12 failed", "127.0.0.1", "onerror"):
            assert secret not in text
    assert "did not work as it should" in page.text


@pytest.mark.parametrize(("scope", "sees"), [(Scope.READ, True), (Scope.AGENT, False)])
async def test_who_may_read_sees_all_of_them(world: ProbeWorld, scope: Scope, sees: bool) -> None:
    access = an_access()
    async with a_client(world, access, **CLOSED) as client:
        page = await client.get("/status", headers=await token_of(access, scope))
    assert ("the cellar" in page.text) is sees


async def test_it_is_indexed_only_where_it_is_public(world: ProbeWorld, client: httpx.AsyncClient) -> None:
    assert '<meta name="robots" content="noindex">' in (await client.get("/status")).text
    assert '<meta name="robots" content="noindex">' in (await client.get("/probes/shop")).text
    async with a_client(world, an_access(), **CLOSED) as public:
        assert "noindex" not in (await public.get("/status")).text


async def test_a_status_page_that_is_not_public_needs_a_token(world: ProbeWorld) -> None:
    async with a_client(world, an_access(), access={"mode": "token"}) as client:
        assert (await client.get("/status")).status_code == 401


async def test_where_nothing_can_be_read_the_page_says_so(client: httpx.AsyncClient, world: ProbeWorld) -> None:
    world.down = True
    for path in ("/status", "/status/shop", "/probes/shop"):
        page = await client.get(path)
        assert page.status_code == 503
        assert "cannot be shown now.</strong> History is down" in page.text
    assert "The probes cannot be shown now" in (await client.get("/")).text


async def test_many_probes_are_not_all_plotted() -> None:
    world = ProbeWorld(NOON, tuple({"name": f"p{number}"} for number in range(MOST_PLOTS + 5)))
    async with a_client(world) as client:
        page = await client.get("/status")
    assert page.text.count('class="panel probe"') == MOST_PLOTS + 5
    assert page.text.count("Nothing passed in the last 24 hours") == MOST_PLOTS


async def test_operators_see_why_it_alerts_and_how_fast_it_burns(client: httpx.AsyncClient, world: ProbeWorld) -> None:
    world.fires()
    page = await client.get("/probes/shop")
    for words in (
        "<strong>It burns its error budget fast</strong> since",
        "3 of 12 failed. It began after <strong>production #7 (abc1234)</strong> became live.",
        "99% over 30 days: ",
        '<th scope="row">fast-burn</th><td>14.4\u00d7</td>',
        "<td>16.7\u00d7 <small>in 1 h</small></td><td>100\u00d7 <small>in 5 min</small></td>",
        "from here, paris",
        'href="/targets/production"',
        "3 ms</span></li>",
    ):
        assert words in page.text


async def test_what_an_application_answered_is_text(client: httpx.AsyncClient) -> None:
    page = await client.get("/probes/shop")
    assert "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;{{ 7 * 7 }}" in page.text
    assert EVIL not in page.text


async def test_an_address_is_shown_without_its_password(client: httpx.AsyncClient) -> None:
    page = await client.get("/probes/search")
    assert "https://search.example/find" in page.text
    assert "geheim" not in page.text


async def test_a_probe_is_silenced_by_a_person_with_a_reason_and_ended(
    client: httpx.AsyncClient, world: ProbeWorld
) -> None:
    said = {"lasts": "2h", "because": "we \n move", "actor": "ada"}
    answer = await client.post("/probes/shop/silences", data=said)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/probes/shop")
    (kept,) = world.alerts.kept_silences.values()
    assert (kept.probe, kept.actor, kept.because, kept.ends) == ("shop", "ada", "we move", NOON + timedelta(hours=2))
    page = await client.get("/probes/shop")
    assert "Nobody is told of it for 2 h." in page.text
    assert '<span class="pill rest">maintenance</span>' in page.text
    await client.post(f"/probes/shop/silences/{kept.id}/end", data={"actor": "ada"})
    assert await world.desk.silences() == ()


@pytest.mark.parametrize("said", [{"lasts": "2h"}, {"lasts": "2y", "because": "x"}, {"lasts": "2h", "because": " \n"}])
async def test_a_silence_needs_a_reason_and_an_end(
    client: httpx.AsyncClient, world: ProbeWorld, said: dict[str, str]
) -> None:
    await client.post("/probes/shop/silences", data=said)
    assert not world.alerts.kept_silences
    assert "Say for how long, and why." in (await client.get("/probes/shop")).text


async def test_other_origins_silence_nothing(client: httpx.AsyncClient, world: ProbeWorld) -> None:
    evil = {"Origin": "http://pr-7-shop.localhost:8080", "Sec-Fetch-Site": "same-site"}
    answer = await client.post("/probes/shop/silences", data={"lasts": "2h", "because": "x"}, headers=evil)
    assert (answer.status_code, world.alerts.kept_silences) == (403, {})


async def test_the_front_page_tells_of_probes_the_worst_first(client: httpx.AsyncClient, world: ProbeWorld) -> None:
    world.fires("cellar", Alarm.FAILING)
    text = (await client.get("/")).text
    found = [text.index(f'id="probe-{name}"') for name in ("shop", "cellar", "search")]
    assert found == sorted(found)
    assert '<a href="/status">Status</a>' in text


async def test_where_nothing_is_probed_the_front_page_does_not_speak_of_it() -> None:
    world = ProbeWorld(NOON)
    policy = Policy()
    pages = create_pages(FakeDesk(), None, policy, clock=lambda: NOON)
    app = create_api(FakeDesk(), version="0", policy=policy, ready=all_well, routers=[pages])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8080") as client:
        text = (await client.get("/")).text
    assert "/status" not in text
    assert world.probes[0].title not in text


async def test_pages_load_nothing_from_elsewhere_and_have_no_styles_of_their_own(client: httpx.AsyncClient) -> None:
    for path in ("/status", "/status/shop", "/probes/shop"):
        page = await client.get(path)
        assert " style=" not in page.text
        assert not re.findall(r'(?:src|href)="(?!/|\?|#)', page.text)


async def test_a_probe_that_is_not_known_is_said_on_a_page(client: httpx.AsyncClient) -> None:
    page = await client.get("/probes/nothing")
    assert (page.status_code, "there is no probe `nothing`" in page.text) == (404, True)


async def test_when_the_prober_is_cut_off_the_page_says_that_nothing_is_known(
    client: httpx.AsyncClient, world: ProbeWorld
) -> None:
    world.fires("(prober)", Alarm.SILENT)
    page = await client.get("/status")
    assert "What is shown is what was known before: the prober itself is cut off." in page.text
    assert '<div class="verdict note warn">' in page.text
