"""The chart on a real cluster: installed, asked, upgraded, pushed to, removed."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python
import pytest

from tests.charts.schema import CHART

pytestmark = [pytest.mark.cluster, pytest.mark.processes, pytest.mark.timeout(900)]

SPEC = """
services:
  web: {command: "python -m http.server --bind {host} {port}", port: 8000}
"""
ASK = """
import sys, urllib.request as r
asked = r.Request('http://127.0.0.1:8080/README', headers={'Host': sys.argv[1]})
print(r.urlopen(asked, timeout=20).read().decode())
"""


def kubectl(*words: str, fails: bool = False) -> str:
    done = subprocess.run(["kubectl", *words], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode != 0) == fails, done.stderr or done.stdout
    return done.stderr if fails else done.stdout


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "protocol.ext.allow=always"]
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class Release:
    name: str
    values: dict[str, Any]

    @property
    def controller(self) -> str:
        return f"deployment/{self.name}-mayfly"

    def ask(self, host: str) -> str:
        run = ("python", "-c", ASK, host)
        return kubectl("-n", self.name, "exec", self.controller, "-c", "mayfly", "--", *run)

    def log(self) -> str:
        return kubectl("-n", self.name, "logs", self.controller, "-c", "mayfly", "--tail", "20")

    def url(self, repo: str) -> str:
        exec_in = f"kubectl -n {self.name} exec -i {self.controller} -c mayfly"
        return f"ext::{exec_in} -- %S /var/lib/mayfly/forge/{repo}.git"


@pytest.fixture
def release() -> Iterator[Release]:
    """Installed and ready, in a namespace of its own name."""
    for name in ("KUBECONFIG", "MAYFLY_TEST_IMAGE"):
        if not os.environ.get(name):
            pytest.skip(f"needs a cluster in KUBECONFIG, and an image that its nodes have in {name}")
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    image = os.environ["MAYFLY_TEST_IMAGE"]
    repository, _, tag = image.rpartition(":")
    name = f"t{secrets.token_hex(3)}"
    images = {"runner": image, "postgres": image, "postgres_user": 10001}
    values = {
        "domain": "previews.test",
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "persistence": {"enabled": False},
        "repositories": ["app"],
        "postgresql": {"enabled": True, "image": image, "user": 10001, "storage": {"enabled": False}},
        "policy": {"kubernetes": {"prefix": f"{name}-", "wait_for_image": "0s", "images": images}},
    }
    with helm_python.Config(namespace=name) as helm:
        try:
            helm.install(CHART, name, values, create_namespace=True, wait="legacy", timeout=240)
            yield Release(name, values)
        finally:
            _remove(helm, name)


def _remove(helm: helm_python.Config, name: str) -> None:
    helm.uninstall(name)
    left = f"mayfly.dev/instance={name}"
    kubectl("delete", "namespace", "--selector", left, "--wait=false", "--ignore-not-found")
    kubectl("delete", "namespace", name, "--wait=false")


def test_it_is_installed_pushed_to_and_upgraded(release: Release, tmp_path: Path) -> None:
    with helm_python.Config(namespace=release.name) as helm:
        helm.test(release.name, timeout=120)
        _push(release, tmp_path)
        assert "hello from the pull request" in _until_answered(release, "pr-1-app.previews.test")

        helm.upgrade(CHART, release.name, {**release.values, "podLabels": {"a": "b"}}, wait="legacy", timeout=240)
        assert "hello from the pull request" in _until_answered(release, "pr-1-app.previews.test")


def test_the_account_changes_nothing_that_is_not_its_own(release: Release) -> None:
    account = f"--as=system:serviceaccount:{release.name}:{release.name}-mayfly"

    for change in (
        ("create", "configmap", "x", "--namespace", "default"),
        ("create", "namespace", f"{release.name}-x"),
        ("label", "namespace", "default", f"mayfly.dev/instance={release.name}"),
    ):
        assert "Mayfly writes only to namespaces of its own previews" in kubectl(account, *change, fails=True)
    assert "forbidden" in kubectl(account, "get", "secrets", "--namespace", "kube-system", fails=True)


def _push(release: Release, folder: Path) -> None:
    (folder / ".preview.yaml").write_text(SPEC)
    (folder / "README").write_text("hello from the pull request\n")
    git(folder, "init", "--initial-branch", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--message", "first")
    git(folder, "push", release.url("app"), "main")
    git(folder, "commit", "--allow-empty", "--message", "a change")
    assert "Preview of change (pull request 1)" in git(folder, "push", release.url("app"), "main:change")


def _until_answered(release: Release, host: str) -> str:
    until = time.monotonic() + 180
    while True:
        try:
            return release.ask(host)
        except AssertionError:
            assert time.monotonic() < until, release.log()
            time.sleep(1)
