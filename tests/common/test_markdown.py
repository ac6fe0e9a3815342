import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from controller.common.markdown import block, code, cut, fit, inline, one_line, passage, plain, visible

RENDER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
ACTS = re.compile(r"@[\w-]|#\w|\bgh-\d|://|www\.|:[\w+-]{1,50}:", re.IGNORECASE)
"""What a forge makes something of after Markdown: mentions, references, links, emoji."""
TOKEN = "ghp" + "_Zx8Qm2Rt7Wp4Lk9Vb3Nc6Hd1Jf5Gs0TyUeIo"
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
    "<details>\n\n</details>",
    "# heading",
    "## heading ##",
    "- item",
    "+ item",
    "1. item",
    "12) item",
    "---",
    "===",
    "> [!WARNING]\n> do this",
    "- [x] done",
    "    indented",
    "~~~mermaid\ngraph TD",
    "$x$ and $$y$$",
    "[^1] and [^1]: note",
    "<https://evil.example> <ada@example.org>",
    ":--- | ---:",
    "100%, snake_case, a@b.c, src/a-b.py:100:2",
]
PIECES = [*"<>[]()!`*_|-#:/\\\"'=&~$^+. \n\t@a1\u200b", "www.", "http://e.example", "&lt;", "<!--", "-->", "<b>", "```"]
PIECES += [
    "~~~",
    "![a](b)",
    "[^1]:",
    "@ada/team",
    "#1",
    "GH-1",
    ":x:",
    "> [!NOTE]",
    "| - |",
    "<details>",
    "1.",
    "\x1b[0m",
]
HOSTILE_TEXT = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


def tags(rendered):
    return re.findall(r"</?([a-z0-9!-]+)", rendered)


def text_of(rendered):
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", rendered)).replace("\u200b", "").split())


@pytest.mark.parametrize("text", HOSTILE)
def test_inline_text_renders_as_itself(text):
    assert text_of(RENDER.render(inline(text))) == " ".join(text.split())
    assert tags(RENDER.render(inline(text))) == ["p", "p"]


@given(HOSTILE_TEXT)
def test_inline_text_is_nothing_but_text_wherever_it_stands(text):
    shown, said = inline(text), one_line(text)
    heading = RENDER.render(f"### x {shown}.")
    assert (tags(heading), text_of(heading)) == (["h3", "h3"], " ".join(f"x {said}.".split()))
    below = RENDER.render(f"above\n{shown}")
    assert (tags(below), text_of(below)) == (["p", "p"], f"above {said}".strip())
    assert tags(RENDER.render(f"**smoke › {shown} x** failed")) == ["p", "strong", "strong", "p"]
    cells = cells_of(shown)
    assert [text_of(cell) for cell in cells] == ["x", said, "y"]
    assert not any(tags(cell) for cell in cells)


@given(HOSTILE_TEXT)
def test_a_forge_does_nothing_with_inline_text(text):
    shown = inline(text)
    assert not ACTS.search(html.unescape(re.sub(r"<[^>]*>", "", RENDER.render(shown))))
    assert not re.search(r"(?<!\\)(?:\\\\)*\$", shown)  # mathematics


@given(HOSTILE_TEXT)
def test_a_code_span_ends_no_cell(text):
    cells = cells_of(code(text))
    assert [text_of(cell) for cell in cells] == ["x", one_line(text).replace("|", "¦"), "y"]
    assert tags(cells[1]) in (["code", "code"], [])


def cells_of(shown):
    rendered = RENDER.render(f"| a | b | c |\n| --- | --- | --- |\n| x | {shown} | y |\n")
    return re.findall(r"<td>(.*?)</td>", rendered, re.DOTALL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("thanks @ada", "thanks @\u200bada", id="a mention"),
        pytest.param("see #12", "see #\u200b12", id="a reference"),
        pytest.param("http://evil.example", "http:\u200b//evil.example", id="a link"),
        pytest.param("www.evil.example", "www\u200b.evil.example", id="a link without a scheme"),
        pytest.param("\x1b[31mred\x1b[0m \u202eabc\x00", "red abc", id="colours and what reorders text"),
        pytest.param("a\r\nb\n\n c", "a b c", id="lines become one"),
        pytest.param("ask @acme/admins", "ask @\u200bacme/admins", id="a team"),
        pytest.param("closes acme/shop#12, GH-12", "closes acme/shop#\u200b12, GH-\u200b12", id="other references"),
        pytest.param("ada@example.org", "ada@\u200bexample.org", id="an address of mail"),
        pytest.param("_www.evil.example", "\\_www\u200b.evil.example", id="a link behind a mark"),
        pytest.param(":white_check_mark: a.py:100:2", "\\:\u200bwhite\\_check\\_mark: a.py:\u200b100:2", id="emoji"),
        pytest.param("costs $5 or $6", "costs \\$5 or \\$6", id="mathematics"),
        pytest.param("abc1234" + "0" * 33, "abc1234" + "0" * 33, id="a revision can be copied"),
        pytest.param("100% of src/a-b.py (1.2 s) passed!", "100% of src/a-b.py (1.2 s) passed!", id="ordinary words"),
        pytest.param("half \ud83d of a pair", "half of a pair", id="what cannot be sent"),
    ],
)
def test_inline_text_does_nothing_on_a_forge(text, expected):
    assert inline(text) == expected


@given(HOSTILE_TEXT)
def test_a_block_is_one_fence_whatever_is_in_it(text):
    tokens = RENDER.parse(f"{block(text)}\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].info == "text"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\n```\n<b>x</b>\n```mermaid", "````text\na\n```\n<b>x</b>\n```mermaid\n````", id="a fence"),
        pytest.param("~~~\n    x\n~~~~", "```text\n~~~\n    x\n~~~~\n```", id="tildes"),
        pytest.param(f"{'x' * 290}{TOKEN}", f"```text\n{'x' * 290}•••\n```", id="a secret where it is cut"),
        pytest.param(f"{TOKEN[:9]}\u200b{TOKEN[9:]}", "```text\n•••\n```", id="a secret with something unseen in it"),
        pytest.param(f"{TOKEN[:9]}\x1b[1m{TOKEN[9:]}", "```text\n•••\n```", id="a secret in two colours"),
        pytest.param("1\r2\r\n3", "```text\n1\n2\n3\n```", id="a line that is written over"),
        pytest.param("a\x1b(B\x1b[m b\x1b]0;title\x07", "```text\na b\n```", id="what a terminal understands"),
        pytest.param("", "```text\n\n```", id="nothing"),
    ],
)
def test_a_block_shows_the_text_and_nothing_else(text, expected):
    assert block(text) == expected


@pytest.mark.parametrize("shape", [inline, code, one_line, plain, lambda text: passage(text, 300)])
def test_a_secret_goes_before_the_text_is_cut(shape):
    kept = shape(f"{'x ' * 145}{TOKEN} and more words than fit")
    assert "•••" in kept
    assert TOKEN[:8] not in kept


@given(st.text(alphabet=st.characters(codec=None)))
def test_what_is_visible_can_be_sent(text):
    assert visible(text).encode().decode() == visible(text)


def test_an_enormous_text_costs_little():
    began = time.perf_counter()
    for shape in (inline, code, block):
        shape("\x1b[1mpassword=" * 3_000_000)
    assert time.perf_counter() - began < 5


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
