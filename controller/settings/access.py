"""Who may ask what of the API and the dashboard."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from smoke.documents import Duration, Strict


class Rates(Strict):
    """Most requests a minute of one client: of one token, or one address without."""

    read: int = Field(1200, ge=1)
    operate: int = Field(120, ge=1)
    """Those that change something."""
    login: int = Field(10, ge=1)
    """Tokens that are not right."""


class Access(Strict):
    mode: Literal["open", "token"] | None = None
    """`open`: whoever reaches it may do everything. `token`: as their token says. Unset: `open` where `listen` is a
    loopback address and there is no `public_url`, else `token`."""
    public_reading: bool = False
    """With `token`: whether everybody may look without one."""
    rates: Rates = Rates()
    session: Duration = timedelta(hours=12)
    """How long a browser stays logged in."""
