"""One suite per port, for every adapter and every fake of it."""

import pytest

pytest.register_assert_rewrite("tests.contracts.forge")
