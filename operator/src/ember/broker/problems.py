"""How the broker says no: a Kubernetes Status to Spark, plain JSON to the rest."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Gone",
    413: "RequestEntityTooLarge",
    422: "Invalid",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
}


class Problem(Exception):  # noqa: N818
    """A request that is refused. The message is for who asked: it holds no secret and nothing of another tenant."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason or _REASONS.get(status, "InternalError")


def answer(path: str, problem: Problem) -> web.Response:
    """The answer to a refused request, in the language of who asked."""
    headers = {"Retry-After": "1"} if problem.status in (429, 503) else None
    if path.startswith("/api/"):
        return web.json_response(failure(problem), status=problem.status, headers=headers)
    body = {"error": problem.reason, "message": problem.message}
    return web.json_response(body, status=problem.status, headers=headers)


def failure(problem: Problem) -> dict[str, Any]:
    """A Kubernetes Status of failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": problem.message,
        "reason": problem.reason,
        "code": problem.status,
    }


def of_http(error: web.HTTPException) -> Problem:
    """What aiohttp itself refused: an unknown route, a body that is too large."""
    return Problem(error.status, HTTPStatus(error.status).phrase)
