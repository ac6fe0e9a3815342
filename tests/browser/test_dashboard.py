"""The dashboard in a real Chromium. Every test also fails if the page complains in its console (see conftest)."""

from dataclasses import replace

import pytest

from controller.common.words import Conversation, Entry
from controller.previews.model import Event
from tests.browser.conftest import Open, Site, expect
from tests.fakes.desk import FAILED, READY

pytestmark = [pytest.mark.browser, pytest.mark.processes]
PHONE = {"viewport": {"width": 360, "height": 740}}
PATHS = ["/", "/previews/shop/7", "/previews/shop/8", "/pulls/shop/7"]
HOSTILE = """<script>document.title='owned'</script><img src=x onerror="document.title='owned'">
[click](javascript:document.title='owned') <details open ontoggle="document.title='owned'">
<svg onload="document.title='owned'"></svg> </main></body>"""


async def test_the_list_is_filtered_as_one_types(browse: Open) -> None:
    page = await browse("/")
    assert await page.locator(".row:visible").count() == 6
    await page.keyboard.press("/")
    await page.keyboard.type("ada checkout")
    assert await page.locator(".row:visible").count() == 1
    assert page.url.endswith("/?q=ada%20checkout")
    await page.reload()
    assert await page.locator(".row:visible").count() == 1
    await page.locator("#filter").fill("nothing is like this")
    assert await page.locator("#no-match").is_visible()


async def test_the_list_is_walked_with_keys(browse: Open) -> None:
    page = await browse("/")
    focused = "document.activeElement.textContent"
    await page.keyboard.press("j")
    assert await page.evaluate(focused) == "Search by colour"
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    assert await page.evaluate(focused) == "A checkout on one page"
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/previews/shop/7")
    await page.keyboard.press("u")
    await page.wait_for_url("**/")


async def test_the_first_tab_skips_to_the_content(browse: Open) -> None:
    page = await browse("/")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"


async def test_help_opens_and_closes(browse: Open) -> None:
    page = await browse("/")
    await page.keyboard.press("?")
    assert await page.locator("#help").is_visible()
    await page.keyboard.press("Escape")
    assert await page.locator("#help").is_hidden()


async def test_a_change_appears_without_reloading(browse: Open, site: Site) -> None:
    page = await browse("/")
    await page.locator(".live.online").wait_for()
    await page.evaluate("window.stayed = true")
    await page.keyboard.press("/")
    await page.keyboard.type("shop")
    site.desk.put(replace(site.desk.world[FAILED], state="ready", headline="ready · all 6 checks passed"))
    await page.get_by_text("all 6 checks passed", exact=True).wait_for()
    assert await page.evaluate("window.stayed")
    assert await page.locator("#filter").input_value() == "shop"
    assert await page.evaluate("document.activeElement.id") == "filter"
    assert await page.locator("#spoken").text_content() == "shop#8: ready · all 6 checks passed"


async def test_previews_that_come_and_go_keep_their_order(browse: Open, site: Site) -> None:
    page = await browse("/")
    await page.locator(".live.online").wait_for()
    await page.locator('[id="row-shop%2310"] .row-link').focus()
    world = site.desk.world
    site.desk.world = {key: world[key] for key in sorted(world) if key != READY}
    site.desk.ring()
    await page.locator('[id="row-shop%237"]').wait_for(state="detached")
    keys = await page.locator(".row .key").all_text_contents()
    assert keys == ["shop#5", "shop#8", "shop#9", "shop#10", "team/api#3"]
    assert await page.evaluate("document.activeElement.textContent") == "A wish list"


async def test_what_a_person_opened_stays_open(browse: Open, site: Site) -> None:
    page = await browse("/previews/shop/7")
    await page.locator(".live.online").wait_for()
    await page.get_by_text("home page").first.click()
    await page.locator(".screenshot img").wait_for()
    await page.locator("[name=because]").fill("half a sen")
    event = Event(READY, site.desk.now, "visit", "somebody came by")
    site.desk.events[READY].append(event)
    site.desk.ring(READY)
    await page.get_by_text("somebody came by").wait_for()
    assert await page.locator(".screenshot img").is_visible()
    assert await page.locator("[name=because]").input_value() == "half a sen"


async def test_a_button_changes_the_state_and_says_so(browse: Open, site: Site) -> None:
    page = await browse("/previews/shop/7")
    await page.evaluate("window.stayed = true")
    await page.locator("[name=actor]").fill("grace")
    await page.get_by_role("button", name="Sleep").click()
    await page.get_by_role("button", name="Wake").wait_for()
    await page.locator("#said", has_text="done as you asked").wait_for()
    assert await page.locator(".hero .pill").text_content() == "sleeping"
    assert site.desk.decided_by == [(READY, "sleep", "grace", "")]
    assert await page.evaluate("window.stayed")
    await expect(page.locator("[name=actor]")).to_have_value("grace")


async def test_enter_in_a_field_commands_nothing(browse: Open, site: Site) -> None:
    page = await browse("/previews/shop/7")
    await page.locator("[name=because]").press("Enter")
    await page.get_by_role("button", name="Pin").click()
    await page.get_by_role("button", name="Unpin").wait_for()
    assert [words for _, words, _, _ in site.desk.decided_by] == ["pin"]


