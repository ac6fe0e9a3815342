"""What `mayfly doctor` finds out about main, its probes, and whoever is told. Nobody is sent anything.

a controller runs   how each target stands; agents that are silent; notices that wait or were given up; tokens that
                    expire soon, where whoever asks may see them
none runs           the variables that the policy names, as a start in this very environment would find them
either              targets without a branch, on the embedded forge; probes without canaries; routes out of reach
"""

import os
import re
import socket
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from controller.access.desk import SHORTEST
from controller.cli.client import Client
from controller.cli.console import Failure
from controller.cli.findings import Finding
from controller.cli.seen import Seen
from controller.cli.tables import age
from controller.probes.judge import silent_after
from controller.settings import ADMIN_TOKEN, HERE, Home, Policy, Probe, Route, Target
from smoke.documents import format_duration

SOON = timedelta(days=14)
"""Until a token expires."""
WITHIN = 3.0
"""Seconds that a route has to be reached."""
LOOKED_AT = 200
"""Samples of a probe, for when its agents were last heard of."""
_NOTICES = re.compile(r'mayfly_notices\{route="(.*)",state="(waiting|given-up)"\} (\d+)')


class Standing(Seen):
    name: str
    state: str
    headline: str
    problem: str


class Standings(Seen):
    targets: list[Standing]


class Sample(Seen):
    location: str
    at: datetime


class Samples(Seen):
    samples: list[Sample]


class Token(Seen):
    id: str
    name: str
    expires_at: datetime | None
    revoked_at: datetime | None


class Tokens(Seen):
    tokens: list[Token]


