"""What the contract of targets needs, in memory: commits are words about what their application does."""

from controller.common.nouns import Commit
from controller.common.spec import Spec
from controller.deploys.model import Release
from controller.deploys.ports import Targets
from controller.deploys.secret import secret_digest
from smoke.model import Outcome
from tests.contracts.targets import TARGET
from tests.fakes.examples import NOON
from tests.fakes.ground import Ground
from tests.fakes.site import Site
from tests.fakes.targets import FakeTargets


class FakeTargetsWorld:
    """Implements `tests.contracts.targets.World`."""

    def __init__(self) -> None:
        self.ground = Ground()
        self.versions: dict[str, str] = {}
        """What the application says of itself, by revision."""
        self.targets: Targets = FakeTargets(ground=self.ground)

    def release(
        self, number: int, story: str = "good", *, version: str = "one", greeting: str = "", secret: str = ""
    ) -> Release:
        revision = f"{len(self.versions) + 1:07x}" + "0" * 33
        self.versions[revision] = version
        self._tell(story, revision)
        env = {"GREETING": greeting} if greeting else {}
        if secret:
            self.ground.secrets["API_KEY"] = secret
        digests = {"API_KEY": secret_digest(secret)} if secret else {}
        spec = a_spec(story)
        commit = Commit(revision, NOON, "a change", "ada")
        checks = tuple(spec.checks.smoke)
        return Release(number, commit, spec, checks, NOON, "a push to main", env=env, secrets=digests)

    def _tell(self, story: str, revision: str) -> None:
        """What will happen to it."""
        ground, version = self.ground, self.versions[revision]
        match story:
            case "unmakeable":
                ground.unmakeable[revision] = "build web: it exited with status 2"
            case "crashing":
                ground.crashing[revision] = "no such table: users\n[hidden]"
            case "slow":
                ground.slow.add(revision)
            case "bad migration":
                ground.unmigratable[revision] = 'column "email" contains null values'
            case "failing checks":
                ground.outcomes[revision] = [Outcome.FAILED]
            case "broken checks":
                ground.outcomes[revision] = [Outcome.BROKEN]
            case "undoing":
                ground.undoing[revision] = lambda to: f"undone-{version}-{to[:7]}"
            case "bad undo":
                ground.undoing[revision] = cannot_undo
            case _:
                pass

    async def ask(self) -> str:
        site, release = self._reached()
        return f"{self.versions[release.revision]} {','.join(site.database)}"

    async def variable(self, name: str) -> str | None:
        site, release = self._reached()
        return site.kept[release.number].get(name)

    async def reopen(self) -> None:
        self.targets = FakeTargets(ground=self.ground)

    def running(self) -> set[tuple[int, str]]:
        site = self.ground.sites[TARGET]
        releases = [release for release in site.record.releases if release.number in site.up]
        return {(release.number, name) for release in releases for name in release.spec.services}

    def leftovers(self, number: int) -> list[str]:
        return list(self.ground.sites[TARGET].traces(number))

    def _reached(self) -> tuple[Site, Release]:
        """The release that answers."""
        assert self.targets.route(TARGET) is not None
        site = self.ground.sites[TARGET]
        release = site.record.release(site.answers)
        assert release is not None
        return site, release


def cannot_undo(_to: str) -> str:
    raise OSError("cannot undo")


def a_spec(story: str) -> Spec:
    web = {"command": "serve", "port": 8000, "env": {"GREETING": "hello"}}
    extra = {"extra": {"command": "serve", "port": 8001}} if story == "two services" else {}
    postgres: dict[str, object] = {"seed": ["seed.sql"]} | ({"migrate": "migrate"} if story != "plain" else {})
    undo = {"rollback": {"command": "undo {to}"}} if story in {"undoing", "bad undo"} else {}
    return Spec.model_validate(
        {
            "services": {"web": web, **extra},
            "database": {"postgres": postgres, **undo},
            "checks": {"smoke": [{"name": "it answers", "http": {"path": "/"}}]},
        }
    )
