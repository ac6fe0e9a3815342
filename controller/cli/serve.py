"""`mayfly serve` and `mayfly stop`: the controller in the foreground, and the end of everything it started."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from controller.cli import homes
from controller.cli.console import Failure
from controller.settings import Policy


def serve(home: Path | None, policy_file: Path | None, **instead: str | None) -> int:
    """Its exit code; `instead` (`listen`, `platform`) goes before the policy. Raises Failure or DocumentError."""
    found = homes.find(home)
    policy = with_changes(found.policy(policy_file), instead)
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


def with_changes(policy: Policy, changes: Mapping[str, str | None]) -> Policy:
    wanted = {name: value for name, value in changes.items() if value is not None}
    try:
        return Policy.model_validate({**policy.model_dump(exclude_unset=True), **wanted})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise Failure(f"--{name}: {wanted.get(name)!r} is not {WHAT.get(name, 'allowed')}") from None


WHAT = {"listen": "HOST:PORT, like `127.0.0.1:8080`", "platform": "`local` or `kubernetes`"}
