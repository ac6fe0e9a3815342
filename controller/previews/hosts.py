"""The host label of a preview: a pure function of what names it, so that the push, the platform and the page agree.

Only the standard library is imported here: the forge's hook says the URL within the push, and starts anew every time.
"""

import hashlib
import re

DEFAULT_PATTERN = "pr-{number}-{repo}"
PATTERN = r"^pr-\{number\}-[a-z0-9{}-]{1,40}$"
MAX_LABEL = 63
"""Octets of a DNS label (RFC 1035, 2.3.4)."""


def host_label(pattern: str, number: int, repo: str, service: str = "") -> str:
    """`pr-7-shop`, or `pr-7-acme-shop` of `acme/shop`: lower case letters, digits and hyphens, at most 63 of them.

    Where anything else had to be changed or cut to fit, a digest of what it was follows, so that two names do not
    become one (`acme/my-shop` and `acme-my/shop` do: whoever is second waits, and is told so). A pattern without
    `{repo}` is the same for every repository.
    """
    values = {"number": str(number), "repo": repo.replace("/", "-"), "service": service}
    wanted = re.sub(r"\{([a-z]+)\}", lambda match: values.get(match[1], match[0]), pattern)
    label = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")
    if label == wanted and len(label) <= MAX_LABEL:
        return label
    digest = hashlib.sha256(wanted.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{label[: MAX_LABEL - 1 - len(digest)].rstrip('-')}-{digest}"
