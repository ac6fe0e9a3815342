"""What `mayfly doctor` finds out about GitHub, without asking it.

a controller runs             what it tells: its quota, who makes it wait, how late its words are, when it was last told
                              something
none runs, or another's does  what a start would refuse: the extra, the App's key or the token, the webhooks' secret
"""

import importlib.util
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from controller.cli.findings import Finding
from controller.cli.seen import Forge
from controller.cli.tables import age
from controller.errors import Refused
from controller.settings import Policy
from smoke.documents import format_duration

MOST_LAG = timedelta(minutes=1)
"""Words that wait longer are worth a look."""
EXTRA = ("httpx", "httpx_aiohttp", "jwt")


def of_running(forge: Forge, policy: Policy, now: datetime) -> Iterator[Finding]:
    """`now` is aware. The embedded forge has no quota, and is at hand."""
    if forge.name == "git":
        return
    yield _quota(forge, now)
    lag = timedelta(seconds=forge.lag or 0)
    if lag > MOST_LAG:
        seen = f"comments and checks have waited for {format_duration(timedelta(seconds=int(lag.total_seconds())))}"
        yield Finding("words", "absent", seen, "previews go on meanwhile; the controller's log says why")
    else:
        yield Finding("words", "ok", "nothing has waited for longer than a minute")
    if policy.github.mode == "webhook":
        yield _heard(forge, policy, now)


def of_policy(policy: Policy, environ: Mapping[str, str]) -> Iterator[Finding]:
    """As a start would find it, in this very environment."""
    if policy.forge != "github":
        return
    if missing := [name for name in EXTRA if importlib.util.find_spec(name) is None]:
        seen = f"the extra `github` is not installed (no {', '.join(missing)})"
        yield Finding("GitHub", "missing", seen, "pip install 'mayfly[github]'")
        return
    yield _credentials(policy, environ)
    if policy.github.mode == "webhook":
        yield _secret(environ)


def _quota(forge: Forge, now: datetime) -> Finding:
    if forge.waits_until is not None and forge.waits_until > now:
        return Finding(
            "forge", "absent", f"{forge.name}: nothing is asked until {_clock(forge.waits_until)}: {forge.why}"
        )
    if forge.remaining is None or forge.limit is None or forge.resets_at is None:
        return Finding("forge", "ok", f"{forge.name}; it has not said yet how many requests it takes")
    left = f"{forge.remaining:,} of {forge.limit:,} requests left until {_clock(forge.resets_at)}"
    return Finding("forge", "ok", f"{forge.name}: {left}")


def _heard(forge: Forge, policy: Policy, now: datetime) -> Finding:
    if forge.heard_at is not None:
        return Finding("webhooks", "ok", f"last told something {age(forge.heard_at, now)} ago")
    advice = (
        f"is the webhook's URL {policy.url()}/webhooks/github, can GitHub reach it, and is its secret right? "
        "The App's settings list what was delivered. It is asked all the same, only later"
    )
    return Finding("webhooks", "absent", "nothing heard yet", advice)


def _credentials(policy: Policy, environ: Mapping[str, str]) -> Finding:
    from controller.adapters.github.connect import credentials_for  # noqa: PLC0415 - of an extra, and slow to load
    from controller.adapters.github.door import Door  # noqa: PLC0415 - likewise
    from controller.adapters.github.wire import Wire  # noqa: PLC0415 - likewise

    try:
        credentials = credentials_for(policy.github, environ, Door(Wire(policy.github.api)))
    except Refused as error:
        return Finding("GitHub", "missing", error.reason, "docs/github.md tells how to make an App")
    who = f"the App {policy.github.app_id}" if credentials.is_app else "a token: checks are commit statuses"
    return Finding("GitHub", "ok", f"{who}, at {policy.github.api} (not asked)")


def _secret(environ: Mapping[str, str]) -> Finding:
    from controller.adapters.github.signature import Signatures  # noqa: PLC0415 - who has no GitHub needs none of it

    try:
        Signatures.of(environ)
    except Refused as error:
        return Finding("webhooks", "missing", error.reason, "or set `github.mode: poll`: GitHub is then only asked")
    return Finding("webhooks", "ok", "their secret is set")


def _clock(moment: datetime) -> str:
    """By this machine's time zone."""
    return f"{moment.astimezone():%H:%M}"
