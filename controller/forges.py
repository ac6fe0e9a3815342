"""The forge that the policy names, put together. A part of the composition root."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote, urlsplit

from controller.adapters.git.forge import GitForge
from controller.adapters.git.setup import Announced
from controller.adapters.shared.disk import trouble
from controller.api.metrics import Metrics
from controller.common.nouns import PreviewKey
from controller.ports import Conversations, Forge, Ledger, Webhooks
from controller.settings import DATABASES_URL, HISTORY_URL, WEBHOOK_SECRET, WEBHOOK_SECRET_BEFORE, Home, Policy


@dataclass(frozen=True, slots=True)
class Forged:
    """A forge; `conversations` where its pull request pages are ours to show, `webhooks` where it tells us unasked."""

    forge: Forge
    conversations: Conversations | None = None
    webhooks: Webhooks | None = None


@asynccontextmanager
async def opened_forge(
    home: Home,
    policy: Policy,
    environ: Mapping[str, str],
    ledger: Ledger,
    metrics: Metrics,
    clock: Callable[[], datetime],
) -> AsyncIterator[Forged]:
    """Raises Refused or Unavailable where it cannot be used as the policy says."""
    match policy.forge:
        case "git":
            yield await _git(home, policy)
        case "github":
            async with _github(policy, environ, ledger, metrics, clock) as forged:
                yield forged


async def _git(home: Home, policy: Policy) -> Forged:
    with trouble(f"make {home.forge}"):
        home.forge.mkdir(parents=True, exist_ok=True)
    forge = GitForge(home.forge)
    deployed = [
        Announced(target.name, target.repository, target.branch, target.url or policy.url(target.name))
        for target in policy.targets
        if target.auto and target.watch is None
    ]
    await forge.announce(policy.url("{label}"), deployed)
    return Forged(forge, forge)


@asynccontextmanager
async def _github(
    policy: Policy, environ: Mapping[str, str], ledger: Ledger, metrics: Metrics, clock: Callable[[], datetime]
) -> AsyncIterator[Forged]:
    from controller.adapters.github.opening import open_github  # noqa: PLC0415 - who does not use GitHub does not pay for it

    def page(key: PreviewKey) -> str:
        return f"{policy.url()}/previews/{quote(key.repo)}/{key.number}"

    secrets = known_secrets(policy, environ)
    async with open_github(
        policy.github, environ, ledger, secrets=secrets, meter=metrics, clock=clock, page=page
    ) as forge:
        yield Forged(forge, webhooks=forge.webhooks)


def known_secrets(policy: Policy, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What must never be said, besides what the forge's adapter knows itself: passwords of databases, what webhooks are
    signed with."""
    urls = [policy.history or "", environ.get(HISTORY_URL, ""), environ.get(DATABASES_URL, "")]
    passwords = [password for url in urls if (password := urlsplit(url).password)]
    secrets = [*passwords, *map(unquote, passwords)]
    secrets += [environ.get(WEBHOOK_SECRET, ""), environ.get(WEBHOOK_SECRET_BEFORE, "")]
    return tuple(dict.fromkeys(filter(None, secrets)))
