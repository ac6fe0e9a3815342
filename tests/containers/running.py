"""Containers as the chart runs them: a number for a user, a root nobody can write to, no privileges."""

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HealthcheckWaitStrategy, LogMessageWaitStrategy

from tests.charts.rendering import container, rendered

PASSWORD = "a-password-of-a-test"
READY_WITHIN = 120
"""Seconds."""


def postgres(image: str) -> DockerContainer:
    """The chart's PostgreSQL: its very script, in the project's own image."""
    (script,) = container(rendered({"postgresql": {"enabled": True}}), "StatefulSet", "mayfly-postgresql")["args"]
    setting = f"printf %s '{PASSWORD}' > /run/mayfly/password\n"
    return (
        _restricted(DockerContainer(image), "/run/mayfly", "/var/lib/postgresql")
        .with_kwargs(entrypoint=["sh", "-euc", setting + script], healthcheck={"test": ["NONE"]}, **RESTRICTED)
        .waiting_for(LogMessageWaitStrategy("database system is ready").with_startup_timeout(READY_WITHIN))
    )


def mayfly(image: str, history: str) -> DockerContainer:
    return (
        _restricted(DockerContainer(image))
        .with_env("MAYFLY_HISTORY_URL", history)
        .with_kwargs(**RESTRICTED)
        .waiting_for(HealthcheckWaitStrategy().with_startup_timeout(READY_WITHIN))
    )


RESTRICTED = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "mem_limit": "512m",
    "pids_limit": 256,
}


def _restricted(made: DockerContainer, *folders: str) -> DockerContainer:
    for folder in ("/tmp", *folders):
        made.with_tmpfs_mount(folder, "size=256m,mode=1777")
    return made


def history_url(server: DockerContainer) -> str:
    """As another container reaches it."""
    wrapped = server.get_wrapped_container()
    wrapped.reload()
    address = next(iter(wrapped.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    return f"postgresql://postgres:{PASSWORD}@{address}:5432/mayfly"


def said(container: DockerContainer, *command: str) -> str:
    """What a command within it says. Raises AssertionError where it fails."""
    result = container.exec(list(command))
    assert result.exit_code == 0, result.output.decode(errors="replace")
    return result.output.decode().strip()


def fails(container: DockerContainer, *command: str) -> bool:
    return container.exec(list(command)).exit_code != 0
