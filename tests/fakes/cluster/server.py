"""The API over HTTP: paths, verbs, bodies, lists in pages, watches."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import yaml
from aiohttp import web

from tests.fakes.cluster import patches, resources
from tests.fakes.cluster.faults import Faults
from tests.fakes.cluster.lists import Lists, selector
from tests.fakes.cluster.objects import How, Objects
from tests.fakes.cluster.problems import ApiError
from tests.fakes.cluster.resources import Obj, Target
from tests.fakes.cluster.store import encode
from tests.fakes.cluster.watches import Wanted, Watch, error_line

VERSION = {"major": "1", "minor": "35", "gitVersion": "v1.35.0", "platform": "linux/amd64"}
PATCHES: dict[str, Callable[[Obj, Any], Obj]] = {
    "application/merge-patch+json": patches.merge,
    "application/strategic-merge-patch+json": patches.strategic,
    "application/json-patch+json": patches.json_patch,
}
APPLY = "application/apply-patch+yaml"
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
MOST = 3 * 2**20
Extra = Callable[[web.Request, Target], Awaitable[web.StreamResponse]]


class Server:
    """`extras` answers subresources that are no objects: `log`, `portforward`."""

    def __init__(self, objects: Objects, faults: Faults) -> None:
        self.objects, self.store, self.faults = objects, objects.store, faults
        self.requests: Counter[tuple[str, str]] = Counter()
        """By verb and resource (`pods/log`), those that failed included."""
        self.extras: dict[str, Extra] = {}
        self.bookmark_every = 60.0
        self._watches: set[Watch] = set()
        self._open: set[asyncio.BaseTransport] = set()
        self._lists = Lists(self.store)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MOST)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    def cut_watches(self) -> None:
        for watch in list(self._watches):
            watch.end()

    def hang_up(self) -> None:
        for transport in list(self._open):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    def compact(self) -> None:
        """Forgets what was: older watches and lists cannot go on."""
        self.store.compact(self.store.version)
        self._lists.forget()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is not None:
            self._open.add(transport)
        try:
            return await self._answer(request)
        except ApiError as error:
            headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            return web.json_response(error.status(), status=error.code, headers=headers)
        finally:
            if transport is not None and request.keep_alive is False:
                self._open.discard(transport)
            self._open = {known for known in self._open if not known.is_closing()}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.faults.down:
            return _hung_up(request)
        target = resources.parse(request.path)
        if target is None:
            return self._other(request)
        verb = _verb(request, target)
        named = "/".join(filter(None, (target.resource.plural, target.subresource)))
        self.requests[verb, named] += 1
        await self.faults.before(verb, named)
        if target.subresource in self.extras:
            return await self.extras[target.subresource](request, target)
        response = await self._do(verb, request, target)
        return _hung_up(request) if self.faults.loses(verb, named) else response

    def _other(self, request: web.Request) -> web.Response:
        if request.path in {"/readyz", "/livez", "/healthz"}:
            return web.Response(text="ok")
        if request.path == "/requests":
            return self._counted(request)
        if request.path == "/version":
            return web.json_response(VERSION)
        found = resources.discovery(request.path.rstrip("/"))
        if found is None:
            raise ApiError(404, "the server could not find the requested resource")
        return web.json_response(found)

    def _counted(self, request: web.Request) -> web.Response:
        """Not Kubernetes': for those who ask from another process."""
        counts = {" ".join(words): count for words, count in sorted(self.requests.items())}
        if request.method == "POST":
            self.requests.clear()
        return web.json_response(counts)

    async def _do(self, verb: str, request: web.Request, target: Target) -> web.StreamResponse:
        match verb:
            case "get":
                obj = self.objects.read(target.resource, target.name, target.namespace)
                return _answer(_scale(obj) if target.subresource == "scale" else obj)
            case "list":
                return _answer(self._lists.page(request, target))
            case "watch":
                return await self._watch(request, target)
            case "delete" | "deletecollection":
                return await self._delete(request, target)
            case _:
                return await self._write(verb, request, target)

    async def _write(self, verb: str, request: web.Request, target: Target) -> web.Response:
        body, how = await _body(request), _how(request, target)
        resource, name, namespace = target.resource, target.name, target.namespace
        if verb == "create":
            return _answer(self.objects.create(resource, body, namespace, how), 201)
        if target.subresource == "scale":
            body = {"spec": {"replicas": body.get("spec", {}).get("replicas")}}
            changed = self.objects.patch(resource, lambda obj: patches.merge(obj, body), name, namespace, how)
            return _answer(_scale(changed))
        if verb == "update":
            return _answer(self.objects.update(resource, body, name, namespace, how))
        if request.content_type == APPLY:
            obj, new = self.objects.apply(resource, body, name, namespace, how)
            return _answer(obj, 201 if new else 200)
        if request.content_type not in PATCHES:
            raise ApiError(415, f"the body of the request was in an unknown format {request.content_type}")
        change = PATCHES[request.content_type]
        return _answer(self.objects.patch(resource, lambda obj: change(obj, body), name, namespace, how))

    async def _delete(self, request: web.Request, target: Target) -> web.Response:
        options = await _body(request) if request.can_read_body else {}
        if policy := request.query.get("propagationPolicy"):
            options["propagationPolicy"] = policy
        if grace := request.query.get("gracePeriodSeconds"):
            options["gracePeriodSeconds"] = int(grace)
        dry_run = "dryRun" in request.query or bool(options.get("dryRun"))
        if not target.name:
            return self._delete_all(request, target, options, dry_run=dry_run)
        obj, gone = self.objects.delete(target.resource, target.name, target.namespace, options, dry_run=dry_run)
        if not gone or target.resource is resources.POD:
            return _answer(obj)
        details = {"name": target.name, "kind": target.resource.plural, "uid": obj["metadata"]["uid"]}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return _answer(status)

    def _delete_all(self, request: web.Request, target: Target, options: Obj, *, dry_run: bool) -> web.Response:
        found = self._lists.matching(request, target)
        for obj in found:
            metadata = obj["metadata"]
            self.objects.delete(
                target.resource, metadata["name"], metadata.get("namespace", ""), options, dry_run=dry_run
            )
        return _answer(self._lists.listed(target, found, str(self.store.version)))

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        query = request.query
        seconds = float(query.get("timeoutSeconds") or 1800)
        bookmarks = query.get("allowWatchBookmarks") in {"true", "1"}
        wanted = Wanted(target.resource, target.namespace, selector(request, target.name), bookmarks, seconds)
        watch = Watch(self.store, self.faults, wanted)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            watch.begin(query.get("resourceVersion", ""), initial=query.get("sendInitialEvents") == "true")
        except ApiError as error:
            if self.faults.expire_as_status or error.code != 410:
                raise
            return await _expired(request, response, error)
        return await self._stream(request, response, watch)

    async def _stream(self, request: web.Request, response: web.StreamResponse, watch: Watch) -> web.StreamResponse:
        self._watches.add(watch)
        try:
            await response.prepare(request)
            await watch.send(response, self.bookmark_every)
        except ConnectionError:
            return response
        finally:
            self._watches.discard(watch)
        return _hung_up(request, response) if watch.cut else response

    @property
    def watching(self) -> int:
        """How many watches there are."""
        return len(self._watches)


