"""Somebody's words made safe inside our Markdown (GitHub-flavoured), and cut to what a forge takes."""

import re

COMMENT_LIMIT = 65_536
"""Characters of a comment (GitHub's limit)."""
SUMMARY_LIMIT = 65_535
"""Characters of a check run's summary (GitHub's limit)."""
_MARKUP = re.compile(r"([\\`*_\[\]<>|~&])")
_LINKS = re.compile(r"(?<=[@#])(?=\w)|(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)
"""Where a forge would make a mention, a reference or a link of plain text: a zero-width space goes there."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


def plain(text: str) -> str:
    """Without colours, control characters, and what reorders the text around it."""
    return _CONTROL.sub("", _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def inline(text: str, limit: int = 300) -> str:
    """One line that stays text: no markup, link, mention, HTML or table cell comes out of it."""
    line = cut(" ".join(plain(text).split()), limit)
    return _LINKS.sub("\u200b", _MARKUP.sub(r"\\\1", line))


def code(text: str, limit: int = 300) -> str:
    """One line in a code span, whatever backticks it has itself. Pipes are kept from ending a table cell."""
    line = cut(" ".join(plain(text).split()), limit).replace("|", "¦")
    if not line:
        return ""
    fence = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def block(text: str, lines: int = 30, width: int = 300) -> str:
    """The last `lines` in a fence longer than any in the text."""
    kept = [cut(line, width) for line in plain(text).rstrip().split("\n")[-lines:]]
    body = "\n".join(kept)
    fence = "`" * max(3, _longest_run(body) + 1)
    return f"{fence}text\n{body}\n{fence}"


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def fit(parts: list[str], limit: int) -> str:
    """The parts as paragraphs; whole ones are left out at the end where they would pass the limit, and that is said."""
    note = "_(more than fits here: the rest is on the dashboard)_"
    kept: list[str] = []
    room = limit - len(note) - 2
    for part in parts:
        if len(part) + 2 > room:
            return "\n\n".join([*kept, note])
        kept.append(part)
        room -= len(part) + 2
    return "\n\n".join(kept)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
