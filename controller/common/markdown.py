"""Somebody's words made safe inside our Markdown (GitHub-flavoured), and cut to what a forge takes."""

import re
from collections.abc import Iterable

from controller.common.secrets import redact_shapes

COMMENT_LIMIT = 65_536
"""Characters of a comment (GitHub's limit)."""
SUMMARY_LIMIT = 65_535
"""Characters of a check run's summary (GitHub's limit)."""
_ROOM = 10
"""So many times what is shown is made safe first. Beyond that nothing could be seen in the end, colours and secrets
taken out, unless it is made of little else."""
_MARKUP = re.compile(r"([\\`*_\[\]<>|~&$])")
_LEAD = re.compile(r"^(?=[-+=#:])|^\d{1,9}(?=[.)])")
"""What may begin a heading, a list, a rule or an underline where it stands first in a line."""
_ACTS = re.compile(
    r"(?<=@)(?=\S)"  # a mention, a team, an address of mail
    r"|(?<=#)(?=\w)|(?<=\bgh-)(?=\d)"  # a reference
    r"|(?<=:)(?=//)|(?<=www)(?=\.)"  # a link
    r"|(?<=:)(?=[\w+-]{1,50}:)",  # an emoji: `a.py:100:2` is none
    re.IGNORECASE,
)
"""Where a forge would make something else of plain text: a zero-width space goes there. An escape would not help, as
this happens after Markdown. A revision stays whole, so that it can be copied: it leads to this repository at most."""
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Control characters, what is not seen, what reorders text (Unicode's bidirectional marks), and halves of a surrogate
pair, which no forge could be sent."""
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
"""Colours and cursor movements of a terminal (ECMA-48)."""


def visible(text: str) -> str:
    """Without colours, control characters, and what reorders the text around it."""
    return _CONTROL.sub("", _ANSI.sub("", _with_newlines(text)))


def plain(text: str) -> str:
    """The same, without what has the shape of a secret."""
    return redact_shapes(visible(text))


def one_line(text: str, limit: int = 300) -> str:
    """For places that take text and no Markdown: a title, a description. Made safe before it is cut."""
    return cut(" ".join(plain(text[: _ROOM * limit]).split()), limit)


def passage(text: str, limit: int) -> str:
    """The same with its lines."""
    return cut(plain(text[: _ROOM * limit]), limit)


def inline(text: str, limit: int = 300) -> str:
    """One line that stays text: no markup, link, mention, HTML or table cell comes out of it."""
    inert = _ACTS.sub("\u200b", one_line(text, limit))
    return _LEAD.sub(r"\g<0>\\", _MARKUP.sub(r"\\\1", inert))


def code(text: str, limit: int = 300) -> str:
    """One line in a code span, whatever backticks it has itself. Pipes are kept from ending a table cell."""
    line = one_line(text, limit).replace("|", "¦")
    if not line:
        return ""
    fence = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def block(text: str, lines: int = 30, width: int = 300) -> str:
    """The last `lines` in a fence longer than any in the text."""
    tail = _with_newlines(text).rstrip().rsplit("\n", _ROOM * lines)[-_ROOM * lines :]
    clean = plain("\n".join(line[: _ROOM * width] for line in tail)).rstrip()
    kept = [cut(line, width) for line in clean.split("\n")[-lines:]]
    body = "\n".join(kept)
    fence = "`" * max(3, _longest_run(body) + 1)
    return f"{fence}text\n{body}\n{fence}"


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def fit(parts: Iterable[str], limit: int) -> str:
    """The parts as paragraphs; whole ones are left out at the end where they would pass the limit, and that is said.
    None is made after that."""
    note = "_(more than fits here: the rest is on the dashboard)_"
    kept: list[str] = []
    room = limit - len(note) - 2
    for part in parts:
        if len(part) + 2 > room:
            return "\n\n".join([*kept, note])
        kept.append(part)
        room -= len(part) + 2
    return "\n\n".join(kept)


def _with_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
