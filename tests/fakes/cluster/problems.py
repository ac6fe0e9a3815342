"""What the API answers where it does not do as asked: a `Status` with a reason that programs look at."""

from collections.abc import Sequence

from tests.fakes.cluster.resources import Obj, Resource

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class ApiError(Exception):
    """`causes` are of `status.details.causes`: (reason, message, field)."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        reason: str = "",
        details: Obj | None = None,
        causes: Sequence[tuple[str, str, str]] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.retry_after = code, message, retry_after
        self.reason = reason or REASONS.get(code, "Unknown")
        self.details = dict(details or {})
        if causes:
            self.details["causes"] = [{"reason": why, "message": text, "field": field} for why, text, field in causes]
        if retry_after is not None:
            self.details["retryAfterSeconds"] = retry_after

    def status(self) -> Obj:
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message}
        return status | {"reason": self.reason, "details": self.details, "code": self.code}


def _about(resource: Resource, name: str) -> Obj:
    about = {"name": name, "kind": resource.plural}
    return about | {"group": resource.group} if resource.group else about


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, f'{resource.qualified} "{name}" not found', details=_about(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    text = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, text, reason="AlreadyExists", details=_about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    text = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, text, details=_about(resource, name))


def modified(resource: Resource, name: str) -> ApiError:
    return conflict(
        resource, name, "the object has been modified; please apply your changes to the latest version and try again"
    )


def precondition(resource: Resource, name: str, what: str, wanted: str, found: str) -> ApiError:
    told = f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found})"
    return conflict(resource, name, f"{told}. The object might have been deleted and then recreated")


def forbidden(resource: Resource, name: str, why: str, causes: Sequence[tuple[str, str, str]] = ()) -> ApiError:
    return ApiError(
        403, f'{resource.qualified} "{name}" is forbidden: {why}', details=_about(resource, name), causes=causes
    )


def invalid(resource: Resource, name: str, field: str, kind: str, why: str) -> ApiError:
    """`kind` as in `Required value`; the reason of the cause is the same without blanks."""
    cause = ("FieldValue" + kind.partition(" ")[0], f"{kind}: {why}" if why else kind, field)
    text = f'{resource.kind} "{name}" is invalid: {field}: {cause[1]}'
    if resource.group:
        text = text.replace(f'{resource.kind} "', f'{resource.kind}.{resource.group} "', 1)
    return ApiError(422, text, details=_about(resource, name) | {"kind": resource.kind}, causes=[cause])


def expired(message: str) -> ApiError:
    return ApiError(410, message)
