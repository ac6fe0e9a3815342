"""What the policy file and the variables beside it are called, and the shapes of what stands in them."""

from ipaddress import ip_network

FILE = "mayfly.yaml"
DATABASES_URL = "MAYFLY_DATABASES_URL"
"""Variable with the URL of the PostgreSQL that holds every preview's database (`isolation: server`)."""
HISTORY_URL = "MAYFLY_HISTORY_URL"
"""Variable with the URL of History, so that its password is in no file."""
GITHUB_TOKEN = "MAYFLY_GITHUB_TOKEN"  # noqa: S105 - a variable's name
"""Variable with a token, where no App is used."""
GITHUB_KEY = "MAYFLY_GITHUB_PRIVATE_KEY"
"""Variable with the App's private key (PEM), where `github.private_key_file` names none."""
WEBHOOK_SECRET = "MAYFLY_GITHUB_WEBHOOK_SECRET"  # noqa: S105 - likewise
"""Variable with the secret that GitHub signs webhooks with."""
WEBHOOK_SECRET_BEFORE = "MAYFLY_GITHUB_WEBHOOK_SECRET_PREVIOUS"  # noqa: S105 - likewise
"""Variable with the secret before it: both are taken while one is replaced by the other."""
ADMIN_TOKEN = "MAYFLY_ADMIN_TOKEN"  # noqa: S105 - likewise
"""Variable with a token that may do everything, for a start without a History that knows one."""
LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""A name in a cluster (RFC 1123, 2.1)."""


def host_and_port(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{text!r} is not HOST:PORT, like `127.0.0.1:8080`")
    return text


def network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network, like `10.0.0.0/8`") from error
