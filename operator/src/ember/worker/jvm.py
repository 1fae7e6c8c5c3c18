"""The JVM of a worker: Spark's Python gateway server, and the calls into it."""

import contextlib
import logging
import shlex
import signal
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ember.worker.processes import Child, Supervisor
from ember.worker.settings import Settings

MAIN_CLASS = "org.apache.spark.api.python.PythonGatewayServer"
BOOT_SECONDS = 300.0  # a pre-initialized worker gets only the cores that nobody else wants
_NEEDED = ("java.io.StringReader", "java.lang.System", "java.util.regex.Pattern")
_LOOK_SECONDS = 0.01


class JvmError(Exception):
    """The JVM did not come up."""


def command(settings: Settings, options: Iterable[str]) -> list[str]:
    """The command line: the image's argument file, the user's options, and last what must not be overridden."""
    heap = [f"-Xmx{settings.heap_mb}m"] if settings.heap_mb else []
    # The first OutOfMemoryError leaves a note for the end's reason; the job itself may catch it and go on.
    note = f"-XX:OnOutOfMemoryError=touch {out_of_memory_note(settings)}"
    # Spark starts Python with the job's arguments: without UTF-8 here, other characters would become `?`.
    # The second compiler takes what is really hot, and leaves the cores to the job for the rest.
    scaling = [
        "-XX:Tier4InvocationThreshold=200000",
        "-XX:Tier4MinInvocationThreshold=24000",
        "-XX:Tier4CompileThreshold=600000",
        "-XX:Tier4BackEdgeThreshold=1600000",
        "-XX:Tier3DelayOn=0",
    ]
    # Spark's start fills what the JVM would begin with, a 64th of the memory, many times: each time all threads wait.
    room = ["-XX:InitialRAMPercentage=12.5", "-XX:MetaspaceSize=256m"]
    encoding = ["-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8"]
    # Spark's own limit, 3 repeats within a second, would fail a job that starts while the broker changes its leader.
    # 40 take two minutes; the bound is spark.kubernetes.driver.requestTimeout.
    patience = ["-Dkubernetes.request.retry.backoffLimit=40"]
    paths = settings.paths
    own = [note, *scaling, *room, *encoding, *patience, *_class_path(settings)]
    return [str(paths.java), f"@{paths.java_args}", *own, *options, *heap, MAIN_CLASS]


def _class_path(settings: Settings) -> list[str]:
    """The run's own class path before Spark's, as Spark has it; the image's class data archive then does not fit."""
    if not settings.class_path:
        return []
    words = shlex.split(settings.paths.java_args.read_text())
    return ["-cp", f"{settings.class_path}:{words[words.index('-cp') + 1]}"]


def out_of_memory_note(settings: Settings) -> Path:
    """The file which exists once the JVM has run out of memory."""
    return settings.paths.run / "out-of-memory"


