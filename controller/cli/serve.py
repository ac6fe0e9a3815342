"""`mayfly serve`: the controller, in the foreground."""

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


def with_listen(policy: Policy, listen: str | None) -> Policy:
    if listen is None:
        return policy
    try:
        return Policy.model_validate({**policy.model_dump(), "listen": listen})
    except ValueError:
        raise Failure(f"--listen: {listen!r} is not HOST:PORT, like `127.0.0.1:8080`") from None
