"""A driver's preparation, from the assignment to the arguments of SparkSubmit."""

from collections.abc import Mapping
from pathlib import Path

from ember.worker import interpreter, submit, zygotes
from ember.worker.assignment import DriverPart
from ember.worker.processes import Child, Supervisor
from ember.worker.settings import Settings

_PYTHON_SUFFIXES = (".py", ".zip", ".egg")


class DriverRun:
    """Knows which Python runs the job, and what SparkSubmit is told."""

    main_class = submit.MAIN_CLASS

    def __init__(
        self, settings: Settings, part: DriverPart, secrets: Mapping[str, str], env: Mapping[str, str]
    ) -> None:
        self._settings, self._part, self._secrets = settings, part, secrets
        self.environment = interpreter.driver_environment(part.properties)
        if "PYTHONPATH" in self.environment:  # the launcher's own is what its children find themselves by
            paths = f"{env.get('PYTHONPATH', '')}:{self.environment['PYTHONPATH']}".split(":")
            self.environment["PYTHONPATH"] = ":".join(dict.fromkeys(path for path in paths if path))
        asked = {**env, **self.environment}
        self._python, self._workers_python = interpreter.requested(part.properties, part.submit_arguments, asked)
        if self._python and interpreter.is_same(Path(self._python), settings.paths.python):
            self._python = ""

    def start_python(self, supervisor: Supervisor, env: Mapping[str, str], zygote: Child | None) -> Child | None:
        """Start the zygote, unless there is one, if there is Python to run; a jar job does not pay for it."""
        zygotes.use_interpreter(self._settings, self._python)
        if zygote or not any(argument.endswith(_PYTHON_SUFFIXES) for argument in self._part.submit_arguments):
            return zygote
        own_threads = "spark.emr-serverless.driverEnv.OMP_NUM_THREADS" in self._part.properties
        cores = None if own_threads else self._part.properties.get("spark.driver.cores")
        return zygotes.start(self._settings, supervisor, env, "plain" if self._python else "warm", cores)

    def arguments(self) -> list[str]:
        """SparkSubmit's arguments."""
        stub = str(self._settings.paths.run / zygotes.STUB)
        workers = self._workers_python or str(self._settings.paths.python)
        return submit.arguments(self._settings, self._part, stub, workers, self._secrets)
