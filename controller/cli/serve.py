"""`mayfly serve` and `mayfly stop`: the controller in the foreground, and the end of everything it started."""

import asyncio
import json
from pathlib import Path

from controller.cli import homes
from controller.cli.console import Failure
from controller.settings import Policy


def serve(home: Path | None, listen: str | None) -> int:
    """Its exit code. Raises Failure or DocumentError."""
    found = homes.find(home)
    policy = with_listen(found.policy(), listen)
    from controller import app  # noqa: PLC0415 -- a mistake in the policy is told before all that is loaded

    return app.serve(found, policy)


def stop(home: Path | None, *, as_json: bool) -> None:
    """Raises Failure, MayflyError or DocumentError."""
    found = homes.find(home)
    from controller import app  # noqa: PLC0415 -- as above

    asyncio.run(app.stop(found, found.policy()))
    if as_json:
        print(json.dumps({"stopped": str(found.path)}))
    else:
        print("Everything stopped; the data stays. `mayfly serve` goes on from here.")


def with_listen(policy: Policy, listen: str | None) -> Policy:
    if listen is None:
        return policy
    try:
        return Policy.model_validate({**policy.model_dump(), "listen": listen})
    except ValueError:
        raise Failure(f"--listen: {listen!r} is not HOST:PORT, like `127.0.0.1:8080`") from None
