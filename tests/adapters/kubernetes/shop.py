"""A shop to deploy on the fake cluster, with whatever a test wants to differ in its spec."""

from controller.common.nouns import Phase
from controller.settings import Policy
from tests.adapters.kubernetes import programs
from tests.contracts.platform import KEY, settled

PORT = 8000


def a_service(*command, story="good", version="one", **more):
    """Answers its version; its image is one that the fake cluster runs."""
    words = list(command) or ["serve", story, version]
    return {"image": programs.SHOP, "command": words, "port": PORT, "health": "/"} | more


def a_spec(web=None, /, postgres=None, checks=None, **more):
    """With one service `web`; `services` replaces it."""
    spec = {"services": {"web": a_service() if web is None else web}}
    spec |= {"database": {"postgres": postgres}} if postgres is not None else {}
    return spec | ({"checks": checks} if checks is not None else {}) | more


async def deploy(world, spec, files=None, *, number=7, order=0):
    """Orders a new commit with these files to be deployed, and does not wait for it."""
    made = world.order(world.commit(files or {}), spec, number=number, order=order)
    await world.platform.deploy(made)
    return made


async def deployed(world, spec, files=None, *, number=7, order=0):
    """The same, and waits until it is ready."""
    made = await deploy(world, spec, files, number=number, order=order)
    return made, await settled(world.platform, Phase.READY, made.revision, made.key)


async def with_policy(world, **kubernetes):
    """The controller begins anew, with another policy for its cluster."""
    world.policy = Policy(kubernetes=world.kubernetes(**kubernetes))
    await world.reopen()


def names_of(world, kind, number=KEY.number):
    """Of all objects of a kind in the namespace that are not about to go."""
    found = world.cluster.all(kind, world.namespace(number))
    return {obj["metadata"]["name"] for obj in found if "deletionTimestamp" not in obj["metadata"]}


def the(world, kind, name):
    return world.cluster.get(kind, name, world.namespace())
