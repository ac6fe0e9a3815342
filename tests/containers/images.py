"""The images that the tests run: a base, the project's own on it, and what they are built with."""

import os
import subprocess
import sys
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from tests.containers import debootstrap

ROOT = Path(__file__).parents[2]
REGISTRY_BASE = "python:3.13-slim-bookworm"
OWN_BASE = "mayfly-test-base:bookworm"
TAG = "mayfly-test:image"
_PIP = ("index-url", "extra-index-url", "trusted-host", "cert")


class NoImage(Exception):
    """Why it cannot be had."""


def base(client: docker.DockerClient) -> str:
    """From a registry, or of our own making. Raises NoImage."""
    for name in (REGISTRY_BASE, OWN_BASE):
        if _has(client, name):
            return name
    try:
        client.images.pull(REGISTRY_BASE)
    except (DockerException, OSError):
        return _own_base(client)
    return REGISTRY_BASE


def build(client: docker.DockerClient, base_image: str, extras: str) -> str:
    """As anybody builds it, with pip's settings of this machine. Raises NoImage with the end of the log."""
    args = {"BASE_IMAGE": base_image, "EXTRAS": extras, "REVISION": "abc1234", **_pip_settings()}
    try:
        client.images.build(path=str(ROOT), tag=TAG, buildargs=args, network_mode="host", rm=True, forcerm=True)
    except BuildError as error:
        said = "".join(str(line.get("stream", line.get("error", ""))) for line in error.build_log)
        raise NoImage(f"the image does not build: {error.msg}\n{said[-3000:]}") from error
    return TAG


def _has(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _own_base(client: docker.DockerClient) -> str:
    name, _, tag = OWN_BASE.partition(":")
    try:
        client.api.import_image_from_file(str(debootstrap.base()), repository=name, tag=tag)
    except (debootstrap.NoDebian, APIError) as error:
        raise NoImage(f"no base image: {error}") from error
    return OWN_BASE


def _pip_settings() -> dict[str, str]:
    """What pip here was told of where packages are, but for files that a build cannot see."""
    told = {}
    for key in _PIP:
        asked = [sys.executable, "-m", "pip", "config", "get"]
        for name in (f":env:.{key}", f"global.{key}"):
            done = subprocess.run([*asked, name], capture_output=True, text=True, check=False, env=os.environ)
            if done.returncode == 0 and "file:" not in done.stdout:
                told[f"PIP_{key.replace('-', '_').upper()}"] = done.stdout.strip()
                break
    if told.get("PIP_CERT"):
        told["PIP_CERT"] = debootstrap.CERTIFICATES
    return told
