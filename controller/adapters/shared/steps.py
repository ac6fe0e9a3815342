"""One step of a deploy, while it goes on and when it cannot succeed."""

from controller.common.nouns import StepState


class StepFailed(Exception):
    """A step of a deploy cannot succeed until somebody changes something. `service` where it is one's start."""

    def __init__(self, reason: str, logs: str = "", service: str = "") -> None:
        super().__init__(reason)
        self.reason, self.logs, self.service = reason, logs, service


class Progress:
    """What a step tells about itself while it goes on."""

    def __init__(self) -> None:
        self.state, self.detail = StepState.DONE, ""

    def reused(self, detail: str = "") -> None:
        self.state, self.detail = StepState.REUSED, detail
