"""TLS: a certificate that is trusted, is the host's, and does not run out soon."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

from smoke.addresses import connect, why
from smoke.context import Context, answering
from smoke.documents import format_duration
from smoke.spec import TlsCheck
from smoke.target import Broken, Failed, Finding


async def check(spec: TlsCheck, context: Context) -> Finding:
    host, port = context.host(spec.host), spec.port or context.target.port
    trust = _trust(spec, context.target.workdir)
    async with answering(context.time_limit, f"{host}:{port} did not answer"):
        expires = await _expiry(host, port, trust)
    left = expires - datetime.now(UTC)
    words = f"the certificate of {host} expires on {expires:%Y-%m-%d}, in {format_duration(left)}"
    if left <= spec.expires_in_more_than:
        raise Failed(f"{words}; expected more than {format_duration(spec.expires_in_more_than)}")
    return Finding(message=words)


def _trust(spec: TlsCheck, workdir: Path) -> ssl.SSLContext:
    if spec.ca is None:
        return ssl.create_default_context()
    path = (workdir / spec.ca).resolve()
    if not path.is_relative_to(workdir.resolve()):
        raise Broken(f"{spec.ca} leads out of the repository")
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise Broken(f"{spec.ca} cannot be used: {why(error)}") from error


async def _expiry(host: str, port: int, trust: ssl.SSLContext) -> datetime:
    connection = await connect(host, port)  # closed by asyncio from here on, whatever happens
    try:
        _, writer = await asyncio.open_connection(sock=connection, ssl=trust, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise Failed(f"the certificate of {host} is not valid: {error.verify_message}") from error
    except (ssl.SSLError, OSError, EOFError) as error:
        raise Failed(f"{host}:{port} does not speak TLS: {why(error)}") from error
    try:
        certificate = writer.get_extra_info("peercert")
    finally:
        writer.transport.abort()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
