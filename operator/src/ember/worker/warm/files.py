"""The store's client, opened and used as a run will do it: for the first time that takes a second, then ever less."""

from ember.worker.jvm import Gateway
from ember.worker.warm.stage import Stage

ROUNDS = 4


def rehearse(stage: Stage, gateway: Gateway) -> None:
    """Ask for, read, write and delete files of the stand-in; without S3A there is nothing that is slow to start."""
    if not stage.bucket:
        return
    configuration = gateway.java_class("org.apache.hadoop.conf.Configuration")()
    for name, value in stage.store().items():
        configuration.set(name, value)
    systems = gateway.java_class("org.apache.hadoop.fs.FileSystem")
    path = gateway.java_class("org.apache.hadoop.fs.Path")
    there = path(f"{stage.base}/in/a.txt")
    for number in range(ROUNDS):
        # A new one each time: to make it is what the first request of a run takes longest for.
        system = systems.newInstance(there.toUri(), configuration)
        made = path(f"{stage.base}/made-{number}")
        system.exists(made)
        stream = system.open(there)
        stream.read()
        stream.close()
        system.create(made).close()
        system.delete(made, False)
        system.close()
