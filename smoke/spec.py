"""What a check file says."""

from smoke.documents import Strict


class Check(Strict):
    name: str


class CheckFile(Strict):
    """A file of checks, in the order they are written."""

    checks: list[Check] = []
