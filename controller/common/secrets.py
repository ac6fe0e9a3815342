"""Takes what looks like a secret out of text that people will read. Pure, and linear in the text, however hostile.

This is the second net: secrets that are known are taken out by name where the text is made. Here the shape counts. So
that a log stays useful, a word is a secret for its prefix, its place or its name, never for looking random.

shape                                       becomes
------------------------------------------  ---------------------------
ghp_…, glpat-…, AKIA…, xoxb-…, eyJ….….…     •••
scheme://user:password@host                 scheme://user:•••@host
Authorization: Bearer …                     Authorization: Bearer •••
API_KEY=…, "password": "…", --token …       the same with •••
-----BEGIN … PRIVATE KEY----- and its body  •••, also where either end was cut off
"""

import re
from itertools import pairwise

HIDDEN = "•••"
_TOKENS = [
    re.compile(shape, re.ASCII)
    for shape in (
        r"gh[pousr]_(?:[A-Za-z0-9]{20,}|\d{1,12}_eyJ[\w-]+(?:\.[\w-]*)*)",  # GitHub
        r"github_pat_\w{20,}",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[\w-]{16,}(?:\.\w+)*",  # GitLab
        r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])",  # AWS
        r"AIza[\w-]{35}",  # Google
        r"ya29\.[\w-]{20,}",
        r"GOCSPX-[\w-]{20,}",
        r"xox[a-z]-[\w-]{10,}",  # Slack
        r"xapp-\d-[\w-]{10,}",
        r"(?<=hooks\.slack\.com/services/)[\w/]{20,}",
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,}",  # Stripe
        r"whsec_[A-Za-z0-9+/=]{16,}",
        r"npm_[A-Za-z0-9]{30,}",
        r"pypi-AgE[\w-]{16,}",
        r"dckr_pat_[\w-]{20,}",  # Docker Hub
        r"sk-(?:(?:ant|proj|svcacct)-[\w-]{20,}|[A-Za-z0-9]{40,})",  # Anthropic, OpenAI
        r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
        r"SG\.[\w-]{16,64}\.[\w-]{16,}",  # SendGrid
        r"hvs\.[\w-]{20,}",  # Vault
        r"(?:(?<![\w-])|(?<=\\[nrt]))eyJ[\w-]{8,}(?:\.[\w-]*){1,4}",  # JSON Web Token
    )
]
"""Prefixes that vendors chose to be found by."""
_USER_INFO = re.compile(r"(?<=://)([^\s/@:?#\"'<>]{0,256}:)[^\s/?#\"'<>]{1,512}@")
"""Up to the last `@` before the path: a password may have one itself."""
_LONE_USER = re.compile(r"(?<=://)[^\s/@:?#\"'<>.]{20,512}@")
"""A token where a user would stand."""
_HEADER = re.compile(
    r"(?i)(authorization\\?[\"']?[ \t]?[:=][ \t]?\\?[\"']?(?:bearer|basic|token)[ \t]+)[^\s\"'\\,]{6,}"
)
_BEARER = re.compile(r"(?i)(\b(?:bearer|basic)[ \t])(?=[^\s\"'\d=]{0,200}[\d=])[\w.~+/=-]{12,}")
_FLAG = re.compile(
    r"(?i)((?<!-)--[a-z-]{0,30}(?:password|token|secret|api-key)[ \t])(?=[^\s\d]{0,200}\d)[^\s\"'$<{-][^\s\"']{7,}"
)
_NAMED = re.compile(
    r"(?i)(?P<name>passwo?rd|passphrase|secret|token|credentials?|authorization|(?<=[_\"'])auth|(?<=_)pwd"
    r"|(?:api|access|account|private|secret|signing|encryption)[_-]?key)"
    r"(?P<between>\\?[\"']?[ \t]{0,4}(?:=>|:=|[:=])[ \t]{0,4}\\?[\"']?)"
    r"(?P<value>[^\s\"'`&\\]{8,})"
)
_REFERENCE = re.compile(r"[$<{*(\[%•]|[.~]{0,2}/[\w.-]+/|https?:|[A-Za-z_][\w.]*[(\[{]")
"""What stands for a secret without being one: `$TOKEN`, `<token>`, `/run/secrets/token`, `os.environ["TOKEN"]`."""
_MARK = re.compile(r"-----(?P<kind>BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-{0,5}")
_BODY = r"(?:[^\n]{0,60}[\s|:>\]])?[A-Za-z0-9+/]{24,}={0,2}[ \t\"]*"
"""A line of a private key, as a log may show it: behind the name of a service, or a time."""
_BODY_LINE = re.compile(_BODY)
_CUT_KEY = re.compile(rf"[^\n]*(?:\n{_BODY}(?=\n|$))*")
_BASE64_TAIL = re.compile(r"(?<![A-Za-z0-9+/=\\])[A-Za-z0-9+/=\\]+$")
_MAX_KEY = 20_000
"""Characters between the marks of one key; what is further apart does not belong together."""


def redact_shapes(text: str) -> str:
    """The text with `•••` where something has the shape of a secret. Control characters are to be gone already."""
    text = _without_keys(text)
    for token in _TOKENS:
        text = token.sub(HIDDEN, text)
    if "://" in text:
        text = _LONE_USER.sub(f"{HIDDEN}@", _USER_INFO.sub(rf"\g<1>{HIDDEN}@", text))
    for said in (_HEADER, _BEARER, _FLAG):
        text = said.sub(rf"\g<1>{HIDDEN}", text)
    return _NAMED.sub(_hide_value, text)


def _hide_value(match: re.Match[str]) -> str:
    """`PASSWORD=` is set from outside, whatever it is; in lower case it may be code or prose, which has no digits."""
    name, between, value = match.group("name", "between", "value")
    may_be_words = not name.isupper() and not any(char.isdigit() for char in value)
    return match[0] if may_be_words or _REFERENCE.match(value) else f"{name}{between}{HIDDEN}"


def _without_keys(text: str) -> str:
    if "PRIVATE KEY" not in text:
        return text
    kept: list[str] = []
    done = 0
    for mark, following in pairwise([*_MARK.finditer(text), None]):
        if mark is None or mark.start() < done:  # the end of a key that is hidden already
            continue
        before = text[done : mark.start()]
        if mark["kind"] == "BEGIN":
            kept += [before, HIDDEN]
            done = _end_of_key(text, mark, following)
        else:
            kept += [_without_body(before), HIDDEN]
            done = mark.end()
    return "".join([*kept, text[done:]])


def _end_of_key(text: str, begin: re.Match[str], following: re.Match[str] | None) -> int:
    """Where the key that begins there ends; one whose end was cut off, with its last line."""
    if following and following["kind"] == "END" and following.start() - begin.end() <= _MAX_KEY:
        return following.end()
    rest = _CUT_KEY.match(text, begin.end(), following.start() if following else len(text))
    return rest.end() if rest else begin.end()


def _without_body(text: str) -> str:
    """Without the lines of a key at its end, whose beginning was cut off."""
    *lines, last = text.split("\n")
    last = _BASE64_TAIL.sub("", last)
    if len(lines) > 1 and _BODY_LINE.fullmatch(lines[-2]):
        lines.pop()  # the last of a key is as short as it likes
    while lines and _BODY_LINE.fullmatch(lines[-1]):
        lines.pop()
    return "\n".join([*lines, last])
