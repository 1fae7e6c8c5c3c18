"""The program that Spark starts as `python`: it hands the job to the zygote and ends with the job's code.

Self-contained, for any Python from 3.8 on: the launcher copies this text next to the zygote's socket.
It starts with `-IS`: no site, no user settings, about 15 ms.
"""

import json
import os
import socket
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the job somewhere, and end as it ends."""
    interpreter = _read("interpreter")
    try:
        code = _by_zygote(interpreter)
    except (OSError, AttributeError):
        code = None
    if code is None:
        # No zygote took the job: run it as Spark itself would have.
        program = interpreter or _read("python") or "python3"
        os.execvp(program, [program, *sys.argv[1:]])  # noqa: S606 - replacing this process is the point
    os._exit(code)


def _read(name: str) -> str:
    try:
        return (_HERE / name).read_text()
    except OSError:
        return ""


def _by_zygote(interpreter: str) -> "int | None":
    """The job's exit code; None if the zygote did not take it."""
    request = {
        "kind": "script",
        "argv": sys.argv[1:],
        "env": dict(os.environ),
        "cwd": str(Path.cwd()),
        "interpreter": interpreter,
    }
    data = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(_HERE / "zygote.sock"))
        socket.send_fds(connection, [len(data).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(data)
        if not connection.recv(1):
            return None
        answer = connection.recv(4)
        return int.from_bytes(answer, "big") if len(answer) == 4 else 1


if __name__ == "__main__":
    main()
