"""What somebody may do in a repository. Asked of GitHub at the moment it matters, and of nobody else.

| GitHub says | they have |
| --- | --- |
| `admin`, `write`, `read` (a role is told as the one of these below it) | that |
| anything else; no such person; a name that no account has | nothing |

https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
"""

import re
from datetime import timedelta
from urllib.parse import quote

from controller.adapters.github.client import Client, NotThere
from controller.adapters.github.shapes import GHOST, Collaborator
from controller.previews.model import Permission

ASKED_ANEW = timedelta(0)
_LOGIN = re.compile(r"[A-Za-z0-9_\[\]-]{1,100}")


class People:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def permission(self, repo: str, person: str) -> Permission:
        """Raises Unavailable or Refused."""
        if not _LOGIN.fullmatch(person) or person == GHOST:
            return Permission.NONE
        path = f"collaborators/{quote(person, safe='')}/permission"
        try:
            said = await self._client.get(repo, path, Collaborator, fresh=ASKED_ANEW)
        except NotThere:
            return Permission.NONE
        return Permission(said.permission) if said.permission in set(Permission) else Permission.NONE
