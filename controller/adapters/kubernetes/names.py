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
SERVES = "mayfly.dev/serves"
"""Annotation of a Deployment: the services that its pods are behind, with blanks between."""
RUN = "mayfly.dev/run"
"""Annotation of a check Job: suite, revision, order and shard, as JSON."""
TARGET = "mayfly.dev/target"
"""What main runs at."""
TARGETS_OF = "mayfly.dev/targets-of"
"""In place of `INSTANCE` on what belongs to a target: who looks after previews does not hear of it."""
RELEASE = "mayfly.dev/release"
"""The number of the release."""
MAX_NAME = 63


def namespace(prefix: str, key: PreviewKey) -> str:
    return f"{prefix}{slug(key)}"[:MAX_NAME].rstrip("-")


def labels(place: Place) -> dict[str, str]:
    """On everything of a preview, or of a target."""
    of = TARGETS_OF if place.target else INSTANCE
    return {MANAGED_BY: MANAGER, of: place.instance, **whose(place), REPO: digest(place.key.repo)}


def whose(place: Place) -> dict[str, str]:
    """What tells it from all others of ours."""
    return {TARGET: place.target} if place.target else {PREVIEW: slug(place.key)}


def selector(instance: str) -> str:
    """Finds everything of all previews, and nothing else."""
    return f"{MANAGED_BY}={MANAGER},{INSTANCE}={instance}"


def targets_selector(instance: str) -> str:
    """Finds everything of all targets, and nothing else."""
    return f"{MANAGED_BY}={MANAGER},{TARGETS_OF}={instance}"


def digest(content: object) -> str:
    """Eight hexadecimal digits of what anything JSON holds."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def hashed(name: str, content: object) -> str:
    """A name that changes with the content: whoever mounts it is rolled, and an old revision keeps its own."""
    return f"{name[: MAX_NAME - 9].rstrip('-')}-{digest(content)}"


def identity(obj: Obj) -> str:
    """`apps/v1/Deployment/web`: names an object within its namespace, for an inventory."""
    return f"{obj['apiVersion']}/{obj['kind']}/{obj['metadata']['name']}"
