"""Where git fetches from. The token goes in a header, so that it stands in no URL, no file and no list of processes."""

import base64
from urllib.parse import urlsplit

from controller.adapters.github.credentials import Credentials
from controller.common.nouns import Source


class Sources:
    """`api` is the address of the API."""

    def __init__(self, api: str, credentials: Credentials) -> None:
        self._web = web_of(api)
        self._credentials = credentials

    async def of(self, repo: str) -> Source:
        """Raises Unavailable or Refused."""
        login = f"x-access-token:{await self._credentials.token(repo)}".encode()
        return Source(f"{self._web}/{repo}.git", f"Authorization: Basic {base64.b64encode(login).decode()}")


def web_of(api: str) -> str:
    """Where people and git go. An Enterprise Server has its API below that address, github.com and ghe.com beside it.

    https://docs.github.com/en/enterprise-cloud@latest/rest/using-the-rest-api/getting-started-with-the-rest-api
    """
    parts = urlsplit(api)
    below = parts.path.strip("/") != ""
    return f"{parts.scheme}://{parts.netloc if below else parts.netloc.removeprefix('api.')}"
