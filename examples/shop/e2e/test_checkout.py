"""Through the shop as a customer goes, with forms and cookies. Needs SHOP_URL."""

import json
import os
import re
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest

URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8000").rstrip("/")


class Customer:
    def __init__(self) -> None:
        self._browser = build_opener(HTTPCookieProcessor(CookieJar()))
        self.page = ""
        self.at = ""

    def goes_to(self, path: str) -> "Customer":
        return self._open(Request(URL + path))

    def sends(self, path: str, **form: object) -> "Customer":
        return self._open(Request(URL + path, data=urlencode(form).encode()))

    def _open(self, request: Request) -> "Customer":
        request.add_header("User-Agent", "mayfly-smoke/e2e")  # not a person: it keeps no preview awake
        try:
            response = self._browser.open(request, timeout=10)
        except HTTPError as error:
            response = error
        with response:
            self.page, self.at = response.read().decode(), response.url
        assert response.status < 400, f"{request.get_method()} {request.selector} answered {response.status}"
        return self

    def amount(self, label: str) -> int:
        """In cents, from the row of a table that begins with `label`."""
        row = re.search(rf"<td>{label}</td>.*?£([\d,.]+)", self.page, re.DOTALL)
        assert row, f"no row `{label}` on {self.at}"
        return round(float(row[1].replace(",", "")) * 100)


@pytest.fixture
def customer():
    return Customer()


@pytest.fixture
def bought(customer: Customer):
    """Three cheap things, ordered; cancelled in the end."""
    customer.sends("/basket", product=34).sends("/basket", product=25).sends("/basket", product=25)
    customer.sends("/checkout", name="Ada Bell", email="ada@example.com")
    yield customer
    number = customer.at.rpartition("/")[2]
    with build_opener().open(Request(f"{URL}/api/orders/{number}", method="DELETE"), timeout=10):
        pass


def test_what_is_put_in_the_basket_is_there(customer: Customer):
    customer.sends("/basket", product=34)
    assert "Rill Pencil" in customer.page
    assert customer.amount("Delivery") == 450


def test_an_order_is_placed_and_thanked_for(bought: Customer):
    assert "Thank you, Ada Bell" in bought.page


def test_a_total_is_the_goods_and_one_delivery(bought: Customer):
    assert bought.amount("Total") == 400 + 2 * 900 + 450


def test_the_basket_is_empty_afterwards(bought: Customer):
    placed = bought.at
    assert "Nothing yet." in bought.goes_to("/basket").page
    bought.goes_to(placed.removeprefix(URL))


def test_delivery_is_free_from_fifty_pounds(customer: Customer):
    customer.sends("/basket", product=1)
    assert customer.amount("Delivery") == 0


def test_the_api_tells_the_price_that_the_page_shows(customer: Customer):
    customer.goes_to("/api/products/34")
    assert json.loads(customer.page)["price_cents"] == 400
    assert "£4.00" in customer.goes_to("/products/34").page
