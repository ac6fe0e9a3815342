"""The API over a FakeDesk, without a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from controller.api import create_api
from controller.api.metrics import Metrics
from controller.settings import Policy
from tests.fakes.desk import FakeDesk

ORIGIN = "http://localhost:8080"


async def all_well() -> dict[str, str]:
    return {"forge": "", "platform": "", "history": ""}


def an_api(desk: FakeDesk, **differing) -> FastAPI:
    return create_api(
        desk, **{"version": "0.1.0", "policy": Policy(), "ready": all_well, "metrics": Metrics()} | differing
    )


@asynccontextmanager
async def a_client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN) as client:
        yield client
