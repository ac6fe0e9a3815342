"""The demo's pager takes what is signed, as the webhook's own adapter signs it, and nothing else."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import aiohttp
import pytest

from controller.adapters.notify.webhook import Webhook
from controller.cli.pager import Pager
from controller.common.notices import Notice, Severity, Status
from controller.errors import Refused

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def pager() -> Iterator[Pager]:
    pager = Pager()
    yield pager
    pager.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def notice(severity: Severity = Severity.PAGE, status: Status = Status.FIRING) -> Notice:
    return Notice("1", NOW, severity, status, "probe:catalogue", "it fails", "3 of 5 failed")


async def test_a_page_is_remembered_as_often_as_it_came(pager: Pager, session: aiohttp.ClientSession):
    webhook = Webhook("pager", pager.url, pager.secret, session)
    for told in (notice(), notice(), notice(status=Status.RESOLVED), notice(Severity.INFO)):
        await webhook.tell(told)
    pages = pager.pages("probe:catalogue", "firing")
    assert [(page.title, page.text) for page in pages] == [("it fails", "3 of 5 failed")] * 2
    assert len(pager.pages("probe:catalogue", "resolved")) == 1
    assert pager.pages("target:production", "firing") == []


@pytest.mark.parametrize("secret", ["", "another"])
async def test_what_is_not_signed_with_its_secret_is_refused(pager: Pager, session: aiohttp.ClientSession, secret: str):
    with pytest.raises(Refused, match="it answered 401"):
        await Webhook("pager", pager.url, secret, session).tell(notice())
    assert pager.pages("probe:catalogue", "firing") == []
