"""Values that examples are made of."""

import base64
import hashlib
from datetime import UTC, datetime

from controller.common.nouns import PreviewKey

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel."""


def a_head(key: PreviewKey) -> str:
    """A revision, always the same for a key."""
    return hashlib.sha1(str(key).encode()).hexdigest()
