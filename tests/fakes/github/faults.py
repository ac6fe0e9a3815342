"""What goes wrong on demand, between the client and the server."""

from dataclasses import dataclass, field


@dataclass
class Fault:
    """For requests with this method whose path contains this; `times` None: until cleared.

    `after`: the request is carried out first. `kind`: `fail`, `slow`, `garbage`, `half` (of an answer), `cut` (none).
    """

    kind: str
    times: int | None
    method: str | None
    path: str
    status: int = 0
    seconds: float = 0.0
    after: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    def takes(self, method: str, path: str) -> bool:
        if self.times == 0 or self.method not in {None, method} or self.path not in path:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    def __init__(self) -> None:
        self._all: list[Fault] = []

    def fail(
        self,
        status: int,
        times: int | None = 1,
        method: str | None = None,
        path: str = "",
        *,
        after: bool = False,
        retry_after: int | None = None,
    ) -> None:
        """The next `times` such requests are answered with this status (a page, no JSON, as a proxy does)."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._all.append(Fault("fail", times, method, path, status=status, after=after, headers=headers))

    def slow(self, seconds: float, times: int | None = None, method: str | None = None, path: str = "") -> None:
        self._all.append(Fault("slow", times, method, path, seconds=seconds))

    def garbage(self, times: int | None = 1, method: str | None = None, path: str = "", *, after: bool = False) -> None:
        """200 with something that is no JSON."""
        self._all.append(Fault("garbage", times, method, path, after=after))

    def half(self, times: int | None = 1, method: str | None = None, path: str = "") -> None:
        """The line is cut in the middle of the answer."""
        self._all.append(Fault("half", times, method, path, after=True))

    def cut(self, times: int | None = 1, method: str | None = None, path: str = "", *, after: bool = False) -> None:
        """The line is cut instead of an answer."""
        self._all.append(Fault("cut", times, method, path, after=after))

    def clear(self) -> None:
        self._all.clear()

    def of(self, method: str, path: str) -> list[Fault]:
        """What goes wrong with this request: every `slow`, and the first of the others."""
        taken: list[Fault] = []
        for fault in self._all:
            if fault.kind == "slow" or all(one.kind == "slow" for one in taken):
                taken += [fault] if fault.takes(method, path) else []
        return taken
