"""Comments as HTML: what our report uses is shown, and nobody's words become markup."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.markup import MAX_FOLDS, render

HARMLESS = {
    *(
        "a",
        "blockquote",
        "br",
        "code",
        "details",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
    ),
    *("s", "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
HARMLESS_ATTRIBUTES = {"href", "rel", "class", "start", "open", "role", "aria-label", "style", "title"}
STYLES = {"text-align:left", "text-align:right", "text-align:center"}


class Reading(HTMLParser):
    """Collects what a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.depth: dict[str, int] = {}
        self.comments: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.depth[tag] = self.depth.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        self.depth[tag] = self.depth.get(tag, 0) - 1

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def assert_harmless(html: str) -> None:
    reading = Reading(html)
    assert reading.comments == []
    for tag, attributes in reading.tags:
        assert tag in HARMLESS
        assert set(attributes) <= HARMLESS_ATTRIBUTES
        assert attributes.get("style") in {None, *STYLES}
        assert re.match(r"https?://|mailto:|/(?![/\\])|#", attributes.get("href") or "#", re.IGNORECASE)
    assert reading.depth.get("details", 0) == 0
    assert reading.depth.get("summary", 0) == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<script>alert(1)</script>", id="a script"),
        pytest.param("<img src=x onerror=alert(1)>", id="an event handler"),
        pytest.param("hello <b onclick=alert(1)>world</b>", id="an inline tag"),
        pytest.param("[x](javascript:alert(1))", id="a script link"),
        pytest.param("[x](JaVaScRiPt:alert(1))", id="a script link in mixed case"),
        pytest.param("[x](java&#115;cript:alert(1))", id="a script link with an entity"),
        pytest.param("[x](&#x6A;avascript:alert(1))", id="a script link beginning with an entity"),
        pytest.param("[x](<java\tscript:alert(1)>)", id="a script link with a tab"),
        pytest.param("[x](data:text/html;base64,PHNjcmlwdD4=)", id="a data link"),
        pytest.param("![x](data:image/svg+xml,<svg onload=alert(1)>)", id="a data image"),
        pytest.param("![x](http://evil.example/track.png)", id="an image"),
        pytest.param("[x](vbscript:msgbox(1))", id="a vbscript link"),
        pytest.param("[x](file:///etc/passwd)", id="a file link"),
        pytest.param("[x](//evil.example)", id="a link without a scheme"),
        pytest.param("<javascript:alert(1)>", id="an autolink"),
        pytest.param("[x]\n\n[x]: javascript:alert(1)", id="a reference"),
        pytest.param('[x](http://a.example "t\\" onclick=alert(1) x=\\"")', id="a title that closes its quote"),
        pytest.param('http://a.example/"onmouseover="alert(1)', id="a bare link with a quote"),
        pytest.param("http://a.example/<script>alert(1)</script>", id="a bare link with a tag"),
        pytest.param("<!-- a --><script>alert(1)</script>", id="an HTML comment and then a script"),
        pytest.param("<!-- --> <img src=x onerror=alert(1)> -->", id="an HTML comment that ends early"),
        pytest.param("<!--", id="an unclosed HTML comment"),
        pytest.param("<details><summary><script>alert(1)</script></summary>", id="a script in a summary"),
        pytest.param("<details ontoggle=alert(1) open>", id="a fold with a handler"),
        pytest.param("<details><details><details>", id="unclosed folds on one line"),
        pytest.param("<details>\n" * 40, id="unclosed folds"),
        pytest.param("</details>\n</div></main>", id="closing what is not ours"),
        pytest.param("- <details>\n\n  <details>\n> <details>", id="folds in lists and quotes"),
        pytest.param('```"><script>alert(1)</script>\nx\n```', id="a fence with a hostile language"),
        pytest.param("`<script>` | <b>\n--- | ---\n<i> | <svg/onload=alert(1)>", id="tags in a table"),
        pytest.param("✅<script>alert(1)</script>✅", id="a tag among icons"),
        pytest.param("\x00\ufffd<scr\x00ipt>", id="null characters"),
        pytest.param("<style>*{display:none}</style><iframe src=//evil.example>", id="style and frame"),
        pytest.param("<a href='javascript:alert(1)'>x</a><form action=//e><button>", id="link and form"),
    ],
)
def test_hostile_words_stay_words(text: str) -> None:
    assert_harmless(render(text))


@given(
    st.lists(
        st.sampled_from([*"<>[]()!`*_|-#:/\\\"'=& \n", "details", "summary", "http://", "script", "✅", "a"]),
        max_size=60,
    )
)
def test_no_combination_breaks_out(pieces: list[str]) -> None:
    assert_harmless(render("".join(pieces)))


def test_the_report_is_shown_as_a_forge_shows_it() -> None:
    text = (
        "<!-- mayfly shop#7 -->\n### ✅ Preview ready\n\n"
        "**http://pr-7-shop.localhost:8080** · [details](/previews/shop/7)\n\n"
        "| check | result |\n| --- | --- |\n| home | ~~no~~<br>yes |\n"
    )
    assert render(text) == (
        '<h3><span class="icon good" role="img" aria-label="good">✓</span> Preview ready</h3>\n'
        '<p><strong><a href="http://pr-7-shop.localhost:8080" rel="nofollow noreferrer">http://pr-7-shop.localhost:8080'
        '</a></strong> · <a href="/previews/shop/7" rel="nofollow noreferrer">details</a></p>\n'
        "<table>\n<thead>\n<tr>\n<th>check</th>\n<th>result</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>home</td>\n"
        "<td><s>no</s><br />\nyes</td>\n</tr>\n</tbody>\n</table>\n"
    )


def test_a_fold_shows_its_summary_and_hides_the_rest() -> None:
    assert render("<details>\n<summary>More `x`</summary>\n\n```text\n<b>\n```\n\n</details>\nafter") == (
        "<details>\n<summary>More <code>x</code></summary>\n"
        '<pre><code class="language-text">&lt;b&gt;\n</code></pre>\n</details>\n<p>after</p>\n'
    )


def test_a_fold_may_be_open_and_may_lack_a_summary() -> None:
    assert render("<details open>\n\nx\n\n</details>") == (
        '<details open="">\n<summary>Details</summary>\n<p>x</p>\n</details>\n'
    )


def test_folds_are_only_so_deep() -> None:
    assert render("<details>\n" * (MAX_FOLDS + 3)).count("<details>") == MAX_FOLDS


def test_an_escaped_address_is_not_a_link() -> None:
    assert "<a" not in render("https\\://evil.example and http\\:\\/\\/evil.example")


def test_a_bare_address_ends_before_the_full_stop() -> None:
    assert 'href="http://a.example/x"' in render("See http://a.example/x.")


def test_a_line_of_a_comment_is_a_line() -> None:
    assert render("/preview pin\nuntil the demo") == "<p>/preview pin<br />\nuntil the demo</p>\n"