def of_policy(policy: Policy, home: Home | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a controller runs or not; `environ` is where the routes' URLs may be found."""
    if home is not None and policy.forge == "git":
        yield from filter(None, (_branch(target, home.forge) for target in policy.targets))
    if policy.probes and not policy.probing.canaries:
        advice = "name URLs in `probing.canaries` that always answer, and are nobody's you probe"
        yield Finding("canaries", "absent", "none: where we are cut off ourselves, every probe alerts", advice)
    if (policy.probes or policy.targets) and not policy.notify:
        yield Finding("routes", "absent", "nobody is told of targets and probes", "`notify` in the policy names who is")
    for route in policy.notify:
        if url := route.url or environ.get(route.url_from or ""):
            yield _reached(route, url)


def of_start(policy: Policy, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that are not set, as a start here would find them."""
    needed = [(f"route {route.name}", one) for route in policy.notify for one in (route.url_from, route.secret_from)]
    watched = [(target.name, target.watch.rollback_secret_from) for target in policy.targets if target.watch]
    needed += [(f"target {name}", one) for name, one in watched]
    for who, variable in needed:
        if variable and not environ.get(variable):
            yield Finding(who, "missing", f"{variable} is not set", "give the controller this variable")
    for target in policy.targets:
        if lost := sorted({variable for variable in target.secrets.values() if not environ.get(variable)}):
            advice = "nothing is deployed there until the controller has it"
            yield Finding(f"target {target.name}", "absent", f"{', '.join(lost)} not set (`secrets`)", advice)
    admin = environ.get(ADMIN_TOKEN, "")
    if admin and len(admin) < SHORTEST:
        yield Finding(ADMIN_TOKEN, "missing", f"shorter than {SHORTEST} characters", "`openssl rand -hex 32` makes one")


def of_running(client: Client, policy: Policy, now: datetime) -> Iterator[Finding]:
    """As the controller tells. What it does not answer is left out: that it runs is found elsewhere."""
    for ask in (_targets, _agents, _notices, _tokens):
        try:
            yield from list(ask(client, policy, now))
        except Failure:
            continue


def _branch(target: Target, forge: Path) -> Finding | None:
    """None where it is there."""
    repository = forge / f"{target.repository}.git"
    what = f"target {target.name}"
    if not repository.is_dir():
        there = ", ".join(sorted(path.stem for path in forge.glob("*.git"))) or "none"
        return Finding(what, "absent", f"there is no repository `{target.repository}`", f"there is {there}")
    asked = ["git", "-C", str(repository), "show-ref", "--verify", "--quiet", f"refs/heads/{target.branch}"]
    try:
        found = subprocess.run(asked, capture_output=True, timeout=20, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return None  # that git is not there is found elsewhere
    if found == 0:
        return None
    advice = f"a push to it is deployed: `git push preview {target.branch}`"
    return Finding(what, "absent", f"`{target.repository}` has no branch `{target.branch}`", advice)


def _reached(route: Route, url: str) -> Finding:
    """A connection, and nothing is said over it. The URL may be a secret."""
    what, parts = f"route {route.name}", urlsplit(url)
    advice = "its notices wait until it can be; is the URL right, and may this machine go there?"
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=WITHIN).close()
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
        return Finding(what, "absent", f"cannot be reached: {why}", advice)
    return Finding(what, "ok", "can be reached (nothing was sent)")


def _targets(client: Client, policy: Policy, now: datetime) -> Iterator[Finding]:
    for target in client.get("/api/v1/targets", Standings).targets if policy.targets else []:
        ails = target.problem or target.state == "stopped"
        state, advice = ("absent", f"`mayfly releases {target.name}` tells more") if ails else ("ok", "")
        yield Finding(f"target {target.name}", state, target.problem or target.headline, advice)


def _agents(client: Client, policy: Policy, now: datetime) -> Iterator[Finding]:
    for location, probe in _busiest(policy.probes).items():
        samples = client.get(f"/api/v1/probes/{probe.name}/samples?limit={LOOKED_AT}", Samples).samples
        heard = max((sample.at for sample in samples if sample.location == location), default=None)
        what, advice = f"agent {location}", f"is `mayfly agent --location {location}` running, and its token good?"
        if heard is None:
            yield Finding(what, "absent", f"nothing was heard of it lately, of `{probe.name}`", advice)
        elif now - heard > silent_after(probe):
            yield Finding(what, "absent", f"last heard of {age(heard, now)} ago", advice)
        else:
            yield Finding(what, "ok", f"heard of {age(heard, now)} ago")


def _busiest(probes: Iterable[Probe]) -> Mapping[str, Probe]:
    """Of each agent's location, the probe that is sampled there most often."""
    by_pace = sorted(probes, key=lambda probe: probe.pace, reverse=True)
    return {location: probe for probe in by_pace for location in probe.locations if location != HERE}


def _notices(client: Client, policy: Policy, now: datetime) -> Iterator[Finding]:
    if policy.notify:
        yield from notices(client.lines("/metrics", follow=False))


def notices(metrics: Iterable[str]) -> Iterator[Finding]:
    """From Prometheus' text: those that nobody took."""
    for route, state, count in (found.groups() for line in metrics if (found := _NOTICES.match(line))):
        if state == "given-up":
            advice = "the controller's log says why; whoever should have heard has not"
            yield Finding(f"notices to {route}", "absent", f"{count} given up in the last week", advice)
        else:
            yield Finding(f"notices to {route}", "absent", f"{count} not taken yet", "they are tried for three days")


def _tokens(client: Client, policy: Policy, now: datetime) -> Iterator[Finding]:
    if policy.tokens:
        yield from expiring(client.get("/api/v1/tokens", Tokens).tokens, now)


def expiring(tokens: Collection[Token], now: datetime) -> Iterator[Finding]:
    for token in tokens:
        if token.revoked_at is None and token.expires_at is not None and now < token.expires_at <= now + SOON:
            seen = f"{token.id} expires in {format_duration(token.expires_at - now)}"
            advice = "`mayfly token create` makes another; then revoke this one"
            yield Finding(f"token {token.name}", "absent", seen, advice)
