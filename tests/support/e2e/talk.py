"""The test's side of tests/e2e/jobs/talk.py: a driver, Spark and the broker under the test's control."""

import json
from typing import Any

from tests.support.e2e.run import Run

# Runs in the driver's pod; the driver may still be starting Spark.
CLIENT = """
import sys, time, urllib.request
body, deadline = sys.stdin.buffer.read(), time.monotonic() + 300
while True:
    try:
        request = urllib.request.Request("http://127.0.0.1:7999", data=body)
        print(urllib.request.urlopen(request, timeout=300).read().decode())
        break
    except OSError as error:
        if "refused" not in str(error) or time.monotonic() > deadline:
            raise
        time.sleep(0.2)
"""


class Talk:
    """A conversation with the driver of a run."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def ask(self, command: str, **arguments: object) -> Any:
        """Have the driver do something, and return its answer; what goes wrong there fails the test here."""
        self.run.reaches("RUNNING")
        body = json.dumps({"do": command, "with": arguments})
        said = self.run.cluster.execute(self.run.driver, "python3", "-c", CLIENT, stdin=body, seconds=610)
        answer = json.loads(said)
        assert "error" not in answer, f"{self.run.name}, asked to {command}: {answer['error']}"
        return answer["answer"]

    def broker(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        """Have the driver ask the broker; its status and body."""
        answer = self.ask("broker", method=method, path=path, body=body, token=token)
        return answer["status"], answer["body"]

    def ends(self) -> Run:
        """Let the job come to its end."""
        if self.run.state == "RUNNING":
            self.ask("end")
        return self.run.succeeds()
