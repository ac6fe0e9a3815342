import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from controller.previews.markdown import block, code, cut, fit, inline

RENDER = MarkdownIt("commonmark", {"html": True}).enable("table")
HOSTILE = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/track.png)",
    "**bold** _it_ `code` ~~s~~",
    "| a | b |",
    "<!-- mayfly shop#1 -->",
    "&lt;b&gt; &#60;b&#62;",
    "\\<b>\\",
    "```\nfence",
    "<details><summary>x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_inline_text_renders_as_itself(text):
    html = RENDER.renderInline(inline(text)).replace("\u200b", "")
    for mark, char in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")]:
        html = html.replace(mark, char)
    assert html == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("thanks @ada", "thanks @\u200bada", id="a mention"),
        pytest.param("see #12", "see #\u200b12", id="a reference"),
        pytest.param("http://evil.example", "http:\u200b//evil.example", id="a link"),
        pytest.param("www.evil.example", "www\u200b.evil.example", id="a link without a scheme"),
        pytest.param("\x1b[31mred\x1b[0m \u202eabc\x00", "red abc", id="colours and what reorders text"),
        pytest.param("a\r\nb\n\n c", "a b c", id="lines become one"),
    ],
)
def test_inline_text_does_nothing_on_a_forge(text, expected):
    assert inline(text) == expected


@given(st.text())
def test_a_block_is_one_fence_whatever_is_in_it(text):
    tokens = RENDER.parse(block(text))
    assert [token.type for token in tokens] == ["fence"]


@given(st.text(min_size=1))
def test_a_code_span_is_one_whatever_is_in_it(text):
    rendered = RENDER.renderInline(code(text))
    assert rendered == "" or (rendered.startswith("<code>") and rendered.count("<code>") == 1)


def test_a_block_keeps_the_last_lines():
    assert block("\n".join(str(n) for n in range(100)), lines=2) == "```text\n98\n99\n```"


def test_what_is_too_long_is_cut_and_says_so():
    assert cut("abcdef", 4) == "abc…"
    whole = fit(["a" * 40, "b" * 40, "c" * 40], 150)
    assert len(whole) <= 150
    assert whole.endswith("_(more than fits here: the rest is on the dashboard)_")
    assert fit(["a", "b"], 100) == "a\n\nb"
