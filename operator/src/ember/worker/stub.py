"""The program that Spark starts as `python`: it hands the job to the zygote and ends with the job's code.

Self-contained: the launcher copies this text next to the zygote's socket. It runs with `-IS` (no site, no user
settings) and imports only what is built in: `socket`, `json` and `pathlib` would more than double its 15 ms.
"""

import _socket
import os
import sys

_HERE = os.path.dirname(os.path.realpath(__file__))


def main() -> None:
    """Run the job somewhere, and end as it ends."""
    interpreter = _read("interpreter")
    try:
        code = _by_zygote(interpreter)
    except OSError:
        code = None
    if code is None:
        # No zygote took the job: run it as Spark itself would have.
        program = interpreter or _read("python") or "python3"
        os.execvp(program, [program, *sys.argv[1:]])  # noqa: S606 - replacing this process is the point
    os._exit(code)


def _read(name: str) -> str:
    try:
        with open(f"{_HERE}/{name}") as file:
            return file.read()
    except OSError:
        return ""


def _by_zygote(interpreter: str) -> "int | None":
    """The job's exit code; None if the zygote did not take it."""
    request = {
        "kind": "script",
        "argv": sys.argv[1:],
        "env": dict(os.environ),
        "cwd": os.getcwd(),
        "interpreter": interpreter,
    }
    data = repr(request).encode()
    connection = _socket.socket(_socket.AF_UNIX)
    connection.connect(f"{_HERE}/zygote.sock")
    streams = b"".join(descriptor.to_bytes(4, sys.byteorder) for descriptor in (0, 1, 2))
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)
    connection.sendmsg([len(data).to_bytes(4, "big")], [rights])
    connection.sendall(data)
    if not connection.recv(1):
        return None
    answer = connection.recv(4)
    return int.from_bytes(answer, "big") if len(answer) == 4 else 1


if __name__ == "__main__":
    main()
