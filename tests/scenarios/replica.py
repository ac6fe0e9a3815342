"""One controller of a workday: the API that webhooks come to, the adapter, History and the loop, all of them real."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from controller.adapters.github.forge import GitHubForge
from controller.adapters.github.opening import open_github
from controller.adapters.history import open_history, sqlite_url
from controller.api import create_api
from controller.api.metrics import Metrics
from controller.previews.frontdesk import FrontDesk
from controller.previews.reconcile import Reconciler, Setting
from controller.settings import GITHUB_KEY, WEBHOOK_SECRET, Allowed, GitHub, Policy
from tests.adapters.github.world import APP, SECRET, app_key
from tests.scenarios.serving import served

if TYPE_CHECKING:
    from tests.scenarios.workday import Workday

DASHBOARD = "https://previews.example.com"
Around = Callable[[Any], Any]
"""Put around what a controller reaches the world through: its line to GitHub, History and the platform."""


class Replica:
    """Knows nothing but what History and the world tell it. `leads` may change at any time."""

    def __init__(self, day: "Workday", around: Around = lambda part: part, *, leads: bool = True) -> None:
        self._day = day
        self._around = around
        self.leads = leads
        self.url = ""
        """Where webhooks come to; empty where it is only asked."""
        self.metrics = Metrics()
        self.forge: GitHubForge
        self.loop: Reconciler
        self.desk: FrontDesk
        self._parts = AsyncExitStack()

    async def start(self) -> None:
        day, enter = self._day, self._parts.enter_async_context
        history = await open_history(sqlite_url(day.folder / "history.sqlite3"))
        self._parts.push_async_callback(history.close)
        history, platform = self._around(history), self._around(day.platform)
        environ = {GITHUB_KEY: app_key()[0], WEBHOOK_SECRET: SECRET}
        settings = GitHub.model_validate({"api": day.github.api, "app_id": APP, "mode": day.mode})
        opened = open_github(
            settings, environ, history, meter=self.metrics, clock=day.now, page=lambda key: f"{DASHBOARD}/{key.number}"
        )
        self.forge = await enter(opened)
        door = self.forge._client._door
        door._wire = self._around(door._wire)
        setting = Setting(day.rules, Allowed(), DASHBOARD, settings.fresh_for, leads=lambda: self.leads)
        self.loop = Reconciler(self.forge, platform, history, setting, self.metrics, day.now)
        self._parts.push_async_callback(self.loop.close)
        self.desk = FrontDesk(self.loop, platform, history, day.rules, day.now)
        if self.forge.webhooks is not None:
            self.url = f"{await enter(served(self._api()))}/webhooks/github"

    async def stop(self) -> None:
        await self._parts.aclose()

    def _api(self) -> Any:
        return create_api(
            self.desk,
            version="0",
            policy=Policy(),
            ready=_ready,
            metrics=self.metrics,
            webhooks=self.forge.webhooks,
        )


async def _ready() -> dict[str, str]:
    return {}
