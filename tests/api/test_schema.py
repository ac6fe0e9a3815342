"""Schemathesis asks whatever the OpenAPI document lets it ask, and more; every answer is held against the document."""

from datetime import UTC, datetime

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import negative_data_rejection

from controller.access.desk import AccessDesk
from controller.settings import Policy
from tests.api.api import an_api
from tests.api.probe_world import ProbeWorld
from tests.deploys.day import Day
from tests.fakes.access import FakeAccess
from tests.fakes.desk import FakeDesk

TOKEN = "a-token-for-schemathesis-alone"
RATES = {"read": 10**6, "operate": 10**6, "login": 10**6}
POLICY = Policy.model_validate({"access": {"mode": "token", "rates": RATES}})
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
EXAMPLES = 10
"""Of each operation."""


def an_app():
    memory = FakeAccess()
    access = AccessDesk(memory, memory, lambda: datetime.now(UTC), TOKEN)
    world = ProbeWorld(datetime.now(UTC))
    world.watch.leads = True
    return an_api(FakeDesk(), targets=Day().desk, probes=world.desk, policy=POLICY, access=access)


schema = schemathesis.openapi.from_asgi("/openapi.json", an_app(), headers=HEADERS).exclude(path="/api/v1/events")
"""But the events, which never end."""


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(case):
    """But that a parameter nobody declared is refused: it is ignored, as everywhere on the web."""
    if case.query and "follow" in case.query:
        case.query["follow"] = "false"  # it would never end
    case.call_and_validate(headers=HEADERS, excluded_checks=[negative_data_rejection])
