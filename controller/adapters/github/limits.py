"""GitHub's own limits, each with its source. What does not fit is cut or split before it is sent.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/en/rest/checks/runs
https://docs.github.com/en/rest/deployments/statuses
"""

from datetime import timedelta

COMMENT = 65_536
"""Characters of a comment."""
OUTPUT = 65_535
"""Characters of a check run's summary, and of its text."""
ANNOTATIONS = 50
"""Of one request; more are added by further updates."""
ANNOTATION_TITLE = 255
"""Characters."""
ANNOTATION_MESSAGE = 64 * 1024
"""Bytes."""
DEPLOYMENT_DESCRIPTION = 140
"""Characters; of a deployment and of each of its statuses."""
STATUS_DESCRIPTION = 140
"""Characters of a commit status."""
STATUS_CONTEXT = 255
"""Characters of its name; not documented, but answered (https://github.com/runatlantis/atlantis/issues/2506)."""
STATUSES = 1000
"""Of one revision and context."""
ENVIRONMENT = 255
"""Characters of an environment's name."""
PAGE = 100
"""Items of a page, at most."""
CHANGED_FILES = 3000
"""Of a pull request; more are not listed."""
PAYLOAD = 25 * 2**20
"""Bytes of a webhook. We take fewer: see `inbox`."""

CREATED_PER_MINUTE = 80
CREATED_PER_HOUR = 500
"""Requests that create content (secondary limits)."""
POINTS_PER_MINUTE = 900
"""A GET costs 1, anything that changes something 5 (secondary limits)."""
AT_ONCE = 100
"""Requests under way (secondary limits); we stay far below."""
SECONDARY_WAIT = timedelta(minutes=1)
"""At least so long after a secondary limit that names no time; longer each time it comes again."""
TOKEN_LIFE = timedelta(hours=1)
"""Of an installation's token."""
JWT_LIFE = timedelta(minutes=10)
"""Of an App's own, at most."""
