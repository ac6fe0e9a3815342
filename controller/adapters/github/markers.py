"""How we know our own words again: by who wrote them and by a first line that the page does not show.

Neither is enough alone. Anybody can write the line, and where we are somebody's token, that person comments as well.
"""

import re

from controller.common.nouns import PreviewKey
from controller.previews.report import marker

__all__ = ["answer", "bears", "is_ours", "marked", "sticky", "topic_of", "unmarked"]

_ANY = re.compile(r"<!-- mayfly (?:answer \S+|\S+#\d+(?: \S+)?) -->\s*")
_TOPIC = re.compile(r"<!-- mayfly \S+#\d+ (\S+) -->")
_UNSAFE = re.compile(r"[^\w:.-]", re.ASCII)
"""What could end an HTML comment, or the word; ids of comments and deliveries have none of it, nor have topics."""


def sticky(key: PreviewKey, topic: str = "") -> str:
    """Begins the sticky comment of a topic; that of the preview is the report's own."""
    return f"<!-- mayfly {key} {_UNSAFE.sub('_', topic)} -->" if topic else marker(key)


def topic_of(body: str) -> str:
    """Of a sticky comment; empty for the preview's, and for whatever is none."""
    found = _TOPIC.match(body)
    return found[1] if found else ""


def answer(to: str) -> str:
    """Begins the answer to what has the id `to`."""
    return f"<!-- mayfly answer {_UNSAFE.sub('_', to)} -->"


def marked(marker: str, body: str) -> str:
    """The body with its marker first, once."""
    return body if bears(body, marker) else f"{marker}\n{body}"


def unmarked(body: str) -> str:
    """What a reader sees."""
    return _ANY.sub("", body, count=1) if _ANY.match(body) else body


def bears(body: str, marker: str) -> bool:
    """A quoted marker stands later, and does not count."""
    return body.startswith(marker)


def is_ours(author_login: str, body: str, our_login: str) -> bool:
    """Whether we wrote it. Logins are compared as GitHub does, whatever the case."""
    return author_login.casefold() == our_login.casefold() and _ANY.match(body) is not None
