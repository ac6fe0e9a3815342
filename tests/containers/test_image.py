"""The project's own image, built and run: it starts, migrates History, is healthy, stops cleanly."""

import json
import time

import docker
import pytest
from testcontainers.core.container import DockerContainer

from controller.adapters.history.tables import METADATA
from tests.containers import running
from tests.containers.running import fails, said

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]

MAX_SIZE = 320 * 2**20
"""Bytes on top of the base image, PostgreSQL's programs included."""


def test_history_is_migrated_on_postgresql(mayfly: DockerContainer, postgres: DockerContainer) -> None:
    url = running.history_url(postgres)

    found = said(postgres, "psql", url, "-Atc", "select tablename from pg_tables where schemaname = 'public'")

    assert set(found.split()) == {*METADATA.tables, "alembic_version"}


def test_docker_finds_it_healthy_and_it_is_ready(mayfly: DockerContainer) -> None:
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/readyz').read().decode())"

    assert mayfly.get_wrapped_container().attrs["State"]["Health"]["Status"] == "healthy"
    assert json.loads(said(mayfly, "python", "-c", ask))["ready"] is True


def test_it_runs_as_a_user_with_a_name_who_can_write_to_its_home_only(mayfly: DockerContainer) -> None:
    assert said(mayfly, "id", "-u", "-n") == "mayfly"
    assert said(mayfly, "id", "-u") == "10001"
    assert fails(mayfly, "touch", "/opt/mayfly/x")
    assert said(mayfly, "sh", "-c", "touch /var/lib/mayfly/x /tmp/x && echo written") == "written"


def test_nothing_that_builds_or_installs_is_left_in_it(mayfly: DockerContainer) -> None:
    for program in ("pip", "gcc", "make", "uv"):
        assert fails(mayfly, "sh", "-c", f"command -v {program}")
    assert fails(mayfly, "python", "-m", "pip", "--version")
    assert fails(mayfly, "python", "-c", "import pytest")


def test_it_serves_for_checks_and_for_previews_as_well(mayfly: DockerContainer) -> None:
    assert "Smoke" in said(mayfly, "python", "-m", "smoke", "--help")
    for program in ("git", "sh", "tar", "gzip", "psql", "pg_restore", "initdb", "postgres"):
        assert said(mayfly, "sh", "-c", f"command -v {program}")


def test_its_labels_say_what_it_is(engine: docker.DockerClient, image: str) -> None:
    labels = engine.images.get(image).labels

    assert labels["org.opencontainers.image.title"] == "Mayfly"
    assert labels["org.opencontainers.image.revision"] == "abc1234"


def test_it_is_small(engine: docker.DockerClient, image: str) -> None:
    layers = engine.images.get(image).history()
    own = [layer["Size"] for layer in layers if "/opt/mayfly" in layer["CreatedBy"] or "groupadd" in layer["CreatedBy"]]

    assert 0 < sum(own) < MAX_SIZE


def test_it_stops_cleanly_within_ten_seconds(image: str, postgres: DockerContainer) -> None:
    with running.mayfly(image, running.history_url(postgres)) as another:
        container = another.get_wrapped_container()
        began = time.monotonic()
        container.stop(timeout=30)
        took = time.monotonic() - began
        container.reload()

        assert container.attrs["State"]["ExitCode"] == 0, container.logs().decode()
        assert took < 10
