"""Programs that make manifests of what a repository has: Kustomize, Helm, and our own filling of templates.

Each is a process of its own with limits of time, memory and output, an environment with nothing of ours in it, and no
way to the network: no `git` to clone with, and a proxy that nobody listens at.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from controller.adapters.kubernetes.confine import MAX_OUTPUT
from controller.adapters.shared.disk import trouble
from controller.adapters.shared.run import CommandFailed, run
from controller.adapters.shared.words import telling_line
from controller.errors import Refused

LIMIT = timedelta(seconds=60)
_CONFINE = (sys.executable, "-I", "-m", "controller.adapters.kubernetes.confine")
_NOBODY = "http://127.0.0.1:9"
RELEASE = "preview"


async def kustomize(folder: Path) -> str:
    """What `kustomize build` makes. Raises Refused with its own words, or where there is no such program."""
    if program := shutil.which("kustomize"):
        return await _run("kustomize", program, "build", str(folder))
    if program := shutil.which("kubectl"):
        return await _run("kustomize", program, "kustomize", str(folder))
    raise Refused("this Mayfly has no `kustomize`: its image needs the program to build a kustomization")


async def helm(chart: Path, values: list[Path], ours: Mapping[str, object], namespace: str) -> str:
    """What `helm template` makes, `ours` set over the other values. Nothing is fetched for it. Raises Refused."""
    program = shutil.which("helm")
    if program is None:
        raise Refused("this Mayfly has no `helm`: its image needs the program to render a chart")
    with tempfile.TemporaryDirectory(prefix="mayfly-") as folder:
        last = Path(folder, "values.json")
        with trouble("write a file"):
            last.write_text(json.dumps(ours))
        files = [word for path in (*values, last) for word in ("--values", str(path))]
        return await _run(
            "helm", program, "template", RELEASE, str(chart), "--namespace", namespace, "--skip-tests", *files
        )


async def fill(templates: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Jinja2 templates by file name, filled in. Raises Refused, naming the file."""
    with tempfile.TemporaryDirectory(prefix="mayfly-") as folder:
        job = Path(folder, "job.json")
        with trouble("write a file"):
            job.write_text(json.dumps({"templates": dict(templates), "values": dict(values)}))
        made = await _run("", sys.executable, "-I", "-m", "controller.adapters.kubernetes.own_templates", str(job))
    found: dict[str, str] = json.loads(made)
    return found


async def _run(name: str, *argv: str) -> str:
    with tempfile.TemporaryDirectory(prefix="mayfly-") as folder:
        try:
            await run(*_CONFINE, folder, *argv, env=_environment(folder), cwd=Path(folder), limit=LIMIT)
        except CommandFailed as error:
            said = await asyncio.to_thread(_why, folder, error)
            raise Refused(f"{name}: {said}" if name else said) from error
        return await asyncio.to_thread(_text, folder, "out")


def _why(folder: str, error: CommandFailed) -> str:
    if not Path(folder, "err").exists():
        return error.reason
    return telling_line(_text(folder, "err").splitlines()) or "it takes more time or memory than it may"


def _text(folder: str, name: str) -> str:
    with trouble("read a file"), Path(folder, name).open("rb") as file:
        return file.read(MAX_OUTPUT).decode(errors="replace")


def _environment(folder: str) -> dict[str, str]:
    helm = {f"HELM_{place}_HOME": folder for place in ("CACHE", "CONFIG", "DATA")}
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), _NOBODY)
    return {"PATH": folder, "HOME": folder, "LC_ALL": "C.UTF-8", "KUBECONFIG": "/dev/null"} | helm | proxies