async def test_taking_down_asks_first(browse: Open, site: Site) -> None:
    page = await browse("/previews/shop/7")
    assert await page.get_by_role("button", name="Take it down").is_hidden()
    await page.get_by_text("Down…").click()
    await page.get_by_role("button", name="Take it down").click()
    await page.get_by_role("button", name="Up").wait_for()
    assert site.desk.world[READY].state == "removed"


async def test_commands_work_without_the_script(browse: Open, site: Site) -> None:
    page = await browse("/previews/shop/7", java_script_enabled=False)
    await page.get_by_role("button", name="Pin").click()
    await page.get_by_role("button", name="Unpin").wait_for()
    assert [words for _, words, _, _ in site.desk.decided_by] == ["pin"]


async def test_the_log_follows(browse: Open, site: Site) -> None:
    page = await browse("/previews/shop/7")
    async with page.expect_response(lambda answer: "follow=true" in answer.url):
        await page.reload()
    await page.locator("pre.tail", has_text="GET /products/299 200").wait_for()
    await site.desk.log(READY, "web", "\x1b[32ma line \x1b[0mthat came later <b>")
    await page.locator("pre.tail", has_text="a line that came later <b>").wait_for()
    assert "GET /products/298 200" in str(await page.locator("pre.tail").text_content())


async def test_a_comment_is_posted_and_the_box_is_empty_again(browse: Open, site: Site) -> None:
    page = await browse("/pulls/shop/7")
    await page.locator("[name=author]").fill("lin")
    await page.locator("[name=body]").fill("Looks **good** to me")
    await page.get_by_role("button", name="Comment").click()
    await page.locator("#comment-4 .prose strong", has_text="good").wait_for()
    await expect(page.locator("[name=body]")).to_have_value("")
    await expect(page.locator("[name=author]")).to_have_value("lin")
    assert site.conversations.threads[READY].entries[-1].author == "lin"


async def test_a_half_written_comment_survives_what_others_say(browse: Open, site: Site) -> None:
    page = await browse("/pulls/shop/7")
    await page.locator(".live.online").wait_for()
    await page.locator("[name=body]").fill("I was about to s")
    await site.conversations.comment(READY, "ada", "me first")
    await page.get_by_text("me first").wait_for()
    assert await page.locator("[name=body]").input_value() == "I was about to s"


async def test_hostile_words_are_inert(browse: Open, site: Site) -> None:
    card = site.desk.world[READY]
    assert card.pull is not None
    pull = replace(card.pull, title=HOSTILE, branch=HOSTILE, author=HOSTILE)
    site.desk.put(replace(card, pull=pull, headline=HOSTILE))
    entry = Entry("1", HOSTILE, HOSTILE, site.desk.now, site.desk.now)
    site.conversations.threads[READY] = Conversation((entry,), (), None)
    site.desk.lines[READY, "web"] = [HOSTILE]
    for path in PATHS:
        page = await browse(path)
        await page.locator(".live.online").wait_for()
        assert await page.title() != "owned"
        assert await page.locator("main script, main img[src=x], main svg[onload], [onerror], [ontoggle]").count() == 0
        assert await page.locator("a[href^=javascript]").count() == 0


@pytest.mark.parametrize("path", PATHS)
async def test_a_phone_does_not_scroll_sideways(browse: Open, path: str) -> None:
    page = await browse(path, **PHONE)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_a_phone_does_not_scroll_sideways_for_long_words(browse: Open, site: Site) -> None:
    card = site.desk.world[READY]
    assert card.pull is not None
    long = "x" * 300
    site.desk.put(replace(card, pull=replace(card.pull, title=long, branch=long), headline=long))
    for path in PATHS:
        page = await browse(path, **PHONE)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360


CONTRAST = """() => {
  const style = (element) => getComputedStyle(element);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
  const white = [255, 255, 255];
  const ground = (element) => parse(style(element).backgroundColor);
  const paper = (element) => (element ? over(ground(element), paper(element.parentElement)) : white);
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => rgb.reduce((sum, c, i) => sum + linear(c / 255) * [0.2126, 0.7152, 0.0722][i], 0);
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest("svg, [disabled], .unseen, .skip")) continue;
    const under = paper(element);
    const [high, low] = [light(over(parse(style(element).color), under)), light(under)].sort((a, b) => b - a);
    if ((high + 0.05) / (low + 0.05) < 4.5) poor.push(`${element.className} ${element.textContent.trim()}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_its_ground(browse: Open, scheme: str) -> None:
    for path in PATHS:
        page = await browse(path, color_scheme=scheme)
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(18, 23, 22)" if scheme == "dark" else "rgb(246, 246, 242)")
        assert await page.evaluate(CONTRAST) == []


async def test_every_field_and_button_has_a_name(browse: Open) -> None:
    nameless = """() => [...document.querySelectorAll("input, select, textarea, button, a, img, svg[role]")]
      .filter((one) => one.checkVisibility() && !(one.labels?.length || one.getAttribute("aria-label")
        || one.textContent.trim() || one.hasAttribute("alt"))).map((one) => one.outerHTML)"""
    for path in PATHS:
        page = await browse(path)
        assert await page.evaluate(nameless) == []
        assert await page.locator("main h1").count() == 1
