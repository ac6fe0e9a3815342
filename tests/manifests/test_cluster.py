"""A real cluster takes what is rendered, and it works there.

Pods need images that the cluster has or can pull: MAYFLY_TEST_RUNNER (`sh`, `tar`, `gzip`, `python3`) and
MAYFLY_TEST_POSTGRES (PostgreSQL's programs on PATH; MAYFLY_TEST_POSTGRES_USER is the id of its user, 999).
"""

import asyncio
import io
import json
import os
import tarfile
import uuid

import pytest

from controller.adapters.kubernetes import render, troubles
from controller.adapters.kubernetes.api import DEPLOYMENT, JOB, NAMESPACE, POD
from controller.adapters.kubernetes.connect import connect
from controller.adapters.kubernetes.shapes import Container, Place, SecretKey, Server, Workload
from controller.settings import Kubernetes
from tests.examples import ABC, KEY
from tests.manifests.wanted import PLACE, a_check_task, a_policy, a_task, everything, simple

pytestmark = pytest.mark.cluster


def image(variable):
    if not os.environ.get(variable):
        pytest.skip(f"no image for the cluster: {variable} is not set")
    return os.environ[variable]


@pytest.fixture
async def api():
    if "KUBECONFIG" not in os.environ:
        pytest.skip("no cluster: KUBECONFIG is not set")
    api = await connect(Kubernetes(kubeconfig=os.environ["KUBECONFIG"]))
    yield api
    await api.close()


@pytest.fixture
async def place(api):
    """A namespace of its own, with its fences."""
    place = Place(f"manifests-test-{uuid.uuid4().hex[:8]}", KEY, "manifests-test")
    await apply(api, render.namespace(place, {}), *render.fences(place, a_policy(), None))
    yield place
    await api.delete(NAMESPACE, place.namespace)


async def apply(api, *objs):
    for obj in objs:
        await api.apply(obj)


async def until(look):
    async with asyncio.timeout(60):
        while not (found := await look()):
            await asyncio.sleep(0.2)
        return found


async def works(api, place, name):
    async def ready():
        found = await api.get(DEPLOYMENT, name, place.namespace)
        pods, _ = await api.list(POD, place.namespace, f"mayfly.dev/service={name}")
        trouble = troubles.deployment_trouble(found, pods)
        assert trouble is None or not trouble.fatal, trouble
        return troubles.deployment_ready(found)

    await until(ready)


async def ended(api, place, name):
    """How a Job ended, and what its first container said."""

    async def state():
        found = troubles.job_state(await api.get(JOB, name, place.namespace))
        return found if found.ended else None

    found = await until(state)
    (pod,), _ = await api.list(POD, place.namespace, f"job-name={name}")
    container = pod["spec"]["containers"][0]["name"]
    return found, await api.logs(place.namespace, pod["metadata"]["name"], container)


@pytest.mark.parametrize("make", [simple, everything])
async def test_the_api_server_takes_every_object_and_knows_every_field(api, place, make):
    text = json.dumps(make()).replace(PLACE.namespace, place.namespace)
    await apply(api, *json.loads(text))


def an_archive(**files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


async def test_a_checkout_is_built_and_served_and_nothing_in_a_command_is_filled_in(api, place):
    runner = image("MAYFLY_TEST_RUNNER")
    source = render.config(place, "source", {}, {"source.tar.gz": an_archive(make="echo made > made.txt")})
    web = Container(
        "web",
        runner,
        ("sh", "-ec", 'echo "$LITERAL $1"; exec python3 -m http.server "$PORT"', "sh", "$(PORT) $$"),
        {"PORT": "8000", "LITERAL": "$(PORT) $$"},
        port=8000,
        health="/made.txt",
        source=source["metadata"]["name"],
        build=("sh", "make"),
        user=1000,
    )
    await apply(api, source, *render.workload(place, Workload(web, ABC, 1), a_policy()))
    await works(api, place, "web")
    (pod,), _ = await api.list(POD, place.namespace, "mayfly.dev/service=web")
    said = await api.logs(place.namespace, pod["metadata"]["name"], "web")
    assert said.startswith("$(PORT) $$ $(PORT) $$\n")


async def test_a_server_starts_and_asks_for_the_password(api, place):
    user = int(os.environ.get("MAYFLY_TEST_POSTGRES_USER", "999"))
    policy = a_policy(images={"postgres": image("MAYFLY_TEST_POSTGRES"), "postgres_user": user})
    secret = render.secret(place, "database", {"password": "it's $(secret)"})
    name = secret["metadata"]["name"]
    await apply(api, secret, *render.server(place, Server(policy.images.postgres, name), policy))
    await works(api, place, "postgres")
    query = ("psql", "-h", "postgres", "-U", "postgres", "-d", "app", "-Atc", "SELECT current_database()")
    client = Container(
        "run", policy.images.postgres, query, secrets={"PGPASSWORD": SecretKey(name, "password")}, user=user
    )
    stranger = Container("run", policy.images.postgres, query, {"PGPASSWORD": "guessed"}, user=user)
    for job, container in ("right", client), ("wrong", stranger):
        await apply(api, render.task(place, a_task(container, name=job), policy))
    right, said = await ended(api, place, "right")
    assert (right.succeeded, said) == (True, "app\n")
    wrong, said = await ended(api, place, "wrong")
    assert not wrong.succeeded
    assert "password authentication failed" in said


async def test_containers_of_a_check_hand_over_what_they_found(api, place):
    runner = image("MAYFLY_TEST_RUNNER")
    config = render.config(place, "checks", {"checks.yaml": "checks: []"})
    wait = "until [ -e /mayfly/run/e2e ]; do sleep 0.1; done; cat /mayfly/config/checks.yaml /mayfly/run/e2e; touch /x"
    task = a_check_task(
        config=config["metadata"]["name"],
        smoke=Container("smoke", runner, ("sh", "-c", wait), user=1000),
        beside=(Container("e2e", runner, ("sh", "-c", "echo passed > /mayfly/run/e2e"), user=1001),),
    )
    await apply(api, config, render.check_task(place, task, a_policy()))
    state, said = await ended(api, place, task.name)
    assert said.startswith("checks: []passed\n")
    assert "Read-only file system" in said
    assert not state.succeeded
