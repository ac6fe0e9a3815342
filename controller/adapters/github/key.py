"""An App's private key, and what it signs: a short word that we are the App.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

from datetime import datetime, timedelta

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from controller.adapters.github.limits import JWT_LIFE
from controller.errors import Refused

_BACK = timedelta(seconds=60)
"""Our clock may be ahead of GitHub's."""
_LIFE = JWT_LIFE - timedelta(minutes=1)
"""It may be behind, too."""
_RENEWED = timedelta(minutes=5)
_SHORTEST_LINE = 20


class AppKey:
    def __init__(self, app_id: int, pem: str) -> None:
        """Raises Refused, saying what is wrong with the key and nothing of it."""
        self._app_id = app_id
        self._pem = pem.replace("\\n", "\n").strip()  # as a variable may have it, on one line
        self._key = _read(self._pem)
        self._word = ""
        self._made_at: datetime | None = None

    def word(self, now: datetime) -> str:
        """A JSON Web Token that works for four minutes at least."""
        if self._made_at is None or not timedelta() <= now - self._made_at < _RENEWED:
            claims = {"iat": _seconds(now - _BACK), "exp": _seconds(now + _LIFE), "iss": str(self._app_id)}
            self._word, self._made_at = jwt.encode(claims, self._key, algorithm="RS256"), now
        return self._word

    def secrets(self) -> tuple[str, ...]:
        """The key whole and line by line, as logs would show it, and the latest word."""
        lines = [line.strip() for line in self._pem.splitlines() if not line.startswith("-----")]
        return (self._pem, *(line for line in lines if len(line) >= _SHORTEST_LINE), *filter(None, [self._word]))

    def __repr__(self) -> str:
        return f"AppKey({self._app_id})"


def _read(pem: str) -> RSAPrivateKey:
    if "PRIVATE KEY-----" not in pem:
        raise Refused(
            "the App's private key is not PEM: GitHub lets you download one, `-----BEGIN RSA PRIVATE KEY-----`"
        )
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise Refused("the App's private key has a password: it has to be without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("the App's private key is damaged: it cannot be read as PEM") from None
    if not isinstance(key, RSAPrivateKey):
        raise Refused("the App's private key is not an RSA key: GitHub makes and takes only these")
    return key


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
