"""What a rehearsal leaves in a JVM, kept out of the run that comes after it."""

import shutil
from pathlib import Path
from typing import Any

from ember.worker.jvm import Gateway

# Folders of a submission or of a context. Others, like that of the artifacts, serve the JVM's whole life.
_OF_A_CONTEXT = ("spark-", "pyspark-")


class Traces:
    """Made before the first rehearsal; `remove` after the last one."""

    def __init__(self, gateway: Gateway, log: Path) -> None:
        self._gateway = gateway
        self._system = gateway.java_class("java.lang.System")
        self._properties = self._system.getProperties().clone()
        # What Hadoop's classes say once, they say now: later it would be among the lines of a rehearsal.
        gateway.java_class("org.apache.spark.deploy.SparkHadoopUtil").get()
        self._streams = _Streams(gateway, log)

    def remove(self) -> None:
        """Properties, open file systems with their identity, settings, folders; then let the JVM speak again."""
        # All properties, not only Spark's: libraries set their own from the settings of a rehearsal.
        self._system.setProperties(self._properties)
        files = self._gateway.java_class("org.apache.hadoop.fs.FileSystem")
        files.closeAll()
        files.clearStatistics()
        # Spark keeps the secret of a context in local mode with the user's identity, and prefers it to any other.
        self._gateway.java_class("org.apache.hadoop.security.UserGroupInformation").setLoginUser(None)
        self._forget_settings()
        self._remove_folders()
        self._streams.restore()

    def _forget_settings(self) -> None:
        """What Spark takes once from the settings that it finds: those of the run shall count."""
        self._scala_object("org.apache.spark.sql.execution.columnar.InMemoryRelation")[1].clearSerializer()
        self._scala_object("org.apache.spark.sql.execution.datasources.FileStatusCache")[1].resetForTesting()
        kind, holder = self._scala_object("org.apache.spark.deploy.SparkHadoopUtil")
        # Lazy values: the marks that they are there, then the one that holds settings.
        made, value = kind.getDeclaredField("bitmap$0"), kind.getDeclaredField("instance")
        for field in (made, value):
            field.setAccessible(True)
        made.setByte(holder, 0)
        value.set(holder, None)

    def _scala_object(self, name: str) -> tuple[Any, Any]:
        """The class of a Scala object, and the object."""
        kind = self._gateway.java_class("java.lang.Class").forName(f"{name}$")
        return kind, kind.getField("MODULE$").get(None)

    def _remove_folders(self) -> None:
        """What each submission and each context made for itself, save the root that the run's own will use."""
        configuration = self._gateway.java_class("org.apache.spark.SparkConf")()
        roots = set(self._gateway.java_class("org.apache.spark.util.Utils").getConfiguredLocalDirs(configuration))
        for folder in map(Path, self._gateway.temporary_folders().mkString("\n").splitlines()):
            if folder.name.startswith(_OF_A_CONTEXT) and str(folder.parent) not in roots:
                shutil.rmtree(folder, ignore_errors=True)


class _Streams:
    """Sends what the JVM writes to its standard streams to a file: they belong to the run that will claim the pod.

    Java's streams are objects that hold a number. Loggers keep the objects; so the number is exchanged, and everything
    writes, formats and compiles as it will in a run.
    """

    def __init__(self, gateway: Gateway, log: Path) -> None:
        descriptor = gateway.java_class("java.io.FileDescriptor")
        self._field: Any = (
            gateway.java_class("java.lang.Class").forName("java.io.FileDescriptor").getDeclaredField("fd")
        )
        self._field.setAccessible(True)  # java.args opens java.io, as Spark needs it
        self._file = gateway.java_class("java.io.FileOutputStream")(str(log), True)
        self._descriptors = {1: descriptor.out, 2: descriptor.err}
        number = self._field.getInt(self._file.getFD())
        for stream in self._descriptors.values():
            self._field.setInt(stream, number)

    def restore(self) -> None:
        for number, stream in self._descriptors.items():
            self._field.setInt(stream, number)
        self._file.close()
