"""What is answered when it cannot be done: GitHub's status, its message, and which field was wrong."""

from typing import Any

DOCUMENTATION = "https://docs.github.com/rest"


class ApiError(Exception):
    def __init__(self, status: int, message: str, *errors: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.errors, self.headers = status, message, errors, headers or {}

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message, "documentation_url": DOCUMENTATION, "status": str(self.status)}
        return body | ({"errors": list(self.errors)} if self.errors else {})


def not_found() -> ApiError:
    return ApiError(404, "Not Found")


def bad_credentials() -> ApiError:
    return ApiError(401, "Bad credentials")


def not_for_apps() -> ApiError:
    return ApiError(403, "Resource not accessible by integration")


def invalid(resource: str, field: str, code: str, message: str = "") -> ApiError:
    """422 about one field: `missing_field`, `invalid`, `too_long` ..."""
    about = {"resource": resource, "field": field, "code": code}
    return ApiError(422, "Validation Failed", about | ({"message": message} if message else {}))


def too_long(resource: str, field: str, most: int) -> ApiError:
    return invalid(resource, field, "custom", f"{field} is too long (maximum is {most} characters)")
