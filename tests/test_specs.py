"""What the policy has against a spec."""

import pytest

from controller.common.spec import SpecProblem, parse
from controller.settings import Allowed, Images, Kubernetes, KubernetesDatabases
from controller.specs import Specs, why_refused
from tests.examples import ABC, a_spec
from tests.fakes.forge import FakeForge


@pytest.mark.parametrize(
    ("spec", "allowed", "words"),
    [
        pytest.param("", Allowed(), "", id="nothing against it"),
        pytest.param(
            "services: {a: {command: x}, b: {command: x}}",
            Allowed(services=1),
            "it has 2 services; the policy allows 1",
            id="too many services",
        ),
        pytest.param(
            "services: {a: {command: x, build: {command: make, outputs: [out]}}}",
            Allowed(build=False),
            "service `a` has a `build`, which the policy does not allow",
            id="a build",
        ),
        pytest.param(
            "services: {a: {command: x, resources: {memory: 1Gi}}}",
            Allowed(memory=2**29),
            "service `a` asks for more memory than the policy allows (536,870,912 bytes)",
            id="memory",
        ),
        pytest.param(
            "services: {a: {image: nginx}}",
            Allowed(),
            "service `a` has no `command`; this platform does not run images",
            id="an image alone",
        ),
        pytest.param(
            "services: {a: {command: x}}\nchecks: {e2e: [{name: t, command: {run: pytest}}]}",
            Allowed(command_checks=False),
            "it has `command` checks, which the policy does not allow",
            id="command checks",
        ),
        pytest.param(
            "services: {a: {command: x}}\nchecks: {smoke: [{name: t, browser: {}}]}",
            Allowed(browser_checks=False),
            "it has `browser` checks, which the policy does not allow",
            id="browser checks",
        ),
    ],
)
def test_what_the_policy_does_not_allow(spec, allowed, words):
    assert why_refused(parse(spec, ABC) if spec else a_spec(), allowed) == words


CLUSTER = Kubernetes()
RUNNER = Kubernetes(images=Images(runner="acme/runner"))
IMAGE = "services: {web: {image: 'ghcr.io/acme/web:{sha}', port: 80}}"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param(
            "services: {a: {command: x}}\ndeploy: {manifests: k8s}",
            "it has a `deploy`; this platform applies no manifests",
            id="manifests",
        ),
        pytest.param(
            "services: {a: {command: x}}\nchecks: {e2e: [{name: t, command: {run: pytest, image: acme/e2e}}]}",
            "check `t` has an `image`; this platform does not run images",
            id="a check in an image",
        ),
        pytest.param(
            "services: {a: {command: x}}\ndatabase: {postgres: {image: acme/db}}",
            "the database is an `image` without a `seed`; this platform does not run images",
            id="a database that is an image",
        ),
        pytest.param(
            "services: {a: {command: x, image: acme/a}}\ndatabase: {postgres: {image: acme/db, seed: [a.sql]}}",
            "",
            id="what is for a cluster only, beside what is for both",
        ),
    ],
)
def test_what_the_embedded_platform_cannot_do(spec, words):
    assert why_refused(parse(spec, ABC), Allowed()) == words


