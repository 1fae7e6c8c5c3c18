"""What executors start as their Python daemon: it hands Spark's pipes to the zygote, whose fork becomes the daemon.

Set by `spark.python.daemon.module=ember.worker.pydaemon`. Without a zygote, or for another Python than the zygote's, it
is pyspark's own daemon. Self-contained, for any Python from 3.8 on.
"""

import importlib
import os
import signal
import socket
import sys
from pathlib import Path

SOCKET = "EMBER_PYTHON_ZYGOTE"


def main() -> None:
    """Be the daemon, here or in a fork of the zygote."""
    try:
        connection = _handed_over()
    except (OSError, ValueError, AttributeError):
        connection = None
    if connection is None:
        importlib.import_module("pyspark.daemon").manager()
    else:
        _follow(connection)


def _handed_over() -> "socket.socket | None":
    """The connection to the zygote that has taken the pipes; None if it did not."""
    path = os.environ.get(SOCKET, "")
    if not path:
        return None
    request = {
        "kind": "daemon",
        "argv": sys.argv[1:],
        "env": dict(os.environ),
        "cwd": str(Path.cwd()),
        "interpreter": sys.executable,
    }
    data = repr(request).encode()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    socket.send_fds(connection, [len(data).to_bytes(4, "big")], [0, 1, 2])
    connection.sendall(data)
    return connection if connection.recv(1) else None


def _follow(connection: socket.socket) -> None:
    """Live as long as the daemon does; Spark ends it by ending this process."""
    # The zygote ends the daemon when this connection closes.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The daemon alone holds the pipes now: when it goes, Spark sees their end.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    answer = connection.recv(4)
    os._exit(int.from_bytes(answer, "big") if len(answer) == 4 else 1)


if __name__ == "__main__":
    main()
