"""Lists: what a selector finds, in pages of one moment."""

import base64
import json
import secrets

from aiohttp import web

from tests.fakes.cluster.problems import expired
from tests.fakes.cluster.resources import Obj, Target
from tests.fakes.cluster.selectors import Selector
from tests.fakes.cluster.store import Store


class Lists:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._rest: dict[str, list[Obj]] = {}
        """What is still to come, by token."""

    def forget(self) -> None:
        """No list that was begun goes on."""
        self._rest.clear()

    def matching(self, request: web.Request, target: Target) -> list[Obj]:
        wanted = selector(request)
        return [obj for obj in self._store.all(target.resource, target.namespace) if wanted.matches(obj)]

    def page(self, request: web.Request, target: Target) -> Obj:
        token, limit = request.query.get("continue", ""), int(request.query.get("limit", 0))
        if not token:
            found, version = self.matching(request, target), str(self._store.version)
        elif token in self._rest:
            found, version = self._rest[token], json.loads(base64.b64decode(token))["rv"]
        else:
            raise expired("The provided continue parameter is too old to display a consistent list result.")
        page, rest = (found[:limit], found[limit:]) if limit else (found, [])
        return self.listed(target, page, version, rest)

    def listed(self, target: Target, found: list[Obj], version: str, rest: list[Obj] | None = None) -> Obj:
        metadata: Obj = {"resourceVersion": version}
        if rest:
            metadata |= {"continue": self._keep(rest, version), "remainingItemCount": len(rest)}
        items = [{key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}} for obj in found]
        about = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version}
        return about | {"metadata": metadata, "items": items}

    def _keep(self, rest: list[Obj], version: str) -> str:
        content = json.dumps({"rv": version, "start": secrets.token_hex(8)})
        token = base64.b64encode(content.encode()).decode()
        self._rest[token] = rest
        return token


def selector(request: web.Request, name: str = "") -> Selector:
    fields = [request.query.get("fieldSelector", ""), f"metadata.name={name}" if name else ""]
    return Selector(request.query.get("labelSelector", ""), ",".join(filter(None, fields)))
