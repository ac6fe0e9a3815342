"""The dashboard's pages about targets, without a browser."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from html import unescape

import httpx
import pytest

from controller.api.app import create_api
from controller.api.pages import create_pages
from controller.api.target_pages import create_target_pages
from controller.api.target_views import figures
from controller.deploys.desk import Dora
from controller.deploys.model import Probed, Stop, Verb
from controller.settings import Policy
from tests.api.api import all_well
from tests.api.production import SECRET, a_day_in_production
from tests.deploys.day import NAME, Day
from tests.fakes.desk import FakeDesk
from tests.fakes.journal import FakeJournal

HERE = f"/targets/{NAME}"
ORIGIN = {"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def day() -> Day:
    return await a_day_in_production()


@pytest.fixture
async def client(day: Day) -> AsyncIterator[httpx.AsyncClient]:
    desk, policy, clock = FakeDesk(), Policy(), lambda: day.now
    pages = [create_pages(desk, None, policy, clock, targets=day.desk), create_target_pages(day.desk, clock)]
    app = create_api(desk, version="0", policy=policy, ready=all_well, routers=pages, targets=day.desk)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", headers=ORIGIN) as client:
        yield client


async def test_the_front_page_tells_where_main_runs(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text

    assert f'href="{HERE}"' in page
    assert "#2 A commit" in page
    assert "was restored: #3" in page
    assert f'href="http://{NAME}.localhost:8080"' in page


async def test_the_front_page_stands_where_the_place_is_down(client: httpx.AsyncClient, day: Day) -> None:
    day.targets.down = True

    page = await client.get("/")

    assert page.status_code == 200
    assert "Where main runs cannot be shown now." in page.text
    assert "A checkout on one page" in page.text


async def test_a_target_shows_its_releases_its_checks_and_its_figures(client: httpx.AsyncClient) -> None:
    page = unescape((await client.get(HERE)).text)

    for words in (
        'data-target="production"',
        "#3 was rolled back to #2",
        "smoke › smoke check: status 500, expected below 400",
        "rejected 10 s later",
        "Checks of #2",
        "<strong>33%</strong>",
        "Making #3",
        "listening",
        "works again",
    ):
        assert words in page


async def test_no_value_of_configuration_or_secret_is_on_it(client: httpx.AsyncClient) -> None:
    page = (await client.get(HERE)).text
    assert SECRET not in page
    assert "blue" not in page


async def test_evidence_and_titles_are_text_that_is_seen(client: httpx.AsyncClient, day: Day) -> None:
    evil = '<img src=x onerror="alert(1)">\u202e\x1b[31m{{ 7 * 7 }}'
    site = day.targets.ground.sites[NAME]
    releases = tuple(
        replace(one, evidence=evil, why=evil, because=evil, actor=evil, commit=replace(one.commit, title=evil))
        for one in site.record.releases
    )
    site.record = replace(site.record, releases=releases, stop=Stop(evil, day.now, (evil,)))

    for path in ("/", HERE):
        page = (await client.get(path)).text
        assert "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;" in page
        assert "<img src=x" not in page
        assert not set("\u202e\x1b") & set(page)


async def test_a_stopped_one_says_what_can_be_said(client: httpx.AsyncClient, day: Day) -> None:
    site = day.targets.ground.sites[NAME]
    stop = Stop("nothing earlier is good", day.now, ('mayfly release production --reason "…"',))
    site.record = replace(site.record, stop=stop)

    page = unescape((await client.get(HERE)).text)

    assert "Stopped, and waits for you" in page
    assert stop.commands[0] in page
    assert 'id="ask-release"' in page


async def test_what_probes_said_is_shown(client: httpx.AsyncClient, day: Day) -> None:
    day.probed = Probed(1, 20, worst="checkout: status 500")
    await day.deployer.round()

    page = unescape((await client.get(HERE)).text)

    assert "1 of 20 samples failed (more than 2 while it soaks, and it is rolled back). checkout: status 500" in page


async def test_a_person_rolls_back_to_the_release_they_chose(client: httpx.AsyncClient, day: Day) -> None:
    form = {"verb": "rollback", "to": "1", "because": "prices are wrong", "actor": "ada"}

    answer = await client.post(f"{HERE}/asks", data=form)
    await day.settle()

    assert (answer.status_code, answer.headers["Location"]) == (303, HERE)
    assert (day.record.live, day.record.rollback and day.record.rollback.actor) == (1, "ada")
    assert "is rolled back from #2" in (await client.get(HERE)).text


async def test_the_same_form_twice_goes_back_once(client: httpx.AsyncClient, day: Day) -> None:
    form = {"verb": "rollback", "to": "1", "because": "prices are wrong", "actor": "ada"}
    for _ in range(2):
        await client.post(f"{HERE}/asks", data=form)
        await day.settle()

    assert "is no verified release" in (await client.get(HERE)).text
    assert day.record.live == 1


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"verb": "rollback", "to": "3", "because": "x"}, "#3 is no verified release"),
        ({"verb": "hold", "because": " "}, "say why"),
        ({"verb": "release", "because": "x"}, "nobody holds production"),
    ],
)
async def test_what_is_not_taken_says_why(
    client: httpx.AsyncClient, day: Day, form: dict[str, str], words: str
) -> None:
    await client.post(f"{HERE}/asks", data=form)

    assert words in (await client.get(HERE)).text
    assert NAME not in await day.journal.target_decisions()


async def test_forms_are_about_what_can_be_done_now(client: httpx.AsyncClient, day: Day) -> None:
    async def forms() -> list[str]:
        page = (await client.get(HERE)).text
        return [verb for verb in Verb if f'id="ask-{verb}"' in page]

    assert await forms() == ["rollback", "hold", "redeploy"]
    await day.ask(Verb.HOLD)
    await day.settle(1)
    assert await forms() == ["rollback", "release"]


async def test_a_form_of_another_origin_asks_for_nothing(client: httpx.AsyncClient, day: Day) -> None:
    form = {"verb": "hold", "because": "x"}
    origin = {"Origin": "http://pr-7.localhost:8080", "Sec-Fetch-Site": "same-site"}

    answer = await client.post(f"{HERE}/asks", data=form, headers=origin)

    assert answer.status_code == 403
    assert NAME not in await day.journal.target_decisions()


async def test_an_unknown_target_is_not_found_and_those_there_are_are_named(client: httpx.AsyncClient) -> None:
    page = await client.get("/targets/prod")
    assert page.status_code == 404
    assert "there is production" in page.text


async def test_a_journal_that_is_down_takes_only_its_parts_with_it(
    client: httpx.AsyncClient, day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = FakeJournal()
    gone.down = True
    monkeypatch.setattr(day.desk, "timeline", lambda name, limit=200: gone.target_timeline(name, limit))

    page = await client.get(HERE)

    assert page.status_code == 200
    assert "The timeline cannot be shown now." in page.text
    assert "Checks of #2" in page.text


async def test_a_target_that_is_empty_has_a_page() -> None:
    empty = Day()
    app = create_api(
        FakeDesk(),
        version="0",
        policy=Policy(),
        ready=all_well,
        routers=[create_target_pages(empty.desk, lambda: empty.now)],
        targets=empty.desk,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8080") as client:
        page = await client.get(HERE)
    assert page.status_code == 200
    assert "nothing was deployed yet" in page.text


def test_a_figure_that_nothing_is_known_of_is_not_nothing() -> None:
    unknown = figures(Dora(timedelta(days=30), 0, None, None, None))
    assert [figure.value for figure in unknown] == ["0", "not yet", "not yet", "not yet"]
