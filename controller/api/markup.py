"""Markdown of comments (GitHub-flavoured) to HTML that nobody's words can break out of.

Raw HTML is text. Four things are allowed besides Markdown, because our own report uses them: an HTML comment on its
own is not shown, `<details>` (folded or open) with a `<summary>` folds what follows, `<br>` breaks a line, and a bare
`https://…` is a link. Images are not loaded: they become links. The report's own emoji become signs of the page.
"""

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup

MAX_LENGTH = 65_536
MAX_FOLDS = 8
"""Deepest nesting of `<details>`; deeper ones stay text."""
_COMMENT = re.compile(r"<!--(?:(?!--)[^\n])*-->\s*")
_DETAILS = re.compile(r"<details( open)?>\s*(?:<summary>(.*)</summary>)?\s*", re.IGNORECASE)
_SUMMARY = re.compile(r"<summary>(.*)</summary>\s*", re.IGNORECASE)
_END = re.compile(r"</details>\s*", re.IGNORECASE)
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"'`|]+[^\s<>\"'`|.,;:!?)\]*_~]")
_ICONS = {
    "✅": '<span class="icon good" role="img" aria-label="good">✓</span>',
    "❌": '<span class="icon bad" role="img" aria-label="bad">✕</span>',
    "⚠️": '<span class="icon warn" role="img" aria-label="warning">▲</span>',
    "⏳": '<span class="icon busy" role="img" aria-label="under way">●</span>',
    "💤": '<span class="icon rest" role="img" aria-label="resting">○</span>',
}
_ICON = re.compile(f"({'|'.join(_ICONS)})")
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|/(?![/\\])|#)", re.IGNORECASE)


@lru_cache(maxsize=512)
def render(text: str) -> Markup:
    """HTML of a comment; at most 65,536 characters of it are read."""
    html: str = _markdown().render(text[:MAX_LENGTH])
    return Markup(html)  # noqa: S704 - raw HTML is off, links are allow-listed; tests/api/test_markup.py attacks it


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    markdown = (
        MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")
    )
    setattr(markdown, "validateLink", _is_safe_link)  # noqa: B010 - the library's own way, which its types do not know
    markdown.block.ruler.before("table", "unseen", _unseen, {"alt": ["paragraph"]})
    markdown.block.ruler.before("table", "fold", _fold, {"alt": ["paragraph"]})
    markdown.inline.ruler.before("autolink", "break", _break)
    markdown.core.ruler.after("block", "close_folds", _close_folds)
    markdown.core.ruler.after("inline", "bare_links", _bare_links)
    markdown.core.ruler.push("mark_links", _mark_links)
    markdown.core.ruler.push("icons", _icons)
    return markdown


def _is_safe_link(url: str) -> bool:
    return _SAFE_LINK.match(url) is not None


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _unseen(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    """A line that is an HTML comment and nothing else is passed over."""
    if state.is_code_block(start) or not _COMMENT.fullmatch(_line(state, start)):
        return False
    if not silent:
        state.line = start + 1
    return True


def _fold(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`<details>`, its summary on the same or the next line, and `</details>`: at the top level only."""
    if state.level != 0 or state.is_code_block(start):
        return False
    text = _line(state, start)
    if _END.fullmatch(text):
        if not silent:
            state.line = start + 1
            state.push("details_close", "details", 0)
        return True
    match = _DETAILS.fullmatch(text)
    if match is None or sum(_depth(token) for token in state.tokens) >= MAX_FOLDS:
        return False
    if not silent:
        _open_fold(state, start, end, match)
    return True


def _depth(token: Token) -> int:
    return {"details_open": 1, "details_close": -1}.get(token.type, 0)


def _open_fold(state: StateBlock, start: int, end: int, match: re.Match[str]) -> None:
    state.line = start + 1
    said = match[2]
    if said is None and state.line < end and (beneath := _SUMMARY.fullmatch(_line(state, state.line))):
        said = beneath[1]
        state.line += 1
    token = state.push("details_open", "details", 0)
    if match[1]:
        token.attrSet("open", "")
    state.push("summary_open", "summary", 1)
    inline = state.push("inline", "", 0)
    inline.content, inline.map, inline.children = said or "Details", [start, state.line], []
    state.push("summary_close", "summary", -1)


def _close_folds(state: StateCore) -> None:
    """Every fold that was opened is closed, and no other: an unclosed one would swallow the page."""
    kept: list[Token] = []
    depth = 0
    for token in state.tokens:
        if token.type == "details_close" and depth == 0:
            continue
        depth += _depth(token)
        token.nesting = _depth(token) or token.nesting  # type: ignore[assignment]  # -1 and 1 are Nesting
        kept.append(token)
    kept += [Token("details_close", "details", -1) for _ in range(depth)]
    state.tokens = kept


def _break(state: StateInline, silent: bool) -> bool:
    match = _BREAK.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = match.end()
    return True


def _bare_links(state: StateCore) -> None:
    """A web address in text becomes a link; an escaped one (`https\\://`) stays text, as on a forge."""
    for block in state.tokens:
        if block.type != "inline" or not block.children or "://" not in block.content:
            continue
        children: list[Token] = []
        inside = 0
        for token in block.children:
            inside += {"link_open": 1, "link_close": -1}.get(token.type, 0)
            children += _linked(token) if token.type == "text" and not inside else [token]
        block.children = children


def _linked(token: Token) -> list[Token]:
    pieces: list[Token] = []
    end = 0
    for match in _URL.finditer(token.content):
        opening = Token("link_open", "a", 1, attrs={"href": match[0]})
        pieces += [_text(token.content[end : match.start()]), opening, _text(match[0]), Token("link_close", "a", -1)]
        end = match.end()
    return [*pieces, _text(token.content[end:])]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _mark_links(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or []:
            if child.type == "link_open":
                child.attrSet("rel", "nofollow noreferrer")


def _icons(state: StateCore) -> None:
    """The report's emoji as signs of our own, which look the same where there is no emoji font."""
    for token in state.tokens:
        if token.children and _ICON.search(token.content):
            token.children = [piece for child in token.children for piece in _with_icons(child)]


def _with_icons(token: Token) -> list[Token]:
    if token.type != "text":
        return [token]
    pieces = [piece for piece in _ICON.split(token.content) if piece]
    return [Token("html_inline", "", 0, content=_ICONS[piece]) if piece in _ICONS else _text(piece) for piece in pieces]