def environment(settings: Settings, base: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of the JVM and, through it, of the Python job."""
    paths = settings.paths
    env = {
        # What bin/spark-submit sets: equal strings must hash equally in driver and executors.
        "PYTHONHASHSEED": "0",
        "PYSPARK_PYTHON": str(paths.python),
        **base,
        "SPARK_HOME": str(paths.spark_home),
        "_PYSPARK_DRIVER_CONN_INFO_PATH": str(_connection_file(settings)),
        **extra,
    }
    if settings.library_path:
        env["LD_LIBRARY_PATH"] = ":".join(filter(None, [settings.library_path, env.get("LD_LIBRARY_PATH")]))
    if "UTF-8" not in env.get("LC_ALL", env.get("LANG", "")).upper().replace("UTF8", "UTF-8"):
        env["LC_ALL"] = env["LANG"] = "C.UTF-8"
    return env


def _connection_file(settings: Settings) -> Path:
    return settings.paths.run / "gateway"


def start(settings: Settings, supervisor: Supervisor, options: Iterable[str], env: Mapping[str, str]) -> Child:
    """Start the JVM; it ends when its standard input is closed."""
    _connection_file(settings).unlink(missing_ok=True)
    out_of_memory_note(settings).unlink(missing_ok=True)
    return supervisor.start(command(settings, options), env, settings.paths.work)


def connect(settings: Settings, supervisor: Supervisor, child: Child) -> "Gateway":
    """Wait for the JVM's gateway and connect to it; raises JvmError if it ends before, or never comes."""
    path = _connection_file(settings)
    for _ in range(int(BOOT_SECONDS / _LOOK_SECONDS)):
        # The JVM writes another file and renames it: if it is there, it is whole.
        if path.exists():
            data = path.read_bytes()
            path.unlink()
            port, length = struct.unpack("!ii", data[:8])
            return Gateway(port, data[8 : 8 + length].decode())
        if supervisor.wait(lambda: child.ended, _LOOK_SECONDS):
            raise JvmError("the JVM ended before it was up")
    raise JvmError(f"the JVM was not up after {BOOT_SECONDS:.0f} s")


def end(supervisor: Supervisor, child: Child, hooks: Path | None, seconds: float) -> bool:
    """Let the JVM end; False if it does not within the bound.

    `hooks` is a file that is deleted after the last shutdown hook (`Gateway.prepare_end`). What comes then is of no use
    to anybody: HotSpot waits 300 ms for threads in native code, and py4j's server always is in one; so it is killed.
    """
    child.close_stdin()
    for _ in range(int(seconds / _LOOK_SECONDS)):
        if supervisor.wait(lambda: child.ended, _LOOK_SECONDS):
            return True
        if hooks and not hooks.exists():
            child.signal(signal.SIGKILL)
            return True
    return False


class Call:
    """A Java `main` which runs in a thread of ours; at most one of the outcomes is set when it is done."""

    def __init__(self, run: Callable[[], None], wake: Callable[[], None]) -> None:
        self.done = False
        self.disconnected = False
        self.failure = ""
        self._run, self._wake = run, wake
        threading.Thread(target=self._work, name="main", daemon=True).start()

    @property
    def returned(self) -> bool:
        """True once `main` has come back, neither with an exception nor by the end of its JVM."""
        return self.done and not self.disconnected and not self.failure

    def _work(self) -> None:
        from py4j.protocol import Py4JError, Py4JJavaError

        try:
            self._run()
        except Py4JJavaError as error:
            self.failure = _stack_trace(error)
        except (Py4JError, OSError):
            # System.exit ends the JVM in the middle of the call: its status tells the rest.
            self.disconnected = True
        except Exception as error:  # an argument that cannot be encoded, say: the run fails, with the reason
            self.failure = f"{type(error).__name__}: {error}"
        finally:
            self.done = True
            self._wake()


def _stack_trace(error: Any) -> str:
    """The Java stack trace, in the words in which the JVM itself would have printed it."""
    try:
        trace = str(error)
    except Exception:  # the JVM ended while we asked for the trace
        return "the JVM ended with an exception"
    return 'Exception in thread "main" ' + trace.partition("\n: ")[2].rstrip() if "\n: " in trace else trace


class Gateway:
    """A py4j connection to the gateway JVM."""

    def __init__(self, port: int, secret: str) -> None:
        from py4j.java_gateway import GatewayParameters, JavaGateway, java_import

        # It would log each broken connection with a traceback; a JVM that ends in a call is quite usual here.
        logging.getLogger("py4j").setLevel(logging.CRITICAL + 1)

        self._port, self._secret = port, secret
        self._gateway: Any = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=secret))
        self._import = java_import
        self._classes: dict[str, Any] = {}

    def renewed(self) -> "Gateway":
        """A gateway with connections of its own: in Java each is a thread, which remembers what ran in it."""
        self._gateway.close()
        return Gateway(self._port, self._secret)

    @contextlib.contextmanager
    def callbacks(self) -> Iterator[None]:
        """Let Java call objects of ours meanwhile.

        No collection of garbage may fall into that time: Java holds its connection by a weak reference alone, and would
        then call on the one that waits for its answer.
        """
        from py4j.java_gateway import CallbackServerParameters, JavaObject

        gateway = self._gateway
        gateway.callback_server_parameters = CallbackServerParameters(
            port=0, daemonize=True, daemonize_connections=True
        )
        gateway.restart_callback_server()
        port = gateway.get_callback_server().get_listening_port()
        server = JavaObject("GATEWAY_SERVER", gateway._gateway_client)  # noqa: SLF001 - py4j's name for Java's side
        server.resetCallbackClient(server.getCallbackClient().getAddress(), port)
        try:
            yield
        finally:
            gateway.shutdown_callback_server()

    def call_main(self, class_name: str, arguments: Sequence[str], wake: Callable[[], None]) -> Call:
        """Run `main` of a class in the background."""
        return Call(lambda: self.java_class(class_name).main(self.strings(arguments)), wake)

    def strings(self, values: Sequence[str]) -> Any:
        """Make a String[]. Setting elements one by one costs a round trip each; one split of one string does not."""
        if not values:
            return self._gateway.new_array(self.java_class("java.lang.String"), 0)
        mark = delimiter(values)
        # The limit -1 keeps empty strings at the end.
        return self.java_class("java.util.regex.Pattern").compile(mark).split(mark.join(values), -1)

    def set_properties(self, properties: str) -> None:
        """Set system properties from a text in the format of java.util.Properties."""
        reader = self.java_class("java.io.StringReader")(properties)
        self.java_class("java.lang.System").getProperties().load(reader)

    def java_class(self, name: str) -> Any:
        """Two round trips for a class, once; walking along the package would be one for each of its parts."""
        if name not in self._classes:
            self._import(self._gateway.jvm, name)
            self._classes[name] = getattr(self._gateway.jvm, name.rpartition(".")[2])
        return self._classes[name]

    def collect_garbage(self) -> None:
        """Make room, so that nothing needs collecting while a run starts.

        Not as the last thing of a warm-up: after it, the first call of each compiled method takes a detour.
        """
        self.java_class("java.lang.System").gc()

    def temporary_folders(self) -> Any:
        """The set of the folders that Spark deletes when the JVM ends, by a process for each."""
        hooks = self.java_class("java.lang.Class").forName("org.apache.spark.util.ShutdownHookManager$")
        field = hooks.getDeclaredField("shutdownDeletePaths")
        field.setAccessible(True)
        return field.get(None)

    def prepare_end(self, settings: Settings) -> Path | None:
        """Spare the JVM what the end of the pod does anyway.

        Returns a file that is there until all of its shutdown hooks are through; None if it ends by itself just now.
        """
        from py4j.protocol import Py4JError

        note = settings.paths.run / "hooks"
        try:
            note.touch()
            self.temporary_folders().clear()
            # Such files are deleted last, after the hooks.
            self.java_class("java.io.File")(str(note)).deleteOnExit()
        except (Py4JError, OSError):
            return None
        return note

    def close_input(self) -> None:
        """Let a job that reads its standard input find the end at once, as in a pod, and not wait for what never comes.

        The pipe itself stays open: its end is the JVM's.
        """
        self.java_class("java.lang.System").setIn(self.java_class("java.io.InputStream").nullInputStream())

    def get_ready(self, class_name: str) -> None:
        """Look up beforehand what `set_properties` and `call_main` of that class need."""
        for name in (*_NEEDED, class_name):
            self.java_class(name)


def delimiter(values: Iterable[str]) -> str:
    """One character that is in none of the values and means nothing in a regular expression."""
    used = set().union(*values)
    for code in (*range(1, 9), *range(0xE000, 0xF900)):
        if chr(code) not in used:
            return chr(code)
    raise ValueError("the arguments use every private character of Unicode")
