"""Whether an assignment can run in a JVM that has started without knowing it."""

from ember.worker import interpreter
from ember.worker.assignment import Assignment
from ember.worker.jvm import Gateway
from ember.worker.settings import Settings

# Properties which the JVM and its libraries read once, long before a run claims the pod.
READ_AT_START = (
    "java.", "javax.", "jdk.", "sun.", "com.sun.", "user.", "file.", "native.", "stdout.", "stderr.", "os.",
    "log4j", "slf4j", "org.slf4j", "io.netty.", "networkaddress.", "http.", "https.", "java_", "hadoop.home.dir",
)  # fmt: skip


def options_given(gateway: Gateway, settings: Settings) -> frozenset[str]:
    """The options that the running JVM was started with, or that say only what it does by itself.

    A driver repeats Spark's own ones to each of its executors.
    """
    modules = gateway.java_class("org.apache.spark.launcher.JavaModuleOptions")
    words = f"{modules.defaultModuleOptions()} {settings.paths.java_args.read_text()}".split()
    return frozenset([*words, "-Djava.net.preferIPv6Addresses=false"])


def why_not(work: Assignment, given: frozenset[str]) -> str:
    """Why a JVM that was started with the options `given` cannot serve; empty when it can."""
    options = [*work.jvm_options, *(work.executor.java_options if work.executor else ())]
    for option in set(options) - given:
        if not option.startswith("-D"):
            return f"a JVM takes {option.partition('=')[0]} only when it starts"
        if option[2:].startswith(READ_AT_START):
            return f"a JVM reads {option[2:].partition('=')[0]} only when it starts"
    if work.driver and (environment := interpreter.driver_environment(work.driver.properties)):
        return f"a process gets {min(environment)} in its environment only when it starts"
    return ""
