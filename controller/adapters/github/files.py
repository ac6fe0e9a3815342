"""Files at a revision, through git's own objects: a tree for every folder on the way, then the blob.

Not through `contents`: that follows links, and a stranger's link leads where they like. Trees and blobs are named by
what they hold, so whatever was read once need not be asked for again.
"""

import base64
import binascii
import re
from datetime import timedelta

from controller.adapters.github.client import Client, NotThere
from controller.adapters.github.shapes import Blob, Entry, Tree
from controller.common.nouns import short
from controller.errors import Refused, Unavailable

FOREVER = timedelta(days=36_500)
FILES = {"100644", "100755"}
"""Git's modes of regular files; a link is 120000, a submodule 160000."""
FOLDER = "040000"
MAX_BLOB = 12 * 2**20
"""Bytes. As base64 in JSON it is 1.4 times as much, and an answer of more than 20 MiB is not taken."""
_REVISION = re.compile(r"[0-9a-f]{40}")


class Files:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, repo: str, revision: str, path: str, limit: int) -> bytes | None:
        """At most `limit` + 1 bytes; None where there is no regular file. With a limit of 0 only whether it is there is
        asked, and nothing of it is fetched. Raises Refused where it is too large to be read from GitHub."""
        if not _REVISION.fullmatch(revision) or not _is_plain(path):
            return None
        try:
            found = await self._find(repo, revision, path.split("/"))
            return None if found is None else await self._content(repo, path, found, limit)
        except NotThere as error:
            raise Unavailable(f"{repo} has no revision {short(revision)}, or not all of it: {error.reason}") from error

    async def _find(self, repo: str, revision: str, parts: list[str]) -> Entry | None:
        folder = revision
        for part in parts[:-1]:
            entry = await self._entry(repo, folder, part)
            if entry is None or entry.mode != FOLDER:
                return None
            folder = entry.sha
        found = await self._entry(repo, folder, parts[-1])
        return found if found is not None and found.mode in FILES else None

    async def _entry(self, repo: str, folder: str, name: str) -> Entry | None:
        tree = await self._client.get(repo, f"git/trees/{folder}", Tree, fresh=FOREVER)
        if tree.truncated:
            raise Unavailable(f"GitHub did not list a whole folder of {repo}, where {name} was looked for")
        return next((entry for entry in tree.tree if entry.path == name), None)

    async def _content(self, repo: str, path: str, file: Entry, limit: int) -> bytes:
        if limit == 0 or file.size == 0:
            return b""
        if file.size > MAX_BLOB:
            raise Refused(f"{path} in {repo} has {file.size:,} bytes; at most {MAX_BLOB:,} are read from GitHub")
        blob = await self._client.get(repo, f"git/blobs/{file.sha}", Blob, fresh=FOREVER)
        return _decoded(blob, path)[: limit + 1]


def _decoded(blob: Blob, path: str) -> bytes:
    if blob.encoding != "base64":
        return blob.content.encode()
    try:
        return base64.b64decode(blob.content)
    except binascii.Error as error:
        raise Unavailable(f"what GitHub said of {path} cannot be decoded: {error}") from error


def _is_plain(path: str) -> bool:
    """Whether it names something inside a tree, in the one way to name it."""
    return "\0" not in path and all(part not in {"", ".", ".."} for part in path.split("/"))
