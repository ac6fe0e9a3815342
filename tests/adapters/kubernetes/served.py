"""Clusters to test the client on: ours, and a real one where KUBECONFIG leads to it."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from controller.adapters.kubernetes.api import NAMESPACE, Api
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.shapes import Obj
from controller.settings import Kubernetes
from tests.fakes.cluster import FakeCluster

BOTH = ["ours", pytest.param("real", marks=pytest.mark.cluster)]
REAL = os.environ.get("KUBECONFIG")
LABEL = "test.mayfly.dev/run"


@asynccontextmanager
async def api_of(cluster: FakeCluster, tmp_path: Path, patience: float = 5.0) -> AsyncIterator[Api]:
    kubeconfig = str(cluster.kubeconfig(tmp_path / f"kubeconfig-{uuid.uuid4().hex[:6]}"))
    settings = Kubernetes(kubeconfig=kubeconfig, requests_per_second=1000)
    api = await connect(settings, patience=timedelta(seconds=patience))
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def api_on(where: str, tmp_path: Path) -> AsyncIterator[Api]:
    if where == "ours":
        async with FakeCluster(bookmark_every=0.05) as cluster, api_of(cluster, tmp_path) as api:
            yield api
        return
    if REAL is None:
        pytest.skip("no cluster: KUBECONFIG is not set")
    api = await connect(Kubernetes(kubeconfig=REAL))
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def namespace_in(api: Api) -> AsyncIterator[str]:
    """Gone afterwards; labelled with its own name."""
    name = f"client-test-{uuid.uuid4().hex[:8]}"
    metadata = {"name": name, "labels": {LABEL: name}}
    await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    try:
        yield name
    finally:
        await api.delete(NAMESPACE, name)


def a_config(namespace: str, name: str = "config", data: dict[str, str] | None = None, **metadata: object) -> Obj:
    labels = {LABEL: namespace}
    where = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": where | metadata, "data": data or {"key": "value"}}