@pytest.mark.parametrize(
    ("spec", "kubernetes", "words"),
    [
        pytest.param(IMAGE, CLUSTER, "", id="an image alone"),
        pytest.param("services: {a: {command: x}}", RUNNER, "", id="a command, and an image to run it in"),
        pytest.param(
            "services: {a: {command: x}}",
            CLUSTER,
            "service `a` has a `command` and no `image`, and the policy names none (`kubernetes.images.runner`)",
            id="a command, and no image",
        ),
        pytest.param(f"{IMAGE}\ndatabase: {{postgres: {{migrate: m}}}}", CLUSTER, "", id="a migration in our image"),
        pytest.param(
            "services: {web: {port: 80}}\ndeploy: {manifests: k8s}\ndatabase: {postgres: {migrate: m}}",
            CLUSTER,
            "`migrate` has a `command` and no `image`, and the policy names none (`kubernetes.images.runner`)",
            id="a migration and no image",
        ),
        pytest.param(
            "services: {web: {port: 80}}\ndeploy: {manifests: k8s}\n"
            "database: {postgres: {seed: {command: m, inputs: [a]}}}",
            CLUSTER,
            "`seed` has a `command` and no `image`, and the policy names none (`kubernetes.images.runner`)",
            id="a seed command and no image",
        ),
        pytest.param(
            "services: {web: {port: 80}}\ndeploy: {manifests: k8s}\ndatabase: {postgres: {seed: [a.sql]}}",
            CLUSTER,
            "",
            id="manifests, and a seed of files",
        ),
        pytest.param(
            "services: {web: {port: 80}}\ndeploy: {manifests: k8s}",
            Kubernetes(manifests=False),
            "it has a `deploy`, which the policy does not allow (`kubernetes.manifests`)",
            id="manifests that the policy does not want",
        ),
        pytest.param(IMAGE, Kubernetes(registries=["ghcr.io/acme"]), "", id="an image from a registry of the policy"),
        pytest.param(
            IMAGE,
            Kubernetes(registries=["ghcr.io/ac"]),
            "service `web`: the image `ghcr.io/acme/web` is not from a registry that the policy allows (ghcr.io/ac)",
            id="an image from elsewhere",
        ),
        pytest.param(
            f"{IMAGE}\nchecks: {{e2e: [{{name: t, command: {{run: pytest, image: acme/e2e}}}}]}}",
            Kubernetes(registries=["ghcr.io/acme"]),
            "check `t`: the image `docker.io/acme/e2e` is not from a registry that the policy allows (ghcr.io/acme)",
            id="a check's image from elsewhere",
        ),
        pytest.param(
            f"{IMAGE}\ndatabase: {{postgres: {{image: acme/db}}}}",
            Kubernetes(registries=["ghcr.io/acme"]),
            "the database: the image `docker.io/acme/db` is not from a registry that the policy allows (ghcr.io/acme)",
            id="a database's image from elsewhere",
        ),
        pytest.param(
            "services: {web: {image: 'acme/web:{branch}'}}",
            CLUSTER,
            "service `web`: 'acme/web:{branch}' is not the name of an image: after the `:` comes no tag",
            id="what is no image",
        ),
        pytest.param(
            f"{IMAGE}\ndatabase: {{postgres: {{image: acme/db}}}}",
            Kubernetes(databases=KubernetesDatabases(isolation="server")),
            "the database is an `image` without a `seed`; here one server has all databases, and needs a `seed`",
            id="a database that is an image, where there is one server",
        ),
    ],
)
def test_what_the_policy_of_a_cluster_does_not_allow(spec, kubernetes, words):
    assert why_refused(parse(spec, ABC), Allowed(), kubernetes) == words


def test_what_the_policy_does_not_allow_is_refused_on_every_platform():
    spec = parse("services: {a: {image: a}, b: {image: b}}", ABC)
    assert why_refused(spec, Allowed(services=1), CLUSTER) == "it has 2 services; the policy allows 1"


def test_the_number_of_a_pull_request_does_not_choose_the_registry():
    spec = parse("services: {web: {image: 'ghcr.io/team{number}/web'}}", ABC)
    assert "not from a registry" in why_refused(spec, Allowed(), Kubernetes(registries=["ghcr.io/team1"]))


async def test_a_spec_is_held_against_the_platform_it_is_for():
    forge = FakeForge()
    pull = forge.pulls[forge.open(files={".preview.yaml": IMAGE})]
    local, cluster = (
        await Specs(forge, Allowed()).of(pull.key.repo, pull.head),
        await Specs(forge, Allowed(), CLUSTER).of(pull.key.repo, pull.head),
    )
    assert isinstance(local, SpecProblem)
    assert "this platform does not run images" in str(local)
    assert not isinstance(cluster, SpecProblem)
