"""What differs where strangers' code runs: a preview of a pull request from a fork.

|                     | a preview                                 | a fork's                                          |
| ------------------- | ----------------------------------------- | ------------------------------------------------- |
| pull secrets        | the policy's, copied into its namespace   | none; its images are asked for without a name     |
| connects to         | itself, DNS, the policy's `egress`        | itself, DNS                                       |
| the server for all  | its port, at any address: it may move     | its port, at the addresses it has at the deploy   |
| takes of the cluster | `quota`                                  | `fork_quota`                                      |
| a seed              | is shared by all who have the same inputs | its own: nobody begins from what strangers made   |
| own manifests       | what `allowed` lets through               | no Ingress, HTTPRoute or volume of an image       |

What runs for others is never changed to a fork's or back: the preview is made anew.
"""

import asyncio
import socket
from ipaddress import ip_network

from controller.adapters.kubernetes.pod_troubles import NO_PERMISSION
from controller.adapters.registry import Registry
from controller.errors import Unavailable
from controller.settings import Kubernetes

_NO_SECRETS = "a fork's preview has no pull secrets: what it runs has to be public"


def policy(kubernetes: Kubernetes, *, fork: bool) -> Kubernetes:
    """As it holds for one preview."""
    if not fork:
        return kubernetes
    return kubernetes.model_copy(update={"pull_secrets": [], "egress": [], "quota": kubernetes.fork_quota})


def registry() -> Registry:
    """Without a name: that we may read an image does not mean that a stranger may run it."""
    return Registry(advice=_NO_SECRETS)


def explained(reason: str, *, fork: bool) -> str:
    """Why a pod does not start, with what a fork's author cannot know."""
    return f"{reason}; {_NO_SECRETS}" if fork and NO_PERMISSION in reason else reason


async def blocks_of(host: str) -> tuple[str, ...]:
    """The addresses of a host now, each as a block of its own. Raises Unavailable where it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"the host {host} of the databases has no address now: {error.strerror or error}") from error
    addresses = {str(address[0]).partition("%")[0] for *_, address in found}
    return tuple(sorted(str(ip_network(address)) for address in addresses))
