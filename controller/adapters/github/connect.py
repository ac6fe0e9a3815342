"""Who we are and how we ask, put together from the policy and the environment. What is missing is said at the start."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path

from controller.adapters.github.app import AppCredentials
from controller.adapters.github.client import Client
from controller.adapters.github.credentials import Credentials, TokenCredentials
from controller.adapters.github.door import Door, now_utc
from controller.adapters.github.key import AppKey
from controller.adapters.github.meter import Meter
from controller.adapters.github.wire import Wire
from controller.errors import Refused
from controller.settings import GITHUB_KEY, GITHUB_TOKEN, GitHub

LISTED_FOR = 5
"""So many times as long as anything else it is believed which repositories are ours: a webhook tells of a change, and
the list is the one thing that costs of the quota where nothing has changed."""


def connect(
    settings: GitHub,
    environ: Mapping[str, str],
    *,
    secrets: Collection[str] = (),
    meter: Meter | None = None,
    clock: Callable[[], datetime] = now_utc,
) -> tuple[Client, Credentials]:
    """Asks nothing yet. `secrets` are struck out of all that is sent. The client closes everything. Raises Refused."""
    door = Door(Wire(settings.api), meter=meter, clock=clock)
    credentials = credentials_for(settings, environ, door)
    return Client(door, credentials, settings.fresh_for, secrets=secrets), credentials


def credentials_for(settings: GitHub, environ: Mapping[str, str], door: Door) -> Credentials:
    """The App where the policy names one, else the token. Raises Refused with what is missing or wrong."""
    if settings.app_id is not None:
        key = AppKey(settings.app_id, _pem(settings, environ))
        return AppCredentials(door, key, settings.repositories, settings.fresh_for * LISTED_FOR)
    token = environ.get(GITHUB_TOKEN, "").strip()
    if not token:
        raise Refused(f"GitHub needs an App (`github.app_id`, with its key) or a token in {GITHUB_TOKEN}")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise Refused(f"{GITHUB_TOKEN} is no token: it is one word of letters and digits")
    if not settings.repositories:
        raise Refused("a token needs `github.repositories`: the OWNER/NAME of each that gets previews")
    return TokenCredentials(door, token, tuple(settings.repositories))


def _pem(settings: GitHub, environ: Mapping[str, str]) -> str:
    if settings.private_key_file is None:
        if pem := environ.get(GITHUB_KEY, "").strip():
            return pem
        raise Refused(f"the App has no private key: name a file in `github.private_key_file`, or set {GITHUB_KEY}")
    try:
        return Path(settings.private_key_file).read_text()
    except OSError as error:
        raise Refused(f"the App's private key cannot be read: {settings.private_key_file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Refused(f"the App's private key is not PEM: {settings.private_key_file} is no text") from None
