"""Names into addresses: `*.localhost` is this machine (RFC 6761, 6.3), which not every system resolver knows."""

import asyncio
import errno
import os
import socket

from smoke.target import Broken, Failed


def is_local(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def reachable(host: str) -> str:
    """What to connect to for `host`."""
    return "127.0.0.1" if is_local(host) else host


async def connect(host: str, port: int) -> socket.socket:
    """A connected TCP socket, to whichever address answers. Raises Failed, or Broken where no resolver answers."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(reachable(host), port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise unresolved(host, error) from error
    problem: OSError | None = None
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, address)
        except OSError as error:
            connection.close()
            problem = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise refused(host, port, problem) from problem


def unresolved(host: str, error: Exception) -> Failed | Broken:
    """A name that does not exist is the application's fault; a resolver that is away is not."""
    number = error.errno if isinstance(error, OSError) else None
    if number in {socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM}:
        return Broken(f"{host} could not be looked up: {why(error)}")
    return Failed(f"{host} has no address ({why(error)})")


def refused(host: str, port: int, error: OSError | None) -> Failed | Broken:
    if error is not None and error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL}:
        return Broken(f"this machine has no more connections to give: {why(error)}")
    return Failed(f"{host}:{port} does not answer: {why(error)}")


def why(error: Exception | None) -> str:
    """An error of the system in its own words (`connection refused`)."""
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno:
        return os.strerror(error.errno).lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error or "") or type(error).__name__
