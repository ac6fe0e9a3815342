"""Names of container images: what one means, and whether the policy lets it in. Pure.

| written | read as |
| --- | --- |
| `nginx` | `docker.io/library/nginx:latest` |
| `acme/web:1` | `docker.io/acme/web:1` |
| `localhost:5000/web@sha256:…` | that very content, whatever a tag beside it says |

The grammar and the short forms are those of github.com/distribution/reference, as containerd reads them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from controller.errors import Refused

HUB = "docker.io"
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?")
_PART = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
MAX_NAME = 255
_UNLIKELY = {"{sha}": "0" * 40, "{number}": "9" * 12}
"""Stand in for what differs from revision to revision. No policy names them, so none lets in what they decide."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An image, whole: `tag` is empty where a digest says it all."""

    registry: str
    """Host, with its port where it has one; `docker.io` for Docker Hub."""
    repository: str
    tag: str = "latest"
    digest: str = ""

    @property
    def name(self) -> str:
        return f"{self.registry}/{self.repository}"

    @property
    def wanted(self) -> str:
        """What to ask the registry for: a digest or a tag."""
        return self.digest or self.tag

    def at(self, digest: str) -> "Reference":
        """The same image, pinned."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"


def parse(image: str) -> Reference:
    """Raises Refused where it is no image's name."""
    rest, at, digest = image.partition("@")
    rest, tag = _tag(rest)
    registry, repository = _split(rest)
    # `sha256:abc` is a name by the grammar, but a node takes it for the id of whatever image it already has.
    if rest in {"sha256", "sha512"} or re.fullmatch("[0-9a-f]{64}", rest):
        raise _nonsense(image, "it is an id, not a name")
    if at and not DIGEST.fullmatch(digest):
        raise _nonsense(image, "after the `@` comes no digest")
    if tag is not None and not _TAG.fullmatch(tag):
        raise _nonsense(image, "after the `:` comes no tag")
    if not _HOST.fullmatch(registry) or len(f"{registry}/{repository}") > MAX_NAME:
        raise _nonsense(image)
    if not all(_PART.fullmatch(part) for part in repository.split("/")):
        raise _nonsense(image, "a name has lower case letters, digits, and `.`, `_`, `-` between them")
    return Reference(registry, repository, tag or ("" if digest else "latest"), digest)


def _tag(text: str) -> tuple[str, str | None]:
    """A colon in the last part begins a tag; in the first it is the port of a registry."""
    name, colon, tag = text.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (text, None)


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first):
        first, rest = HUB, name
    registry = first.lower()
    if registry in {HUB, f"index.{HUB}", f"registry-1.{HUB}"}:
        return HUB, rest if "/" in rest else f"library/{rest}"
    return registry, rest


def _nonsense(image: str, why: str = "") -> Refused:
    return Refused(f"{image[:300]!r} is not the name of an image{why and f': {why}'}")


def why_not(image: str, registries: Iterable[str]) -> str:
    """What is against an image that may have `{sha}` and `{number}` in it; empty where nothing is.

    It has to be one of the registries (`ghcr.io`, `ghcr.io/acme`, `localhost:5000/acme/web`), or in it; any will do
    where none are named. What has no host is on Docker Hub, there as here: `acme`, `library/postgres`.
    """
    for word, value in _UNLIKELY.items():
        image = image.replace(word, value)
    try:
        name = parse(image).name
    except Refused as error:
        return error.reason
    allowed = [_prefix(registry) for registry in registries]
    if allowed and not any(f"{name}/".startswith(f"{prefix}/") for prefix in allowed):
        return f"the image `{name}` is not from a registry that the policy allows ({', '.join(allowed)})"
    return ""


def images_allowed(image: str, registries: Iterable[str]) -> bool:
    return not why_not(image, registries)


def _prefix(registry: str) -> str:
    """Of names, as `Reference.name` has them."""
    text = registry.removeprefix("https://").strip("/")
    first, _, rest = text.partition("/")
    if not (first == "localhost" or "." in first or ":" in first):
        first, rest = HUB, text
    host = HUB if first.lower() in {f"index.{HUB}", f"registry-1.{HUB}"} else first.lower()
    return f"{host}/{rest}".rstrip("/")
