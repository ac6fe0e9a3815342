"""DNS: a name that resolves to what it should."""

import ipaddress

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from smoke.addresses import why
from smoke.context import Context
from smoke.documents import format_duration
from smoke.spec import DnsCheck
from smoke.target import Broken, Failed, Finding


async def check(spec: DnsCheck, context: Context) -> Finding:
    name = context.host(spec.name)
    if spec.server is not None and not context.target.external:
        raise Broken("a check of a pull request asks the system's resolver, not one it names")
    answers = await _ask(_resolver(spec), name, spec, context)
    missing = [wanted for record in spec.expect if (wanted := _plain(context.fill(record))) not in answers]
    listed = ", ".join(sorted(answers))
    if missing:
        raise Failed(f"{name} has {spec.type} {listed}; expected {', '.join(missing)}")
    return Finding(message=f"{name} has {spec.type} {listed}")


def _resolver(spec: DnsCheck) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=spec.server is None)
        if spec.server is not None:
            address, port = _address(spec.server)
            resolver.nameservers, resolver.port = [address], port
    except (dns.resolver.NoResolverConfiguration, ValueError) as error:
        raise Broken(f"there is no resolver to ask: {why(error)}") from error
    return resolver


def _address(server: str) -> tuple[str, int]:
    """Raises ValueError."""
    host, colon, port = server.rpartition(":")
    if colon and server.count(":") == 1:
        return str(ipaddress.ip_address(host)), int(port)
    return str(ipaddress.ip_address(server)), 53


async def _ask(resolver: dns.asyncresolver.Resolver, name: str, spec: DnsCheck, context: Context) -> set[str]:
    limit = context.time_limit
    try:
        answer = await resolver.resolve(name, spec.type, lifetime=limit.total_seconds(), search=False)
    except dns.resolver.NXDOMAIN:
        raise Failed(f"{name} does not exist") from None
    except dns.resolver.NoAnswer:
        raise Failed(f"{name} has no {spec.type} record") from None
    except dns.resolver.LifetimeTimeout as error:
        raise Broken(f"no resolver answered within {format_duration(limit)}") from error
    except (dns.exception.DNSException, OSError) as error:
        raise Broken(f"the resolver could not answer: {why(error)}") from error
    return {_plain(record.to_text()) for record in answer}


def _plain(record: str) -> str:
    """As people write it: without the last dot, and without quotes."""
    return record.strip().strip('"').removesuffix(".").lower()
