"""Labels, annotations and names, so that everything of ours is found again and nobody else's is touched. Pure."""

import hashlib
import json

from controller.adapters.kubernetes.shapes import Obj, Place
from controller.adapters.shared.orders import slug
from controller.common.nouns import PreviewKey

MANAGER = "mayfly"
"""Of server-side apply, and the value of `app.kubernetes.io/managed-by`."""
MANAGED_BY = "app.kubernetes.io/managed-by"
NAME = "app.kubernetes.io/name"
INSTANCE = "mayfly.dev/instance"
PREVIEW = "mayfly.dev/preview"
"""The slug of the preview: a digest of the key keeps it apart from all others."""
REPO = "mayfly.dev/repository"
"""Digest of the repository's name."""
SERVICE = "mayfly.dev/service"
TASK = "mayfly.dev/task"
"""`seed`, `migrate` or `check`."""
SUITE = "mayfly.dev/suite"
DEPLOY = "mayfly.dev/deploy"
RECORD = "mayfly.dev/record"
"""Annotation of the namespace: what the preview is, as JSON. It is the truth."""
VISITED = "mayfly.dev/last-visit"
RESULT = "mayfly.dev/result"
"""Annotation of a check Job: its result, compressed."""
RUN = "mayfly.dev/run"
"""Annotation of a check Job: suite, revision, order and shard, as JSON."""
MAX_NAME = 63


def namespace(prefix: str, key: PreviewKey) -> str:
    return f"{prefix}{slug(key)}"[:MAX_NAME].rstrip("-")


def labels(place: Place) -> dict[str, str]:
    """On everything of a preview."""
    return {
        MANAGED_BY: MANAGER,
        INSTANCE: place.instance,
        PREVIEW: slug(place.key),
        REPO: digest(place.key.repo),
    }


def selector(instance: str) -> str:
    """Finds everything of ours, and nothing else."""
    return f"{MANAGED_BY}={MANAGER},{INSTANCE}={instance}"


def digest(content: object) -> str:
    """Eight hexadecimal digits of what anything JSON holds."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def hashed(name: str, content: object) -> str:
    """A name that changes with the content: whoever mounts it is rolled, and an old revision keeps its own."""
    return f"{name[: MAX_NAME - 9].rstrip('-')}-{digest(content)}"


def identity(obj: Obj) -> str:
    """`apps/v1/Deployment/web`: names an object within its namespace, for an inventory."""
    return f"{obj['apiVersion']}/{obj['kind']}/{obj['metadata']['name']}"
