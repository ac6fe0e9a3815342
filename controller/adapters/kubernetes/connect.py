"""Opens the way to the cluster that the policy means. What takes a while to import is imported when it is needed."""

from datetime import timedelta

from controller.adapters.kubernetes import answers, wire
from controller.adapters.kubernetes.api import Api
from controller.adapters.kubernetes.retry import Pace
from controller.adapters.kubernetes.wire import Request, Wire
from controller.errors import Refused
from controller.settings import Kubernetes


async def connect(kubernetes: Kubernetes, *, patience: timedelta = timedelta(seconds=10)) -> Api:
    """Raises Refused where no configuration leads anywhere, Unavailable where the server does not answer.

    `patience` is how long the Api repeats what fails, before it raises Unavailable.
    """
    try:
        from controller.adapters.kubernetes import kubeconfig  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Refused(
            "the Kubernetes platform needs the extra `kubernetes`: pip install 'mayfly[kubernetes]'"
        ) from error
    found = await kubeconfig.find(kubernetes.kubeconfig, kubernetes.context)
    opened = Wire(
        found.url,
        wire.session(found.tls),
        found.account,
        Pace(kubernetes.requests_per_second),
        found.server_hostname,
        found.proxy,
        patience,
    )
    try:
        await _greet(opened)
    except BaseException:
        await opened.session.close()
        raise
    return Api(opened)


async def _greet(opened: Wire) -> None:
    answer = await opened.ask(Request("GET", "/version", f"the version of {opened.url}"))
    if not isinstance(answer, bytes) and answer.code != 403:  # who may not ask for it was known all the same
        raise answers.error(answer, f"the version of {opened.url}")
