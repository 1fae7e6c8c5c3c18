"""The first half of a warm pod's life: start everything, rehearse, remove the traces, and only then be ready."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ember.worker import executor as run_executor
from ember.worker import jvm, zygotes
from ember.worker.problems import WorkerError
from ember.worker.processes import Child, Supervisor
from ember.worker.settings import EXECUTOR, Settings
from ember.worker.submit import MAIN_CLASS
from ember.worker.warm import driver, executor, fit
from ember.worker.warm.background import Background
from ember.worker.warm.ready import Readiness
from ember.worker.warm.stage import Stage
from ember.worker.warm.traces import Traces

# Far above what a warm-up takes even on a busy node; the operator, which waits longer, then hears a reason.
WARM_UP_SECONDS = 840.0


class WarmPod:
    """The JVM and the zygote of a pod that does not know its run yet."""

    def __init__(self, settings: Settings, supervisor: Supervisor, env: Mapping[str, str]) -> None:
        self._settings, self._supervisor = settings, supervisor
        self._env = jvm.environment(settings, env, {zygotes.SOCKET_VARIABLE: str(zygotes.socket_path(settings))})
        self.jvm = jvm.start(settings, supervisor, (), self._env)
        # One thread: with more, a fork would have to do without them. The job's number comes with the job.
        self.zygote: Child = zygotes.start(settings, supervisor, self._env, settings.role, "1")
        zygotes.use_interpreter(settings, "")
        self.readiness = Readiness(settings.pod_ip, settings.ready_port)
        self.options = frozenset[str]()
        self._stage = Stage(settings, Path(tempfile.mkdtemp(prefix="ember-warm-up-")))

    def warm_up(self, mark: Callable[[str], None]) -> jvm.Gateway:
        """Rehearse; raises WorkerError or JvmError, or StopRequested."""
        self._stage.open()
        partner = None
        if self._settings.role == EXECUTOR:
            partner = executor.invite(self._stage, self._supervisor, self._env)
        gateway = jvm.connect(self._settings, self._supervisor, self.jvm)
        mark("jvm")
        # In the background, for the main thread hears signals and reaps.
        work = Background(lambda: self._rehearse(gateway, partner, mark), self._supervisor.wake)
        over = self._supervisor.wait(lambda: work.done or self.jvm.ended, WARM_UP_SECONDS)
        if not over:
            raise WorkerError(f"the warm-up took more than {WARM_UP_SECONDS:.0f} s{self._last_words()}")
        if self.jvm.ended:
            raise WorkerError(f"the JVM ended during the warm-up{self._last_words()}")
        if work.failure:
            text = f"{type(work.failure).__name__}: {work.failure}"
            raise WorkerError(f"the warm-up failed: {text[:600]}{self._last_words()}")
        self._tidy()
        gateway = gateway.renewed()
        gateway.close_input()
        self.options = fit.options_given(gateway, self._settings)
        gateway.get_ready(run_executor.MAIN_CLASS if self._settings.role == EXECUTOR else MAIN_CLASS)
        return gateway

    def _rehearse(self, gateway: jvm.Gateway, partner: executor.Partner | None, mark: Callable[[str], None]) -> None:
        try:
            traces = Traces(gateway, self._stage.log)
            if partner:
                executor.rehearse(self._stage, gateway, partner, mark)
            else:
                driver.rehearse(self._stage, gateway, mark)
            mark("rehearsed")
            traces.remove()
        finally:
            self._stage.close()

    def _tidy(self) -> None:
        """The working directory was empty, and shall be."""
        shutil.rmtree(self._stage.folder, ignore_errors=True)
        for path in self._settings.paths.work.iterdir():
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def _last_words(self) -> str:
        """What Spark said last, of what was written where nobody would see it."""
        try:
            lines = self._stage.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        told = [line for line in lines if " ERROR " in line or "Exception" in line or "Error:" in line] or lines
        return "; its log: " + " | ".join(told[-3:])[:600] if told else ""
