"""The demo: an application and three runs on a real cluster, seen as they happen, and their answers checked."""

import time
from pathlib import Path
from typing import Any

from local import console, results
from local.install import TENANT, install
from local.kubectl import Kubectl, Object
from local.store import Store
from local.watch import Event, Watch, pods_path, runs_path

EXAMPLES = Path(__file__).parents[1] / "examples" / TENANT
RUNS = ("wordcount", "tpch", "sparkpi")
NAMES = tuple(f"{run}-1" for run in RUNS)
ENDED = ("SUCCESS", "FAILED", "CANCELLED")
RUN_SECONDS = 600.0
FIRST_LINES = 6
LAST_LINES = 20


def demo() -> int:
    """Install what is missing, run the examples, show and check everything; 0 if all is right."""
    started = time.monotonic()
    cluster = install()
    client = Store(cluster).client
    with console.step("earlier runs of the demo removed"):
        cluster.run("delete", "jobruns", "-n", TENANT, *NAMES, "--ignore-not-found", timeout=90)
    with Watch(cluster, runs_path(TENANT)) as runs, Watch(cluster, pods_path(TENANT)) as pods:
        began = time.monotonic()
        _submit(cluster)
        _show_until_ended(runs, began)
        executors = _executors(pods)
        ended = dict(runs.current)
    _show_table(cluster)
    problems = [problem for name in NAMES for problem in _report(cluster, client, ended[name], executors[name])]
    problems += _check_word_count(client)
    console.say("")
    for problem in problems:
        console.say(f"wrong: {problem}")
    took = console.duration(time.monotonic() - started)
    console.say(f"The demo {'failed' if problems else 'is done, and all of it is right'}: {took}.")
    console.say("The cluster stays up: `make status`, `make demo` again, `make down`.")
    return 1 if problems else 0


def _submit(cluster: Kubectl) -> None:
    """Apply the manifests as they stand."""
    for name in ("application", *RUNS):
        path = EXAMPLES / f"{name}.yaml"
        console.say(f"$ kubectl apply -f examples/{TENANT}/{path.name}")
        cluster.apply(path.read_text())


def _show_until_ended(runs: Watch, began: float) -> None:
    """Print each run's states as they change, until all runs have ended."""
    shown: dict[str, str] = {}
    for event in runs.follow(RUN_SECONDS):
        line = _line(event)
        if event.name in NAMES and event.kind != "DELETED" and shown.get(event.name) != line:
            shown[event.name] = line
            console.say(f"{event.at - began:6.1f} s  {event.name:<14}{line}")
        if all(_state(runs.current.get(name)) in ENDED for name in NAMES):
            return
    console.say(f"The runs have not all ended within {console.duration(RUN_SECONDS)}.")


def _line(event: Event) -> str:
    status = event.object.get("status", {})
    executors = status.get("executors", {}).get("running", 0)
    details = status.get("stateDetails", "")
    parts = [status.get("state", "created")]
    if executors and parts[0] == "RUNNING":
        parts.append(f"with {executors} executor{'s' if executors > 1 else ''}")
    return "  ".join([*parts, *([details] if details else [])])


def _state(run: Object | None) -> str:
    return str((run or {}).get("status", {}).get("state", ""))


def _executors(pods: Watch) -> dict[str, list[str]]:
    """Return, for each run, the executors whose container has run: those have logs."""
    found: dict[str, set[str]] = {name: set() for name in NAMES}
    for event in pods.history:
        labels = event.object["metadata"].get("labels", {})
        statuses = event.object.get("status", {}).get("containerStatuses", [])
        began = any("waiting" not in status["state"] for status in statuses)
        if began and "spark-exec-id" in labels and labels.get("ember-spark.io/job-run") in found:
            found[labels["ember-spark.io/job-run"]].add(labels["spark-exec-id"])
    return {name: sorted(numbers, key=int) for name, numbers in found.items()}


def _show_table(cluster: Kubectl) -> None:
    console.say("")
    for kind in ("emrapplications", "jobruns"):
        console.say(f"$ kubectl get {kind} -n {TENANT}")
        console.say(cluster.run("get", kind, "-n", TENANT).rstrip())


def _report(cluster: Kubectl, client: Any, run: Object, executors: list[str]) -> list[str]:
    """Show a run's logs and results; return what is wrong with them."""
    name, status = run["metadata"]["name"], run.get("status", {})
    log_uri = status.get("logUri", "")
    console.say(f"\n{name}\n  logs     {log_uri or 'none'}")
    problems = [] if _state(run) == "SUCCESS" else [f"{name} is {_state(run)}: {status.get('stateDetails')}"]
    missing = results.missing_logs(client, log_uri, executors) if log_uri else ["its log"]
    problems += [f"{name}: {uri} is not in the store" for uri in missing]
    if not executors:
        problems.append(f"{name} had no executor")
    driver = f"{log_uri.rstrip('/')}/SPARK_DRIVER/stdout.gz"
    if log_uri and driver not in missing:
        _show_first_lines(results.read_log(client, driver))
    output = f"s3://demo/output/{name}/"
    if written := [uri for uri in results.keys(client, output) if uri.endswith((".csv", ".parquet"))]:
        console.say(f"  results  {output} ({len(written)} files)")
        if written[0].endswith(".csv"):
            _show_first_lines(results.read(client, written[0]).decode())
    if problems:
        _show_failure(cluster, client, run)
    return problems


def _show_first_lines(text: str) -> None:
    for line in text.splitlines()[:FIRST_LINES]:
        console.say(f"    | {line}")


def _show_failure(cluster: Kubectl, client: Any, run: Object) -> None:
    """Show the run's events and the end of what its driver said."""
    console.say(cluster.run("events", "-n", TENANT, "--for", f"jobrun/{run['metadata']['name']}").rstrip())
    stderr = f"{run.get('status', {}).get('logUri', '').rstrip('/')}/SPARK_DRIVER/stderr.gz"
    if stderr in results.keys(client, stderr):
        for line in results.read_log(client, stderr).splitlines()[-LAST_LINES:]:
            console.say(f"    ! {line[:240]}")


def _check_word_count(client: Any) -> list[str]:
    """Compare the run's answer with what Python counts in the same texts."""
    right = results.right_word_counts(client, "s3://demo/input/")
    counted = results.counted_words(client, "s3://demo/output/wordcount-1/")
    if counted != right:
        return [
            f"the word count: {len(counted)} words, {counted.total()} in all; {len(right)}, {right.total()} are right"
        ]
    console.say(f"\nThe word count is right: {len(right)} words, {right.total()} in all, as Python's Counter has them.")
    return []