async def _expired(request: web.Request, response: web.StreamResponse, error: ApiError) -> web.StreamResponse:
    await response.prepare(request)
    await response.write(error_line(error))
    return response


def _hung_up(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """The connection ends in the middle."""
    if request.transport is not None and isinstance(request.transport, asyncio.WriteTransport):
        request.transport.abort()
    return response or web.Response()


def _verb(request: web.Request, target: Target) -> str:
    if request.method == "GET":
        if request.query.get("watch") in {"true", "1"}:
            return "watch"
        return "get" if target.name else "list"
    if request.method == "DELETE" and not target.name:
        return "deletecollection"
    if request.method not in VERBS or (request.method == "POST") == bool(target.name and not target.subresource):
        raise ApiError(405, "the server does not allow this method on the requested resource")
    return VERBS[request.method]


def _how(request: web.Request, target: Target) -> How:
    agent = request.headers.get("User-Agent", "unknown").partition("/")[0]
    manager = request.query.get("fieldManager", "")
    if request.content_type == APPLY and not manager:
        raise ApiError(
            422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        )
    force = request.query.get("force") in {"true", "1"}
    subresource = target.subresource if target.subresource in {"status", "scale"} else ""
    return How(manager or agent, subresource, dry_run="dryRun" in request.query, force=force)


async def _body(request: web.Request) -> Any:
    if "protobuf" in request.content_type:
        raise ApiError(415, "the body of the request was in an unknown format - accepted media types: application/json")
    data = await request.read()
    try:
        body = json.loads(data) if data.lstrip()[:1] in {b"{", b"["} else yaml.safe_load(data)
    except (ValueError, yaml.YAMLError) as error:
        raise ApiError(400, f"error decoding the body: {error}") from error
    if not isinstance(body, dict | list):
        raise ApiError(400, "error decoding the body: it is no object")
    return body


def _scale(obj: Obj) -> Obj:
    metadata = {key: obj["metadata"].get(key) for key in ("name", "namespace", "uid", "resourceVersion")}
    spec = {"replicas": obj["spec"].get("replicas", 0)}
    status = {"replicas": obj.get("status", {}).get("replicas", 0)}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _answer(obj: Obj, status: int = 200) -> web.Response:
    return web.Response(body=encode(obj), status=status, content_type="application/json")
