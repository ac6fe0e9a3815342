"""Builds what the services of a tree need, or takes it from where it was built before."""

from controller.adapters.local import builds, environment
from controller.adapters.local.crew import Crew
from controller.adapters.local.jobs import run_job
from controller.adapters.local.means import Means
from controller.adapters.shared.sources import real_path
from controller.adapters.shared.steps import StepFailed
from controller.common.spec import Build, ServiceSpec
from controller.errors import Refused


async def build_all(crew: Crew, means: Means) -> tuple[str, ...]:
    """The digests of what was built, in the order of the services. Raises StepFailed."""
    crew.job("build").forget_log()
    wanted = [(name, crew.spec.services[name]) for name in crew.spec.start_order()]
    return tuple(
        [
            await _build(crew, means, name, service, service.build)
            for name, service in wanted
            if service.build is not None
        ]
    )


async def _build(crew: Crew, means: Means, name: str, service: ServiceSpec, build: Build) -> str:
    facts, local = crew.facts(means.url), means.policy.local
    argv, env = environment.command(build.command, facts.known), environment.of_build(facts, service)
    paths = [real_path(crew.tree, path) for path in build.inputs] or [""]
    inputs = await means.sources.object_ids(crew.repo, crew.revision, paths)
    digest = builds.digest(argv, env | {"PATH": local.path}, build.outputs, inputs)
    async with crew.step(f"build {name}") as progress, means.builds.one_at_a_time(digest):
        if await means.builds.put(digest, crew.tree, build.outputs):
            progress.reused(digest[:7])
            return digest
        await run_job(crew, means, "build", f"build {name}", argv, env)
        try:
            await means.builds.keep(digest, crew.tree, build.outputs)
        except Refused as error:
            raise StepFailed(f"build {name}: {error.reason}", "\n".join(crew.job("build").tail())) from error
    return digest
