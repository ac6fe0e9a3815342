"""What the policy has against a spec. The rest of looking is tested through the loop."""

import pytest

from controller.previews.look import why_refused
from controller.previews.spec import parse
from controller.settings import Allowed
from tests.examples import ABC, a_spec


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
