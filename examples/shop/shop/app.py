"""Ridge & Rill: pages, a JSON API beside them, and orders as they come in."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Form, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, Field

from shop import store
from shop.database import Connection, Database

HERE = Path(__file__).parent
BASKET = "basket"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.database = Database(os.environ["DATABASE_URL"])
    app.state.listeners = set()
    app.state.opens_at = 0.0
    yield
    await app.state.database.close()


def is_open(request: Request) -> None:
    """Not so during a drill: that the process itself is healthy can still be seen."""
    if request.url.path not in {"/healthz", "/drill"} and time.monotonic() < request.app.state.opens_at:
        raise HTTPException(503, "A fire drill: the shop opens again in a moment.")


app = FastAPI(title="Ridge & Rill", lifespan=lifespan, dependencies=[Depends(is_open)])
app.mount("/static", StaticFiles(directory=HERE / "static"))
templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
templates.filters["money"] = lambda cents: f"£{cents / 100:,.2f}"


async def database(request: Request) -> AsyncIterator[Connection]:
    async with request.app.state.database.transaction() as connection:
        yield connection


def quantities(request: Request) -> dict[int, int]:
    """What is in the basket, by product; a cookie that makes no sense is an empty basket."""
    try:
        found = json.loads(request.cookies.get(BASKET, "{}"))
        return {int(number): max(1, min(99, int(count))) for number, count in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


Db = Annotated[Connection, Depends(database, scope="function")]  # committed before the answer is sent
Quantities = Annotated[dict[int, int], Depends(quantities)]


def page(name: str, chosen: dict[int, int], **values: object) -> HTMLResponse:
    template = templates.get_template(name)
    everywhere = {"categories": store.CATEGORIES, "notice": os.environ.get("SHOP_NOTICE", "")}
    return HTMLResponse(template.render(in_basket=sum(chosen.values()), **everywhere, **values))


def keep(response: Response, chosen: dict[int, int]) -> None:
    response.set_cookie(BASKET, json.dumps(chosen, separators=(",", ":")), httponly=True, samesite="lax")


@app.get("/")
async def home(db: Db, chosen: Quantities) -> HTMLResponse:
    return page("home.html", chosen, featured=await store.featured(db), products=await store.products(db, limit=24))


@app.get("/category/{name}")
async def category(name: str, db: Db, chosen: Quantities) -> HTMLResponse:
    if name not in store.CATEGORIES:
        raise HTTPException(404, "There is no such shelf.")
    return page("category.html", chosen, category=name, products=await store.products(db, name))


@app.get("/products/{number}")
async def product(number: int, db: Db, chosen: Quantities) -> HTMLResponse:
    return page("product.html", chosen, product=await found(db, number))


async def found(db: Connection, number: int) -> store.Product:
    if (item := await store.product(db, number)) is None:
        raise HTTPException(404, "There is no such thing here.")
    return item


@app.get("/basket")
async def basket(db: Db, chosen: Quantities) -> HTMLResponse:
    return page("basket.html", chosen, basket=await store.basket(db, chosen), problem="")


@app.post("/basket")
async def put_in(db: Db, chosen: Quantities, product: Annotated[int, Form()]) -> RedirectResponse:
    await found(db, product)
    response = RedirectResponse("/basket", 303)
    keep(response, {**chosen, product: chosen.get(product, 0) + 1})
    return response


@app.post("/checkout", response_model=None)
async def checkout(
    request: Request, chosen: Quantities, name: Annotated[str, Form()], email: Annotated[str, Form()]
) -> HTMLResponse | RedirectResponse:
    try:
        number = await buy(request, chosen, Customer(name=name, email=email))
    except store.SoldOut as problem:
        async with request.app.state.database.transaction() as db:
            return page("basket.html", chosen, basket=await store.basket(db, chosen), problem=str(problem))
    response = RedirectResponse(f"/orders/{number}", 303)
    response.delete_cookie(BASKET)
    return response


@app.get("/orders/{number}")
async def order(number: int, db: Db, chosen: Quantities) -> HTMLResponse:
    return page("order.html", chosen, order=await ordered(db, number))


async def ordered(db: Connection, number: int) -> dict[str, Any]:
    if (placed := await store.order(db, number)) is None:
        raise HTTPException(404, "There is no such order.")
    return placed


class Item(BaseModel):
    product: int
    quantity: int = Field(1, ge=1, le=99)


class Customer(BaseModel):
    name: str = Field(min_length=1, max_length=80)
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=120)


async def buy(request: Request, chosen: dict[int, int], customer: Customer) -> int:
    """The number of the order. Raises SoldOut; an empty basket buys nothing."""
    async with request.app.state.database.transaction() as db:
        basket = await store.basket(db, chosen)
        if not basket.lines:
            raise HTTPException(409, "The basket is empty.")
        number = await store.place_order(db, basket, customer.name, customer.email)
    news = json.dumps({"order": number, "what": basket.lines[0].product["name"]})
    for listener in request.app.state.listeners:
        listener.put_nowait(news)
    return number


@app.get("/api/products")
async def api_products(db: Db, limit: int = 20) -> dict[str, list[store.Product]]:
    return {"products": await store.products(db, limit=max(1, min(limit, 240)))}


@app.get("/api/products/{number}")
async def api_product(number: int, db: Db) -> store.Product:
    return await found(db, number)


@app.post("/api/basket", status_code=201)
async def api_put_in(item: Item, db: Db, chosen: Quantities, response: Response) -> dict[str, int]:
    await found(db, item.product)
    now = {**chosen, item.product: chosen.get(item.product, 0) + item.quantity}
    keep(response, now)
    return {"goods_cents": (await store.basket(db, now)).goods_cents}


@app.post("/api/checkout", status_code=201)
async def api_checkout(request: Request, customer: Customer, chosen: Quantities) -> dict[str, int]:
    try:
        return {"order": await buy(request, chosen, customer)}
    except store.SoldOut as problem:
        raise HTTPException(409, str(problem)) from None


@app.get("/api/orders/{number}")
async def api_order(number: int, db: Db) -> dict[str, Any]:
    return await ordered(db, number)


@app.delete("/api/orders/{number}", status_code=204)
async def api_cancel(number: int, db: Db) -> None:
    if not await store.cancel(db, number):
        raise HTTPException(404, "There is no such order.")


@app.get("/healthz")
async def healthz(db: Db) -> dict[str, str]:
    cursor = await db.execute("SELECT max(version) AS version FROM schema_migrations")
    row = await cursor.fetchone()
    return {"status": "ok", "migration": row["version"] if row else ""}


@app.post("/drill", status_code=202)
async def drill(request: Request, seconds: Annotated[float, Query(gt=0, le=60)]) -> dict[str, float]:
    """Closes the shop for so long, where `SHOP_DRILL` allows that: to see who notices."""
    if not os.environ.get("SHOP_DRILL"):
        raise HTTPException(404)
    request.app.state.opens_at = time.monotonic() + seconds
    return {"closed_for": seconds}


@app.get("/live")
async def live(request: Request) -> StreamingResponse:
    """Orders as they come in, as server-sent events."""
    return StreamingResponse(_news(request.app.state.listeners), media_type="text/event-stream")


async def _news(listeners: set[asyncio.Queue[str]]) -> AsyncIterator[str]:
    mine: asyncio.Queue[str] = asyncio.Queue()
    listeners.add(mine)
    try:
        yield ": open\n\n"
        while True:
            yield f"data: {await mine.get()}\n\n"
    finally:
        listeners.discard(mine)
