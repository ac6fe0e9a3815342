"""Is an image in its registry, and under which digest? Asked often while a revision's image is still being built.

HEAD of its manifest, with GET where a registry knows no HEAD or leaves the digest out
(https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests). A HEAD is not counted by
Docker Hub's limit on pulls. What a registry wants to know of us, it says with 401; what we then got to say is said at
once the next time, until it expires.
"""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from yarl import URL

from controller.adapters.registry import challenge as challenges
from controller.adapters.registry.challenge import Challenge, basic, retry_after
from controller.adapters.registry.credentials import Login, login_for
from controller.adapters.registry.wire import Answer, Wire, is_own
from controller.common.images import DIGEST, HUB, Reference, parse
from controller.errors import Refused, Unavailable

TYPES = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
PASSES_KEPT = 500
_BASIC_LIFE = timedelta(minutes=10)
_ADVICE = (
    "add a pull secret for it (`kubernetes.pull_secrets`), "
    "or do not wait (`kubernetes.wait_for_image: 0`) where only the nodes may read it"
)
_SPARE = 0.9
"""Of a token's life: the rest is for clocks and roads."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """What to say in `Authorization`, until then (by the clock)."""

    words: str
    until: float


class Registry:
    """All registries; `credentials` by place, as `credentials_from` reads them.

    `plain` names registries (host and port) that speak http without TLS, besides those of this machine. `advice` is for
    whoever names an image that we may not read.
    """

    def __init__(
        self,
        credentials: Mapping[str, Login] | None = None,
        *,
        plain: Collection[str] = (),
        timeout: timedelta = timedelta(seconds=15),
        clock: Callable[[], float] = time.monotonic,
        advice: str = _ADVICE,
    ) -> None:
        self._credentials = dict(credentials or {})
        self._plain = frozenset(plain)
        self._wire = Wire(timeout)
        self._clock, self._advice = clock, advice
        self._passes: OrderedDict[str, _Pass] = OrderedDict()

    async def digest(self, image: str) -> str | None:
        """`sha256:…` of what a node would pull (of an index, where there is one); None where it is not there yet.

        Raises Unavailable where the registry does not answer or wants us to wait (`retry_after`), Refused where the
        name is none or we may not read it. Some registries say so, too, of a repository that is not there yet.
        """
        reference = parse(image)
        answer = await self._manifest("HEAD", reference)
        if answer.status == 405 or (answer.status == 200 and _named(answer) is None):
            answer = await self._manifest("GET", reference)
        return self._verdict(answer, reference)

    def login(self, credentials: Mapping[str, Login]) -> None:
        """Adds these; of two for one place the later one counts."""
        self._credentials |= credentials
        self._passes.clear()

    async def close(self) -> None:
        await self._wire.close()

    async def _manifest(self, method: str, reference: Reference) -> Answer:
        base = self._base(reference)
        url = base / "v2" / reference.repository / "manifests" / reference.wanted
        known = self._known(reference)
        answer = await self._ask(method, url, known, base)
        if (
            answer.status != 401
            or (asked := challenges.challenge(answer.headers.getall("WWW-Authenticate", ()))) is None
        ):
            return answer
        made = await self._pass(asked, reference, base)
        return await self._ask(method, url, made, base) if made is not None else answer

    async def _ask(self, method: str, url: URL, who: _Pass | None, base: URL) -> Answer:
        headers = {"Accept": TYPES} | ({"Authorization": who.words} if who else {})
        answer = await self._wire.ask(method, url, headers, base)
        _refuse_to_wait(answer, url)
        return answer

    async def _pass(self, asked: Challenge, reference: Reference, base: URL) -> _Pass | None:
        login = login_for(reference, self._credentials)
        if asked.realm:
            words, life = await self._token(asked, reference, login, base)
        elif login is not None:
            words, life = basic(login), _BASIC_LIFE
        else:
            return None
        made = _Pass(words, self._clock() + life.total_seconds() * _SPARE)
        self._passes[reference.name] = made
        if len(self._passes) > PASSES_KEPT:
            self._passes.popitem(last=False)
        return made

    async def _token(
        self, asked: Challenge, reference: Reference, login: Login | None, base: URL
    ) -> tuple[str, timedelta]:
        query = {"scope": asked.scope or f"repository:{reference.repository}:pull"}
        query |= {"service": asked.service} if asked.service else {}
        headers = {"Authorization": basic(login)} if login is not None else {}
        realm = _realm(asked.realm, base)
        answer = await self._wire.ask("GET", realm.update_query(query), headers, base)
        _refuse_to_wait(answer, realm)
        if answer.status != 200:
            raise self._forbidden(reference)
        try:
            found, life = challenges.token(answer.body)
        except (ValueError, RecursionError):
            raise Unavailable(f"{realm.authority} gives no token for {reference.name}") from None
        return f"Bearer {found}", life

    def _verdict(self, answer: Answer, reference: Reference) -> str | None:
        if answer.status == 404:
            return None
        if answer.status in {401, 403}:
            raise self._forbidden(reference)
        if answer.status != 200:
            raise Refused(f"the registry says {answer.status} of {reference}")
        digest = _named(answer) or _counted(answer, reference)
        if reference.digest and digest != reference.digest:
            raise Refused(f"the registry has {digest} where {reference} should be")
        return digest

    def _forbidden(self, reference: Reference) -> Refused:
        return Refused(f"no permission to read {reference.name}, or there is no such repository: {self._advice}")

    def _known(self, reference: Reference) -> _Pass | None:
        known = self._passes.get(reference.name)
        return known if known is not None and known.until > self._clock() else None

    def _base(self, reference: Reference) -> URL:
        if reference.registry == HUB:
            return URL(f"https://registry-1.{HUB}")
        try:
            url = URL(f"https://{reference.registry}")
            plain = is_own(url.host) or reference.registry in self._plain
        except ValueError as error:
            raise Refused(f"{reference.registry} is no address of a registry") from error
        return url.with_scheme("http") if plain else url


def _realm(text: str, base: URL) -> URL:
    try:
        realm = URL(text)
    except ValueError:
        realm = URL()
    if realm.scheme not in {"https", base.scheme} or not realm.host:
        raise Refused(
            f"the registry at {base.authority} wants us to get a token from {text[:200]!r}, which is not safe"
        )
    return realm


def _refuse_to_wait(answer: Answer, url: URL) -> None:
    if answer.status == 429 or answer.status >= 500:
        wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
        words = "wants us to wait" if answer.status == 429 else "does not work"
        raise Unavailable(f"the registry at {url.authority} {words} ({answer.status})", wait)


def _named(answer: Answer) -> str | None:
    digest = answer.headers.get("Docker-Content-Digest", "").strip()
    return digest if DIGEST.fullmatch(digest) else None


def _counted(answer: Answer, reference: Reference) -> str:
    try:
        is_manifest = "schemaVersion" in json.loads(answer.body)
    except (ValueError, TypeError, RecursionError):
        is_manifest = False
    if not is_manifest:
        raise Refused(f"{reference.registry} does not answer like a registry of images")
    algorithm = reference.digest.partition(":")[0] or "sha256"
    return f"{algorithm}:{hashlib.new(algorithm, answer.body).hexdigest()}"
