"""Bare requests to any API server, ours or a real one, as the tests that hold both to the same words send them."""

import asyncio
import base64
import contextlib
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.fakes.cluster.resources import Obj, Resource

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Wire:
    """`namespace` is the test's own."""

    def __init__(self, session: aiohttp.ClientSession, url: str, namespace: str = "") -> None:
        self._session, self._url, self.namespace = session, url, namespace

    def path(self, resource: Resource, name: str = "", subresource: str = "") -> str:
        space = f"/namespaces/{self.namespace}" if resource.namespaced else ""
        return "/".join(filter(None, (f"{resource.prefix}{space}/{resource.plural}", name, subresource)))

    async def send(
        self, method: str, path: str, body: Any = None, content: str = "application/json", **query: str
    ) -> tuple[int, Obj]:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content}
        async with self._session.request(method, self._url + path, data=data, headers=headers, params=query) as answer:
            return answer.status, json.loads(await answer.read())

    async def get(self, resource: Resource, name: str) -> Obj:
        return (await self.send("GET", self.path(resource, name)))[1]

    async def list(self, resource: Resource, **query: str) -> Obj:
        return (await self.send("GET", self.path(resource), **query))[1]

    async def create(self, resource: Resource, obj: Obj) -> tuple[int, Obj]:
        return await self.send("POST", self.path(resource), told(resource, obj))

    async def apply(self, resource: Resource, obj: Obj, manager: str, **query: str) -> tuple[int, Obj]:
        path = self.path(resource, obj["metadata"]["name"])
        return await self.send("PATCH", path, told(resource, obj), APPLY, fieldManager=manager, **query)

    async def patch(
        self, resource: Resource, name: str, change: Any, content: str = MERGE, subresource: str = "", **query: str
    ) -> tuple[int, Obj]:
        return await self.send("PATCH", self.path(resource, name, subresource), change, content, **query)

    async def delete(self, resource: Resource, name: str, **options: Any) -> tuple[int, Obj]:
        return await self.send("DELETE", self.path(resource, name), options or None)

    @contextlib.asynccontextmanager
    async def watch(self, resource: Resource, **query: str) -> AsyncIterator[AsyncIterator[Obj]]:
        url = self._url + self.path(resource)
        async with self._session.get(url, params={"watch": "true", **query}) as answer:
            yield _events(answer)


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[Obj]:
    if answer.status != 200:
        yield {"type": "ERROR", "object": json.loads(await answer.read())}
        return
    async for line in answer.content:
        yield json.loads(line)


def told(resource: Resource, obj: Obj) -> Obj:
    return {"apiVersion": resource.api_version, "kind": resource.kind} | obj


@contextlib.asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Wire]:
    """By the first cluster and user of a kubeconfig: a client certificate, or a token."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    secure = await asyncio.to_thread(_context, cluster, user) if cluster["server"].startswith("https") else None
    connector = aiohttp.TCPConnector(ssl=secure) if secure else aiohttp.TCPConnector()
    async with aiohttp.ClientSession(connector=connector, headers=headers, read_bufsize=2**24) as session:
        yield Wire(session, cluster["server"])


def _context(cluster: Obj, user: Obj) -> ssl.SSLContext:
    with tempfile.TemporaryDirectory() as folder:
        authority = _file(cluster, "certificate-authority", Path(folder, "ca"))
        context = ssl.create_default_context(cafile=authority)
        certificate = _file(user, "client-certificate", Path(folder, "cert"))
        if certificate is not None:
            context.load_cert_chain(certificate, _file(user, "client-key", Path(folder, "key")))
    return context


def _file(section: Obj, name: str, path: Path) -> Path | None:
    if f"{name}-data" not in section:
        return Path(section[name]) if name in section else None
    path.write_bytes(base64.b64decode(section[f"{name}-data"]))
    return path
