"""GitHub as the policy and the environment name it: who we are, how we ask, and where we are told."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from controller.adapters.github.connect import connect
from controller.adapters.github.door import now_utc
from controller.adapters.github.events import IsOurs
from controller.adapters.github.forge import GitHubForge
from controller.adapters.github.inbox import Inbox
from controller.adapters.github.inbox import Meter as InboxMeter
from controller.adapters.github.meter import Meter as ClientMeter
from controller.adapters.github.signature import Signatures
from controller.common.nouns import PreviewKey
from controller.ports import Ledger
from controller.settings import WEBHOOK_SECRET, WEBHOOK_SECRET_BEFORE, GitHub


class Meter(ClientMeter, InboxMeter, Protocol):
    """What is counted about talking with GitHub."""


@asynccontextmanager
async def open_github(  # noqa: PLR0913 - what it is put together from, by name
    settings: GitHub,
    environ: Mapping[str, str],
    ledger: Ledger,
    *,
    secrets: Collection[str] = (),
    meter: Meter | None = None,
    page: Callable[[PreviewKey], str] | None = None,
    clock: Callable[[], datetime] = now_utc,
) -> AsyncIterator[GitHubForge]:
    """Asks nothing yet. `secrets` are struck out of all that is said, ours among them; `page` gives where the dashboard
    shows a preview. Raises Refused where a key, a token or the webhook's secret is missing, with what to set."""
    signatures = Signatures.of(environ) if settings.mode == "webhook" else None
    ours = (environ.get(name, "") for name in (WEBHOOK_SECRET, WEBHOOK_SECRET_BEFORE))
    client, credentials = connect(settings, environ, secrets=(*secrets, *filter(None, ours)), meter=meter, clock=clock)
    forge = GitHubForge(client, credentials, ledger, settings, clock=clock, page=page)
    inbox = None
    if signatures is not None:
        inbox = Inbox(signatures, ledger, forge.hear, _is_ours(settings), clock, meter, waiting=forge.waiting)
    forge.webhooks = inbox
    try:
        yield forge
    finally:
        if inbox is not None:
            await inbox.close()
        await client.close()


def _is_ours(settings: GitHub) -> IsOurs:
    """The App alone: where we are somebody's token, that person gives commands as well."""
    return lambda _, app: app is not None and app == settings.app_id
