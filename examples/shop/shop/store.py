"""What the shop knows and does, in SQL."""

from dataclasses import dataclass
from typing import Any

from shop.database import Connection

DELIVERY_CENTS = 450
FREE_DELIVERY_FROM = 5000
CATEGORIES = ("boots", "packs", "shelter", "sleep", "kitchen", "light", "maps", "rain")

Product = dict[str, Any]


class SoldOut(Exception):
    """There are not that many left."""


@dataclass(frozen=True)
class Line:
    product: Product
    quantity: int

    @property
    def cents(self) -> int:
        return self.product["price_cents"] * self.quantity


@dataclass(frozen=True)
class Basket:
    lines: tuple[Line, ...]

    @property
    def goods_cents(self) -> int:
        return sum(line.cents for line in self.lines)

    @property
    def delivery_cents(self) -> int:
        return 0 if self.goods_cents >= FREE_DELIVERY_FROM else DELIVERY_CENTS

    @property
    def total_cents(self) -> int:
        return self.goods_cents + self.delivery_cents


async def featured(db: Connection) -> list[Product]:
    cursor = await db.execute("SELECT * FROM products WHERE featured ORDER BY id")
    return await cursor.fetchall()


async def products(db: Connection, category: str | None = None, limit: int = 240) -> list[Product]:
    cursor = await db.execute(
        "SELECT * FROM products WHERE %(category)s::text IS NULL OR category = %(category)s"
        " ORDER BY id LIMIT %(limit)s",
        {"category": category, "limit": limit},
    )
    return await cursor.fetchall()


async def product(db: Connection, number: int) -> Product | None:
    cursor = await db.execute("SELECT * FROM products WHERE id = %s", [number])
    return await cursor.fetchone()


async def basket(db: Connection, quantities: dict[int, int]) -> Basket:
    cursor = await db.execute("SELECT * FROM products WHERE id = ANY(%s) ORDER BY id", [list(quantities)])
    return Basket(tuple(Line(row, quantities[row["id"]]) for row in await cursor.fetchall()))


async def place_order(db: Connection, basket: Basket, name: str, email: str) -> int:
    """The order's number. Raises SoldOut."""
    for line in basket.lines:
        taken = await db.execute(
            "UPDATE products SET stock = stock - %(count)s WHERE id = %(id)s AND stock >= %(count)s",
            {"count": line.quantity, "id": line.product["id"]},
        )
        if taken.rowcount == 0:
            raise SoldOut(f"There are not {line.quantity} of {line.product['name']} left.")
    customer = await _one(
        db,
        "INSERT INTO customers (name, email, city) VALUES (%s, %s, '')"
        " ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING id",
        [name, email],
    )
    order = await _one(
        db,
        "INSERT INTO orders (customer_id, delivery_cents) VALUES (%s, %s) RETURNING id",
        [customer["id"], basket.delivery_cents],
    )
    for line in basket.lines:
        await db.execute(
            "INSERT INTO order_lines (order_id, product_id, quantity, price_cents) VALUES (%s, %s, %s, %s)",
            [order["id"], line.product["id"], line.quantity, line.product["price_cents"]],
        )
    return int(order["id"])


async def order(db: Connection, number: int) -> dict[str, Any] | None:
    cursor = await db.execute(
        "SELECT orders.*, customers.name AS customer FROM orders JOIN customers ON customers.id = customer_id"
        " WHERE orders.id = %s",
        [number],
    )
    found = await cursor.fetchone()
    if found is None:
        return None
    cursor = await db.execute(
        "SELECT products.name, quantity, order_lines.price_cents FROM order_lines"
        " JOIN products ON products.id = product_id WHERE order_id = %s ORDER BY product_id",
        [number],
    )
    lines = await cursor.fetchall()
    goods = sum(line["price_cents"] * line["quantity"] for line in lines)
    return {**found, "lines": lines, "total_cents": goods + found["delivery_cents"]}


async def cancel(db: Connection, number: int) -> bool:
    """Puts the goods back; False where there is no such order."""
    await db.execute(
        "UPDATE products SET stock = stock + quantity FROM order_lines"
        " WHERE order_id = %s AND product_id = products.id",
        [number],
    )
    return (await db.execute("DELETE FROM orders WHERE id = %s", [number])).rowcount > 0


async def _one(db: Connection, statement: str, values: list[object]) -> dict[str, Any]:
    cursor = await db.execute(statement, values)
    row = await cursor.fetchone()
    assert row is not None
    return row
