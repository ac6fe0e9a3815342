"""Whoever is told, by HTTP: a webhook with a signature, and Slack."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping

import aiohttp

from controller.adapters.notify.posting import post
from controller.adapters.notify.slack import Slack
from controller.adapters.notify.webhook import Webhook, signed
from controller.errors import Refused
from controller.ports import Notifier
from controller.settings import Route, Target


def notifier(route: Route, environment: Mapping[str, str], session: aiohttp.ClientSession) -> Notifier:
    """Raises Refused where a variable that it names is not set."""
    url = route.url or _value(f"route `{route.name}`", route.url_from or "", environment)
    if route.kind == "slack":
        return Slack(route.name, url, session)
    secret = _value(f"route `{route.name}`", route.secret_from, environment) if route.secret_from else ""
    return Webhook(route.name, url, secret, session)


def teller(
    targets: Collection[Target], environment: Mapping[str, str], session: aiohttp.ClientSession
) -> Callable[[str, bytes], Awaitable[None]]:
    """Posts JSON to the webhooks that roll back watched targets, signed as notifications are. Raises Refused, as
    `notifier` does."""
    secrets = {
        target.watch.rollback_webhook: _value(f"target `{target.name}`", target.watch.rollback_secret_from, environment)
        for target in targets
        if target.watch is not None and target.watch.rollback_secret_from
    }

    async def tell(url: str, body: bytes) -> None:
        await post(session, url, body, signed(secrets.get(url, "").encode(), body, time.time()))

    return tell


def _value(who: str, name: str, environment: Mapping[str, str]) -> str:
    if not environment.get(name):
        raise Refused(f"{who} takes its URL or secret from {name}, which is not set")
    return environment[name]
