"""`mayfly agent`: probes from elsewhere, in the foreground, until Ctrl-C."""

import asyncio
import os
import re
import signal
from pathlib import Path

from controller.access import tokens
from controller.cli.client import TOKEN
from controller.cli.console import Failure
from controller.settings import HERE, LABEL

STATE = "XDG_STATE_HOME"


def agent(location: str, controller: str, folder: Path | None, *, insecure: bool) -> None:
    """Raises Failure or MayflyError."""
    if not re.fullmatch(LABEL, location) or location == HERE:
        raise Failure(f"--location: {location!r} is no location; it is a name as the policy has it, and not `{HERE}`")
    # A check may name variables, and this one is no business of any.
    token = os.environ.pop(TOKEN, "")
    parsed = tokens.parse(token)
    if parsed is None:
        make = f"`mayfly token create --name {location} --scope agent` makes it, where the controller is"
        raise Failure(f"put this agent's token into {TOKEN}: {make}")
    asyncio.run(_run(location, controller, token, parsed[1], folder or _home(location), insecure=insecure))


async def _run(location: str, controller: str, token: str, secret: str, folder: Path, *, insecure: bool) -> None:
    from controller.agent.agent import Agent, alone  # noqa: PLC0415 - a mistake in the options is told before
    from controller.agent.link import Link  # noqa: PLC0415
    from controller.beginning import log_to_stderr  # noqa: PLC0415

    link = Link(controller, token, insecure=insecure)
    log_to_stderr()
    with alone(folder):
        working = Agent(link, location, tokens.digest(secret), folder)
        task = asyncio.ensure_future(working.run())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


def _home(location: str) -> Path:
    state = os.environ.get(STATE)
    return (Path(state) if state else Path.home() / ".local" / "state") / "mayfly" / f"agent-{location}"
