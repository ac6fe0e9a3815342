"""Where the cluster is and who we are there: the policy's kubeconfig, the pod's own account, or a person's kubeconfig.

Reading kubeconfigs and running credential plugins is the client library's; only this module imports it.
"""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.aio.config.exec_provider import ExecProvider

from controller.adapters.kubernetes.wire import Account
from controller.errors import Refused

_HELP = "set kubernetes.kubeconfig in the policy, or KUBECONFIG"


@dataclass(frozen=True, slots=True)
class Cluster:
    url: str
    tls: ssl.SSLContext
    account: Account
    server_hostname: str | None
    """What the certificate is for, where that is not the address."""
    proxy: str | None


async def find(kubeconfig: str | None, context: str | None) -> Cluster:
    """Raises Refused where nothing usable is found."""
    configuration = Configuration()
    if not kubeconfig and not context and os.environ.get("KUBERNETES_SERVICE_HOST"):
        account = await _of_the_pod(configuration)
    else:
        account = await _of_a_person(_files(kubeconfig), context, configuration)
    configuration.disable_strict_ssl_verification = True  # as kubectl: many a cluster's own CA lacks a key usage
    try:
        tls = RESTClientObject(configuration).ssl_context
    except OSError as error:  # ssl.SSLError is one
        raise Refused(f"the certificates of the kubeconfig cannot be used: {error}") from error
    url, proxy = configuration.host.rstrip("/"), configuration.proxy
    return Cluster(url, tls, account, configuration.tls_server_name or None, proxy or None)


def _files(kubeconfig: str | None) -> str:
    named = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [str(Path(part).expanduser()) for part in named.split(os.pathsep) if part]
    if not any(Path(file).is_file() for file in files):
        raise Refused(f"there is no kubeconfig at {named}, and this is no pod of a cluster: {_HELP}")
    return os.pathsep.join(files)


async def _of_the_pod(configuration: Configuration) -> Account:
    async def read(_: bool) -> str:
        try:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            raise Refused(f"the pod's account cannot be used ({error}); is its token mounted? Or {_HELP}") from error
        return _authorization(configuration)

    return Account(await read(True), read, ages=True)


async def _of_a_person(files: str, context: str | None, configuration: Configuration) -> Account:
    loader = await _load(files, context, configuration)

    async def read(anew: bool) -> str:
        nonlocal loader
        if anew:
            loader = await _load(files, context, configuration)
        else:
            await loader.load_and_set(configuration)
        return _authorization(configuration)

    user = _user(loader)
    ages = "tokenFile" in user or "auth-provider" in user or hasattr(loader, "exec_plugin_expiry")
    return Account(_authorization(configuration), read, ages=ages)


async def _load(files: str, context: str | None, configuration: Configuration) -> Any:
    try:
        loader = await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=files, context=context, client_configuration=configuration, persist_config=False
        )
    except (ConfigException, OSError, yaml.YAMLError, TypeError, AttributeError, ValueError) as error:  # of any shape
        raise Refused(f"the kubeconfig {files} cannot be used: {error}") from error
    if "exec" in _user(loader) and not {"token", "cert_file"} & set(vars(loader)):
        raise Refused(f"the credential plugin of the kubeconfig {files} gave nothing: {await _words_of_plugin(loader)}")
    return loader


async def _words_of_plugin(loader: Any) -> str:
    """Runs it once more: the library keeps its words to itself."""
    try:
        await ExecProvider(_user(loader)["exec"]).run()  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as error:
        return str(error)
    return "neither a token nor a certificate"


def _user(loader: Any) -> Any:
    return loader._user or {}


def _authorization(configuration: Configuration) -> str:
    return str(configuration.api_key.get("BearerToken") or "").strip()
