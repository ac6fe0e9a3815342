"""Parameters that several routes take."""

from typing import Annotated

from fastapi import Header, Path, Query

FileName = Annotated[str, Path(pattern=r"^[^/\\\x00-\x1f]{1,200}$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Service = Annotated[str | None, Query(max_length=50)]
Lines = Annotated[int, Query(ge=1, le=10_000)]
Idempotency = Annotated[str | None, Header(min_length=1, max_length=200)]
