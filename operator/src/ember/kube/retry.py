"""The one place where a refused or broken request to the API server is tried again."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from ember.kube.errors import Unavailable

T = TypeVar("T")


@dataclass(frozen=True)
class Retry:
    """How often and how long. The waits double, are jittered (so that many callers spread) and bounded."""

    attempts: int = 6
    first_wait: float = 0.1
    longest_wait: float = 5.0

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it succeeds, fails for good, or the attempts are used up: then the last Unavailable."""
        maybe_done = False
        for attempt in range(self.attempts):
            try:
                return await call()
            except Unavailable as error:
                maybe_done = error.maybe_done = maybe_done or error.maybe_done
                if attempt + 1 >= self.attempts:
                    raise
                await asyncio.sleep(self.wait(attempt, error.retry_after))
        raise AssertionError("a retry has at least one attempt")

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Seconds before the next attempt; the server's wish is heeded up to the longest wait."""
        backoff = min(self.longest_wait, self.first_wait * 2.0**attempt) * random.uniform(0.5, 1.0)  # noqa: S311  not a secret
        return max(backoff, min(retry_after or 0.0, self.longest_wait))


ONCE = Retry(attempts=1)
