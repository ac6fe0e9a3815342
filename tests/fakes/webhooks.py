"""A forge's inbox that believes everybody. What came stands in `received`."""

from collections.abc import Mapping

from controller.ports import Receipt


class FakeWebhooks:
    """Answers with `receipt`."""

    name = "github"
    max_body = 256 * 1024

    def __init__(self) -> None:
        self.receipt = Receipt(202, "heard")
        self.received: list[tuple[dict[str, str], bytes]] = []

    async def receive(self, headers: Mapping[str, str], body: bytes) -> Receipt:
        self.received.append((dict(headers), body))
        return self.receipt
