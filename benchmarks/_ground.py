"""The Kubernetes platform, for a benchmark: on the cluster of $KUBECONFIG, or on a fake one."""

import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.model import Skipped
from controller.adapters.kubernetes.api import Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.platform import KubernetesPlatform
from controller.common.nouns import Source
from controller.settings import Policy

IMAGE = "MAYFLY_TEST_IMAGE"


@dataclass(frozen=True, slots=True)
class Ground:
    api: Api
    platform: KubernetesPlatform
    policy: Policy


def real_cluster() -> str:
    """The image that its nodes have. Raises Skipped where there is no cluster."""
    for name, what in (("KUBECONFIG", "a cluster"), (IMAGE, "an image of Mayfly that its nodes have")):
        if not os.environ.get(name):
            raise Skipped(f"it needs {what} in {name}")
    return os.environ[IMAGE]


def policy(**kubernetes: object) -> Policy:
    """What it makes carries a label of its own, so that nothing else in the cluster is touched."""
    instance = f"bench-{secrets.token_hex(4)}"
    known = {"namespace": "default", "instance": instance, "prefix": f"{instance}-", "wait_for_image": "0s"}
    return Policy.model_validate({"platform": "kubernetes", "kubernetes": known | kubernetes})


@asynccontextmanager
async def ground(folder: Path, policy: Policy) -> AsyncIterator[Ground]:
    """The platform leads, and deploys from the repository `folder/checkout`."""
    api = await connect(policy.kubernetes)

    async def source(_repo: str) -> Source:
        return Source(str(folder / "checkout"))

    platform = KubernetesPlatform(api, policy=policy, source=source, home=folder / "home")
    try:
        await platform.open()
        await platform.lead()
        yield Ground(api, platform, policy)
    finally:
        await platform.close()
        await api.close()


def commit(folder: Path, files: Mapping[str, str]) -> str:
    """A revision of `folder/checkout` with these files."""
    checkout = folder / "checkout"
    checkout.mkdir(exist_ok=True)
    for name, text in files.items():
        (checkout / name).write_text(text)
    identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message", "a change"]):
        subprocess.run(["git", *words], cwd=checkout, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, check=True, capture_output=True, text=True)
    return head.stdout.strip()
