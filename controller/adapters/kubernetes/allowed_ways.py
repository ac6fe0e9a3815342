"""What ways into a preview its own manifests may make: to its own hosts, through the operator's entrance. Pure."""

import re
from typing import Any

from controller.adapters.kubernetes.allowed_pods import Reach
from controller.adapters.kubernetes.allowed_shapes import NotAllowed, items, mapping, mappings, one_of, only, text

_SERVICE = {
    *("clusterIP", "clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "ports"),
    *("publishNotReadyAddresses", "selector", "sessionAffinity", "sessionAffinityConfig", "trafficDistribution"),
    "type",
}
_FILTERS = ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "CORS"]
NGINX = {
    f"nginx.ingress.kubernetes.io/{name}"
    for name in (
        *("affinity", "backend-protocol", "force-ssl-redirect", "proxy-body-size", "proxy-buffer-size"),
        *("proxy-buffering", "proxy-connect-timeout", "proxy-read-timeout", "proxy-request-buffering"),
        *("proxy-send-timeout", "ssl-redirect", "use-regex"),
    )
}
"""Of an Ingress, where the value is a plain word; the others end up in the configuration of a proxy for everybody."""
PLAIN = re.compile(r"[A-Za-z0-9._-]{0,40}")
_PATH = re.compile(r"[A-Za-z0-9/_.~%@:()|*+?^$\[\]-]{0,400}")
"""Regular expressions, but nothing that ends a word in the configuration of a proxy."""


def service(spec: object, where: str) -> None:
    found = mapping(spec, where)
    one_of(found.get("type"), ["ClusterIP"], f"{where}.type", instead="the gateway leads to it")
    only(found, _SERVICE, where)
    for address, at in [(found.get("clusterIP"), f"{where}.clusterIP"), *items(found.get("clusterIPs"), where)]:
        one_of(address, ["", "None"], at)
    for port, at in mappings(found.get("ports"), f"{where}.ports"):
        only(port, {"appProtocol", "name", "port", "protocol", "targetPort"}, at)


def ingress(spec: object, where: str, reach: Reach) -> None:
    found, entrance = mapping(spec, where), reach.kubernetes.entrance
    if entrance.kind != "ingress":
        raise NotAllowed("previews are reached through the gateway here; leave it out")
    only(found, {"ingressClassName", "rules", "tls"}, where)
    one_of(found.get("ingressClassName"), [entrance.ingress_class], f"{where}.ingressClassName")
    rules = list(mappings(found.get("rules"), f"{where}.rules"))
    if not rules:
        raise NotAllowed(f"`{where}.rules` has no host")
    for rule, at in rules:
        _host(rule.get("host"), f"{at}.host", reach)
        paths = mapping(rule.get("http"), f"{at}.http").get("paths")
        for path, there in mappings(paths, f"{at}.http.paths"):
            if not _PATH.fullmatch(text(path.get("path"), f"{there}.path")):
                raise NotAllowed(f"`{there}.path` has letters that are not allowed in a preview")
            only(mapping(path.get("backend"), f"{there}.backend"), {"service"}, f"{there}.backend")
    for tls, at in mappings(found.get("tls"), f"{where}.tls"):
        for host, there in items(tls.get("hosts"), f"{at}.hosts"):
            _host(host, there, reach)


def http_route(spec: object, where: str, reach: Reach) -> None:
    found, entrance = mapping(spec, where), reach.kubernetes.entrance
    if entrance.kind != "httproute":
        raise NotAllowed("previews are reached through the gateway here; leave it out")
    only(found, {"hostnames", "parentRefs", "rules"}, where)
    hosts = list(items(found.get("hostnames"), f"{where}.hostnames"))
    if not hosts:
        raise NotAllowed(f"`{where}.hostnames` has no host")
    for host, at in hosts:
        _host(host, at, reach)
    for parent, at in mappings(found.get("parentRefs"), f"{where}.parentRefs"):
        if (parent.get("name"), parent.get("namespace")) != (entrance.gateway, entrance.gateway_namespace):
            raise NotAllowed(f"`{at}` is not the Gateway {entrance.gateway_namespace}/{entrance.gateway}")
        one_of(parent.get("kind"), ["Gateway"], f"{at}.kind")
        one_of(parent.get("group"), ["gateway.networking.k8s.io"], f"{at}.group")
    for rule, at in mappings(found.get("rules"), f"{where}.rules"):
        _rule(rule, at, reach)


def _rule(rule: dict[str, Any], where: str, reach: Reach) -> None:
    _filters(rule, where)
    for backend, at in mappings(rule.get("backendRefs"), f"{where}.backendRefs"):
        _filters(backend, at)
        one_of(backend.get("kind"), ["Service"], f"{at}.kind")
        one_of(backend.get("group"), ["", "core"], f"{at}.group")
        one_of(backend.get("namespace"), [reach.namespace], f"{at}.namespace")


def _filters(value: dict[str, Any], where: str) -> None:
    for one, at in mappings(value.get("filters"), f"{where}.filters"):
        if one.get("type") is None:
            raise NotAllowed(f"`{at}.type` is missing")
        one_of(one.get("type"), _FILTERS, f"{at}.type")


def _host(host: object, where: str, reach: Reach) -> None:
    if not (named := text(host, where)) or named not in reach.hosts:
        hosts = ", ".join(sorted(reach.hosts)) or "none"
        raise NotAllowed(f"`{where}: {named[:80]}` is not a host of this preview ({hosts})")
