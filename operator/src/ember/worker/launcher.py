"""The life of a worker pod: get the assignment, start the JVM, run, tell the end."""

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ember.worker import executor, inbox, jvm, log, zygotes
from ember.worker.assignment import Assignment
from ember.worker.channel import Channel
from ember.worker.clock import Marks
from ember.worker.driver import DriverRun
from ember.worker.endmark import write_end_marks
from ember.worker.outcome import Outcome, memory_hint, of_main, of_status
from ember.worker.problems import WorkerError
from ember.worker.processes import Child, StopRequested, Supervisor
from ember.worker.properties import dump
from ember.worker.reports import Reporter
from ember.worker.settings import DRIVER, Settings, write_private
from ember.worker.warm import fit

if TYPE_CHECKING:
    from ember.worker import credentials

STOP_GRACE_SECONDS = 10.0
LAST_SECONDS = 10.0  # of the kubelet's patience that are ours, for the end mark and the report
# Spark's shutdown hooks have bounds of 30 s themselves.
EXIT_SECONDS = 60.0


class Launcher:
    """One pod, one assignment, one life."""

    def __init__(self, settings: Settings, env: Mapping[str, str]) -> None:
        self._settings, self._env = settings, env
        self._channel = Channel(settings.broker_url, settings.broker_ca, settings.paths.token)
        self._supervisor, self._marks = Supervisor(), Marks()
        self._relay: credentials.Relay | None = None
        self._jvm_options = frozenset[str]()  # what a warm JVM was started with
        self._jvm: Child | None = None
        self._decommissions = False  # it is an executor that works, and may be told to move its blocks away
        self._zygote: Child | None = None

    def run(self) -> int:
        """Live the pod's whole life and return its exit code."""
        self._supervisor.install()
        reporter = Reporter(self._channel)
        try:
            outcome = self._work(reporter)
        except StopRequested as stop:
            log.info("stopping", reason=str(stop))
            outcome = self._stopped(stop)
        except (WorkerError, inbox.NoAssignmentError, jvm.JvmError, OSError, ValueError) as error:
            log.error(str(error))
            outcome = self._failed(str(error))
        except Exception as error:  # also py4j's, when the JVM goes away in between: whatever it is, the end is told
            import traceback

            log.error("".join(traceback.format_exception(error)))
            outcome = self._failed(f"{type(error).__name__}: {error}")
        self._finish(outcome, reporter)
        return outcome.exit_code

    def _work(self, reporter: Reporter) -> Outcome:
        self._prepare_folders()
        # A cold pod was made for its run: what the JVM must be told at its start is in the assignment, so ask first.
        mail = inbox.Inbox(self._channel, self._supervisor)
        gateway = self._warm_up(reporter) if self._settings.warm else None
        work = mail.first(lambda: self._jvm is not None and self._jvm.ended)
        self._marks.set("assignment")
        self._channel.state = "assigned"
        log.bind(jobRunId=work.run.get("id", ""), attempt=work.run.get("attempt", ""))
        log.info("assigned", warm=gateway is not None)
        for name, text in work.secrets.items():
            write_private(self._settings.paths.run / name, text)
        if gateway and (reason := fit.why_not(work, self._jvm_options)):
            log.warning("this run starts cold", reason=reason)
            self._forget_the_warm_up()
            gateway = None
        main_class, arguments, properties = self._start_processes(work)
        if cold := gateway is None:
            self._listen(work)  # while the JVM boots
            gateway = jvm.connect(self._settings, self._supervisor, self._the_jvm())
            gateway.close_input()
            self._marks.set("jvm")
        if properties:
            gateway.set_properties(properties)
        call = gateway.call_main(main_class, arguments, self._supervisor.wake)
        self._marks.set("submit")
        if not cold:
            self._listen(work)
        self._decommissions = work.executor is not None and work.executor.decommission
        reporter.started(self._marks.seconds)
        self._channel.state = "started"
        self._supervisor.wait(lambda: call.done or self._the_jvm().ended)
        return self._concluded(call, gateway)

    def _listen(self, work: Assignment) -> None:
        """Hear of an order to stop from now on, and have the credentials there when the run asks for them."""
        inbox.watch(self._channel, self._supervisor, work.revision)
        self._credentials().fetch_ahead()

    def _prepare_folders(self) -> None:
        paths = self._settings.paths
        local = [Path(folder) for folder in self._env.get("SPARK_LOCAL_DIRS", "").split(",") if folder]
        for folder in (paths.run, paths.work, *local):
            folder.mkdir(parents=True, exist_ok=True)
        write_private(paths.run / "broker-ca.crt", self._settings.broker_ca)

    def _warm_up(self, reporter: Reporter) -> jvm.Gateway:
        """Get ready for a run that nobody knows yet."""
        from ember.worker.warm.pod import WarmPod

        with self._credentials().rehearsal():
            warm = WarmPod(self._settings, self._supervisor, self._env)
            self._jvm, self._zygote = warm.jvm, warm.zygote
            gateway = warm.warm_up(self._marks.set)
        self._jvm_options = warm.options
        self._marks.set("ready")
        self._channel.state = "ready"
        reporter.ready(self._marks.seconds)
        warm.readiness.ready()
        return gateway

    def _forget_the_warm_up(self) -> None:
        """What is in the assignment can only be had by a new JVM: be a cold pod from here on."""
        for child in (self._jvm, self._zygote):
            if child:
                child.signal(signal.SIGKILL)
                self._supervisor.wait(lambda child=child: child.ended, EXIT_SECONDS)  # type: ignore[misc]
        self._jvm = self._zygote = None

    def _start_processes(self, work: Assignment) -> tuple[str, list[str], str]:
        """Start what does not run yet, JVM and Python; returns the main class, its arguments, properties to set."""
        settings, supervisor = self._settings, self._supervisor
        if settings.role == DRIVER:
            if work.driver is None:
                raise WorkerError("the assignment has no driver part")
            run = DriverRun(settings, work.driver, work.secrets, self._env)
            env = jvm.environment(settings, self._env, run.environment)
            given = executor.dash_d(work.jvm_options) if self._jvm else {}
            self._jvm = self._jvm or jvm.start(settings, supervisor, work.jvm_options, env)
            self._zygote = run.start_python(supervisor, env, self._zygote)
            return run.main_class, run.arguments(), dump(given)
        if work.executor is None:
            raise WorkerError("the assignment has no executor part")
        if self._jvm is None:
            options = [*work.jvm_options, *executor.command_line(work.executor.java_options)]
            self._jvm = jvm.start(settings, supervisor, options, jvm.environment(settings, self._env, {}))
        properties = executor.system_properties(settings, work.executor, work.secrets)
        return executor.MAIN_CLASS, executor.arguments(settings, work.executor), properties

    def _credentials(self) -> "credentials.Relay":
        """Open the credentials endpoint, once. Its imports cost 50 ms, which now pass while the JVM boots."""
        if self._relay is None:
            from ember.worker import credentials

            self._relay = credentials.Relay(self._channel.credentials)
            token = os.urandom(32).hex()
            write_private(self._settings.paths.run / "credentials-token", token)
            credentials.serve(self._relay, token, self._settings.credentials_port)
        return self._relay

    def _the_jvm(self) -> Child:
        if self._jvm is None:
            raise WorkerError("the JVM was not started")
        return self._jvm

    def _concluded(self, call: jvm.Call, gateway: jvm.Gateway) -> Outcome:
        """Main has returned, thrown, or vanished with its JVM: let the JVM end, and see with what code."""
        child = self._the_jvm()
        self._marks.set("main")
        if call.done and call.failure:
            log.write_all(2, call.failure.encode("utf-8", "replace") + b"\n")
        hooks = gateway.prepare_end(self._settings) if call.returned else None
        over = jvm.end(self._supervisor, child, hooks, EXIT_SECONDS)
        self._marks.set("exit")
        if not over:
            log.warning("the JVM does not end by itself", seconds=EXIT_SECONDS)
            self._supervisor.end(child, STOP_GRACE_SECONDS)
        by_itself = over and child.ended
        # The job's own code was through when we killed the JVM, unless it vanished from within main.
        status = child.status if by_itself or call.disconnected else 0
        return of_main(call.failure, status, memory_hint(jvm.out_of_memory_note(self._settings)))

    def _stopped(self, stop: StopRequested) -> Outcome:
        reason = str(stop)
        if self._jvm is None:
            return Outcome(143, f"stopped: {reason}")
        grace = STOP_GRACE_SECONDS
        if stop.by_signal:  # the kubelet kills us when its time is over, and what we say at our end takes some, too
            grace = max(1.0, self._settings.grace_seconds - LAST_SECONDS)
            if self._decommissions:
                grace = self._decommission(self._jvm, grace)
        self._supervisor.end(self._jvm, grace)
        outcome = of_status(self._jvm.status)
        # A job that was stopped has not succeeded, even if its JVM found an orderly way out.
        return Outcome(outcome.exit_code or 143, f"stopped: {reason}")

    def _decommission(self, child: Child, seconds: float) -> float:
        """Let an executor end its tasks and move its blocks away, as Spark's own hook of such a pod would.

        Returns how many of the seconds are left. Source: Spark's decom.sh, and `spark.executor.decommission.signal`.
        """
        log.info("decommissioning", seconds=seconds - 1)
        began = time.monotonic()
        self._supervisor.finish()
        child.signal(signal.SIGPWR)
        self._supervisor.wait(lambda: child.ended, seconds - 1)
        return max(1.0, seconds - (time.monotonic() - began))

    def _failed(self, reason: str) -> Outcome:
        if self._jvm is None or not self._jvm.ended:
            if self._jvm:
                self._supervisor.end(self._jvm, STOP_GRACE_SECONDS)
            return Outcome(1, reason)
        outcome = of_status(self._jvm.status, memory_hint(jvm.out_of_memory_note(self._settings)))
        return Outcome(outcome.exit_code or 1, f"{reason}: {outcome.reason}")

    def _finish(self, outcome: Outcome, reporter: Reporter) -> None:
        """Nothing may come after the end mark, so first everything that could write is ended."""
        self._supervisor.finish()
        if self._zygote:
            zygotes.end(self._supervisor, self._zygote, at_once=self._supervisor.stopping)
        self._supervisor.kill_the_rest()
        if self._relay:
            self._relay.end()
        self._marks.set("end")
        log.info("ended", exitCode=outcome.exit_code, reason=outcome.reason, marks=self._marks.seconds)
        write_end_marks()
        self._write_termination_message(outcome)
        reporter.ended(outcome.exit_code, outcome.reason, self._marks.seconds)

    def _write_termination_message(self, outcome: Outcome) -> None:
        path = self._settings.paths.termination
        if path.exists():
            try:
                began = "submit" in self._marks.seconds
                said = {"exitCode": outcome.exit_code, "reason": outcome.reason[:1024], "began": began}
                path.write_text(json.dumps(said))
            except OSError:
                return
