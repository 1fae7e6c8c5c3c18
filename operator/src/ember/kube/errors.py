"""What the API server's refusals are called here. Callers tell them apart by type and never look at numbers."""

# ruff: noqa: N818  an "Error" at the end of each name would say nothing more

import json
from typing import Any


class ApiError(Exception):
    """The API server refused, or could not be asked. `str()` is the server's own message."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NotFound(ApiError):
    """404: there is no such object (or no such kind)."""


class Conflict(ApiError):
    """409: the object changed since it was read, or is not the one named by the UID."""


class AlreadyExists(ApiError):
    """409: another object holds the name."""


class Forbidden(ApiError):
    """401 and 403: who asks may not. Includes quota, admission and a terminating namespace."""


class Invalid(ApiError):
    """400, 413, 415 and 422: the object is wrong; to repeat it is of no use."""


class Gone(ApiError):
    """410: the continuation of a list is too old."""


class NotLeader(ApiError):
    """Nothing was sent: this process lost its lease and may not write any more."""


class Unavailable(ApiError):
    """429, 5xx, a broken connection or a timeout, after all retries.

    `maybe_done` says that the last attempt may have been carried out although no good answer came back.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None, maybe_done: bool) -> None:
        super().__init__(message, status=status, reason="Unavailable")
        self.retry_after = retry_after
        self.maybe_done = maybe_done


_BY_STATUS: dict[int, type[ApiError]] = {401: Forbidden, 403: Forbidden, 404: NotFound, 409: Conflict, 410: Gone}


def from_answer(status: int, headers: Any, body: bytes) -> ApiError:
    """The typed error for a status of 400 or more; what stands before the API server may send no JSON."""
    try:
        answer = json.loads(body)
        message, reason = str(answer.get("message") or ""), str(answer.get("reason") or "")
    except (ValueError, AttributeError):
        answer, message, reason = {}, body[:500].decode("utf-8", "replace"), ""
    message = message or f"HTTP {status}"
    if status == 429 or status >= 500:
        # 429 and 503 are sent before the request is carried out; a 500 or 504 may come after it was.
        return Unavailable(message, status=status, retry_after=_seconds(headers), maybe_done=status not in (429, 503))
    if status == 422 and _is_about_uid(answer):
        return Conflict(message, status=status, reason=reason)
    if status == 409 and reason == "AlreadyExists":
        return AlreadyExists(message, status=status, reason=reason)
    return _BY_STATUS.get(status, Invalid)(message, status=status, reason=reason)


def _is_about_uid(answer: Any) -> bool:
    """Whether an object was refused because it is not the one with that UID: a merge patch calls that 422."""
    causes = (answer.get("details") or {}).get("causes") or []
    return any(cause.get("field") == "metadata.uid" for cause in causes)


def _seconds(headers: Any) -> float | None:
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
