"""A Docker Engine for the tests: the one that answers here, or one of our own, started and ended by them.

Our own keeps everything in a folder that goes with it, and leaves the machine's firewall and routing alone: containers
reach each other and are reached from this machine, and builds use its network.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import DockerException

DEFAULT = "unix:///var/run/docker.sock"
START_WITHIN, STOP_WITHIN = 40, 20
"""Seconds."""


class NoEngine(Exception):
    """Why there is none."""


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[tuple[docker.DockerClient, str]]:
    """And its URL, empty where that is known to everybody here.

    One of our own lives in `folder`, and serves all processes that name the same one: whoever started it ends it once
    nobody uses it. Raises NoEngine with the reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = f"unix://{folder}/docker.sock"
    with contextlib.ExitStack() as stack:
        with held(folder / "starting"):
            url = next((url for url in ("", own) if (client := _answering(url)) and not client.close()), None)
            if url is None:
                url = stack.enter_context(_own(folder, own))
            stack.enter_context(held(folder / "using", shared=True))
        client = docker.DockerClient(base_url=url) if url else docker.from_env()
        stack.callback(client.close)
        yield client, url


@contextlib.contextmanager
def held(file: Path, *, shared: bool = False) -> Iterator[None]:
    """A lock between processes."""
    with file.open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def _answering(url: str) -> docker.DockerClient | None:
    if not _listens(url or os.environ.get("DOCKER_HOST") or DEFAULT):
        return None
    try:
        client = docker.DockerClient(base_url=url) if url else docker.from_env()
    except DockerException:
        return None
    with contextlib.suppress(DockerException, OSError):
        if client.ping():
            return client
    client.close()
    return None


def _listens(url: str) -> bool:
    """Whether anybody does; the client leaves a connection open where nobody does."""
    if not url.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as asked:
        return asked.connect_ex(url.removeprefix("unix://")) == 0


@contextlib.contextmanager
def _own(folder: Path, url: str) -> Iterator[str]:
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        raise NoEngine("no Docker Engine answers, and starting one needs root and `dockerd` (Debian: docker.io)")
    log = folder / "dockerd.log"
    command = ["dockerd", "--host", url, "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    modest = ["--pidfile", str(folder / "pid"), "--iptables=false", "--ip-masq=false", "--ip-forward=false"]
    with log.open("wb") as out, subprocess.Popen([*command, *modest], stdout=out, stderr=out) as process:
        try:
            _wait_for(process, url, log)
            yield url
        finally:
            with held(folder / "using"):
                _end(process)
                _unmount(folder)


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_WITHIN
    while time.monotonic() < until and process.poll() is None:
        if (client := _answering(url)) is not None:
            client.close()
            return
        time.sleep(0.2)
    said = " / ".join(log.read_text(errors="replace").splitlines()[-3:])
    raise NoEngine(f"dockerd does not run here: {said[-600:] or 'it said nothing'}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()


def _unmount(folder: Path) -> None:
    """What dockerd left mounted, so that its folder can be removed."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in sorted((one for one in mounted if one.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
    shutil.rmtree(folder / "data", ignore_errors=True)
