"""A small registry that speaks HTTP, with a token server of its own."""

import base64
import hashlib
import json
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


class World:
    """What it has and wants is set by a test; `seen` is what it was asked: method, path, Authorization."""

    def __init__(self):
        self.images = {("web", "1"): MANIFEST, ("web", DIGEST): MANIFEST}
        self.wants = ""  # "", "basic" or "bearer"
        self.login = ("ada", "secret")
        self.is_public = False
        self.realm = None
        self.expires_in = 300
        self.tokens = {}
        self.says_digest = True
        self.knows_head = True
        self.answer = None
        self.redirect = None
        self.seen = []
        self.base = ""

    @property
    def host(self):
        return self.base.removeprefix("http://")

    def image(self, name="web:1"):
        return f"{self.host}/{name}"

    def asked(self, path):
        return [method for method, at, _ in self.seen if at == path]

    async def manifest(self, request):
        name, wanted = request.match_info["name"], request.match_info["wanted"]
        self.seen.append((request.method, "manifest", request.headers.get("Authorization")))
        if self.answer is not None:
            return web.Response(**self.answer)
        if (refused := self._refused(request, name)) is not None:
            return refused
        if request.method == "HEAD" and not self.knows_head:
            return web.Response(status=405)
        if self.redirect is not None:
            raise web.HTTPTemporaryRedirect(self.redirect)
        if (
            "application/vnd.oci.image.index.v1+json" not in request.headers["Accept"]
            or (body := self.images.get((name, wanted))) is None
        ):
            return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, status=404)
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        return web.Response(body=body, headers={"Docker-Content-Digest": digest} if self.says_digest else {})

    def _refused(self, request, name):
        said = request.headers.get("Authorization", "")
        if self.wants == "basic" and said != _basic(self.login):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="our registry"'})
        if self.wants == "bearer" and self.tokens.get(said.removeprefix("Bearer ")) != f"repository:{name}:pull":
            realm = self.realm or f"{self.base}/token"
            words = f'Bearer realm="{realm}",service="our, registry",scope="repository:{name}:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": words})
        return None

    async def token(self, request):
        said = request.headers.get("Authorization")
        self.seen.append((request.method, "token", said))
        if request.query.get("service") != "our, registry" or (not self.is_public and said != _basic(self.login)):
            return web.Response(status=401)
        made = f"token-{len(self.tokens)}"
        self.tokens[made] = request.query["scope"]
        return web.json_response({"token": made, "expires_in": self.expires_in})

    async def elsewhere(self, request):
        self.seen.append((request.method, "elsewhere", request.headers.get("Authorization")))
        return web.Response(body=MANIFEST, headers={"Docker-Content-Digest": DIGEST})


@asynccontextmanager
async def a_registry():
    world = World()
    app = web.Application()
    app.router.add_route("*", "/v2/{name:.+}/manifests/{wanted}", world.manifest)
    app.router.add_get("/token", world.token)
    app.router.add_route("*", "/elsewhere", world.elsewhere)
    async with TestServer(app, host="127.0.0.1") as server:
        world.base = f"http://127.0.0.1:{server.port}"
        yield world


def _basic(login):
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()
