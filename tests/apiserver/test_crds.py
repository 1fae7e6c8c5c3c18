"""The CRDs on a real API server: they are taken, and they take and refuse what they should."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ember.model.application import EMRApplicationStatus, InitialCapacityStatus, RunCounts
from ember.model.base import StatusModel
from ember.model.capacity import Capacity, CapacityLimit, CapacityUsage
from ember.model.conditions import set_condition
from ember.model.crd import APPLICATION, JOB_RUN, KINDS, Kind, definition
from ember.model.jobrun import ExecutorCounts, JobRunStatus, Startup
from ember.model.labels import GROUP, VERSION
from ember.model.states import ApplicationState, JobRunState
from tests.support.api_server import ApiServer, Refused
from tests.support.manifests import UNSUPPORTED_APPLICATION, UNSUPPORTED_JOB_RUN, Manifest, application, job_run

pytestmark = pytest.mark.cluster

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"
NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="module")
def api() -> ApiServer:
    return ApiServer.of_the_local_cluster()


@pytest.fixture(scope="module")
def crds(api: ApiServer) -> Iterator[dict[str, Manifest]]:
    """The CRDs of the models, established; those which were not there before are taken away again."""
    before = {item["metadata"]["name"]: item["metadata"] for item in api.ask("GET", CRDS)["items"]}
    made = []
    for kind in KINDS:
        body = definition(kind)
        name = body["metadata"]["name"]
        if name in before:
            # Exactly what an upgrade of the release would do: its labels stay, and it still owns what it owns.
            body["metadata"] |= {key: before[name][key] for key in ("labels", "annotations") if key in before[name]}
        else:
            made.append(name)
        api.ask("PATCH", f"{CRDS}/{name}?fieldManager=helm&force=true", body, content="application/apply-patch+yaml")
    yield {kind.name: _established(api, kind) for kind in KINDS}
    for name in made:
        api.ask("DELETE", f"{CRDS}/{name}")


def _established(api: ApiServer, kind: Kind) -> Manifest:
    deadline = time.monotonic() + 30
    while True:
        found: Manifest = api.ask("GET", f"{CRDS}/{kind.plural}.{GROUP}")
        if _conditions(found).get("Established") == "True":
            return found
        assert time.monotonic() < deadline, _conditions(found)
        time.sleep(0.2)


def _conditions(crd: Manifest) -> dict[str, str]:
    return {item["type"]: item["status"] for item in crd.get("status", {}).get("conditions", [])}


@pytest.fixture(scope="module")
def namespace(api: ApiServer) -> Iterator[str]:
    name = api.ask("POST", "/api/v1/namespaces", {"metadata": {"generateName": "ember-crds-"}})["metadata"]["name"]
    yield name
    api.ask("DELETE", f"/api/v1/namespaces/{name}")


class Resources:
    """EMRApplications and JobRuns of one namespace."""

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    def path(self, kind: str, name: str = "") -> str:
        return f"/apis/{GROUP}/{VERSION}/namespaces/{self._namespace}/{kind.lower()}s{'/' if name else ''}{name}"

    def create(self, manifest: Manifest, dry_run: bool = False) -> Manifest:
        body = {**manifest, "metadata": {**manifest["metadata"], "namespace": self._namespace}}
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        created: Manifest = self._api.ask("POST", self.path(manifest["kind"]) + query, body)
        return created

    def refusal(self, manifest: Manifest) -> str:
        """The message with which the manifest is refused."""
        with pytest.raises(Refused) as refused:
            self.create(manifest, dry_run=True)
        return str(refused.value)

    def change(self, kind: Kind, name: str, spec: dict[str, Any]) -> None:
        self._api.ask("PATCH", self.path(kind.name, name), {"spec": spec}, content=MERGE)

    def write_status(self, kind: Kind, name: str, status: StatusModel) -> Manifest:
        path = f"{self.path(kind.name, name)}/status"
        written: Manifest = self._api.ask("PATCH", path, {"status": status.to_manifest()}, content=MERGE)
        return written

    def table(self, kind: Kind, name: str) -> Manifest:
        """What `kubectl get` shows."""
        path = self.path(kind.name, name)
        table: Manifest = self._api.ask("GET", path, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        return table


@pytest.fixture(scope="module")
def resources(crds: dict[str, Manifest], api: ApiServer, namespace: str) -> Resources:
    return Resources(api, namespace)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_crd_is_established_without_complaints(crds: dict[str, Manifest], kind: Kind) -> None:
    assert _conditions(crds[kind.name]) == {"NamesAccepted": "True", "Established": "True"}


def test_the_first_manifests_are_taken_as_they_stand(resources: Resources) -> None:
    analytics = resources.create(application("first"))
    run = resources.create(job_run("first"))
    assert analytics["spec"]["autoStopConfiguration"] == {"enabled": True, "idleTimeoutMinutes": 15}
    assert analytics["spec"]["autoStartConfiguration"] == {"enabled": True}
    assert analytics["spec"]["architecture"] == "X86_64"
    assert "schedulerConfiguration" not in analytics["spec"]
    assert (run["spec"]["executionTimeoutMinutes"], run["spec"]["mode"]) == (720, "BATCH")
    assert run["spec"]["configurationOverrides"] == job_run()["spec"]["configurationOverrides"]


def test_defaults_within_what_is_present(resources: Resources) -> None:
    managed: Manifest = {"managedPersistenceMonitoringConfiguration": {}}
    created = resources.create(application(schedulerConfiguration={}, monitoringConfiguration=managed), dry_run=True)
    assert created["spec"]["schedulerConfiguration"] == {"queueTimeoutMinutes": 360, "maxConcurrentRuns": 15}
    kept = created["spec"]["monitoringConfiguration"]["managedPersistenceMonitoringConfiguration"]
    assert kept == {"enabled": True}


@pytest.mark.parametrize(("changes", "message"), UNSUPPORTED_APPLICATION)
def test_applications_with_fields_without_an_effect(resources: Resources, changes: Manifest, message: str) -> None:
    assert as_the_server_says(message) in resources.refusal(application(**changes))


@pytest.mark.parametrize(("changes", "message"), UNSUPPORTED_JOB_RUN)
def test_job_runs_with_fields_without_an_effect(resources: Resources, changes: Manifest, message: str) -> None:
    assert as_the_server_says(message) in resources.refusal(job_run(**changes))


def as_the_server_says(message: str) -> str:
    path, reason = message.split(" ", 1)
    return f"{path}: Forbidden: {path.rsplit('.', 1)[-1]} {reason}"


BOTH_DRIVERS = {"sparkSubmit": {"entryPoint": "s3://b/x.py"}, "hive": {"query": "select 1"}}
LOGS_IN_A_FILE = {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "file:///etc"}}}
PROPERTIES = {f"spark.x{number}": "1" for number in range(101)}


@pytest.mark.parametrize(
    ("manifest", "messages"),
    [
        (job_run(jobDriver={}), ["spec.jobDriver", "exactly one of sparkSubmit and hive must be set"]),
        (job_run(jobDriver=BOTH_DRIVERS), ["exactly one of sparkSubmit and hive must be set"]),
        (job_run(jobDriver={"sparkSubmit": {}}), ["spec.jobDriver.sparkSubmit.entryPoint: Required value"]),
        (job_run(applicationRef={"name": "Not_A_Name"}), ["spec.applicationRef.name", "should match"]),
        (job_run(configurationOverrides=LOGS_IN_A_FILE), ["logUri", "should match", "s3://"]),
        (job_run(executionTimeoutMinutes=-1), ["spec.executionTimeoutMinutes", "greater than or equal to 0"]),
        (job_run(tags={"k" * 129: "v"}), ["spec.tags", "keys have at most 128 characters"]),
        (job_run(tags={"k": "v" * 257}), ["spec.tags.k: Too long"]),
        (job_run(mode="ONCE"), ["spec.mode: Unsupported value"]),
        (job_run(name=" "), ["spec.name", "should match"]),
        (job_run(noSuchField=1), ["unknown field", "spec.noSuchField"]),
        (application(maximumCapacity={"cpu": "6 vCPU"}), ["spec.maximumCapacity.memory: Required value"]),
        (application(maximumCapacity={"cpu": "six", "memory": "1 GB"}), ["spec.maximumCapacity.cpu", "should match"]),
        (application(autoStopConfiguration={"idleTimeoutMinutes": 0}), ["greater than or equal to 1"]),
        (application(schedulerConfiguration={"queueTimeoutMinutes": 5}), ["greater than or equal to 15"]),
        (application(releaseLabel=""), ["spec.releaseLabel", "at least 1 chars long"]),
        (application(initialCapacity={"TEZ_TASK": {"workerCount": 1}}), ["keys match ^(DRIVER|EXECUTOR)"]),
        (application(initialCapacity={"EXECUTOR_": {"workerCount": 1}}), ["keys match ^(DRIVER|EXECUTOR)"]),
        (application(tags={"k,": "v"}), ["spec.tags", "keys match ^[A-Za-z0-9 /_.:=+@-]+$"]),
        (
            application(runtimeConfiguration=[{"classification": "spark-defaults", "properties": PROPERTIES}]),
            ["spec.runtimeConfiguration[0].properties: Too many", "must have at most 100 items"],
        ),
    ],
)
def test_bad_manifests_are_refused(resources: Resources, manifest: Manifest, messages: list[str]) -> None:
    refusal = resources.refusal(manifest)
    assert [message for message in messages if message not in refusal] == [], refusal


def test_the_largest_run_of_the_contract_is_taken(resources: Resources) -> None:
    """100 KB of parameters and 1024 arguments: within the API server's limits for rules and objects."""
    submit = {
        "entryPoint": "s3://b/x.py",
        "entryPointArguments": ["x" * 256] * 1024,
        "sparkSubmitParameters": "--conf spark.a=" + "x" * (102400 - 15),
    }
    resources.create(job_run("largest", jobDriver={"sparkSubmit": submit}))
    with pytest.raises(Refused, match="cannot be changed"):
        resources.change(JOB_RUN, "largest", {"executionTimeoutMinutes": 1})


def test_the_spec_of_a_run_cannot_be_changed(resources: Resources) -> None:
    resources.create(job_run("fixed"))
    for change in ({"applicationRef": {"name": "other"}}, {"executionTimeoutMinutes": 1}, {"tags": {"a": "b"}}):
        with pytest.raises(Refused, match="the spec of a JobRun cannot be changed: make another run"):
            resources.change(JOB_RUN, "fixed", change)
    resources.change(JOB_RUN, "fixed", {"executionTimeoutMinutes": 720})


def test_an_application_can_be_changed_but_for_type_and_name(resources: Resources) -> None:
    resources.create(application("changing", name="one"))
    resources.change(APPLICATION, "changing", {"releaseLabel": "spark-4.2.0", "maximumCapacity": None})
    pool = {"workerCount": 1}
    resources.change(
        APPLICATION, "changing", {"initialCapacity": {"DRIVER": pool, "EXECUTOR": pool, "EXECUTOR_4vcpu": pool}}
    )
    with pytest.raises(Refused, match="name cannot be changed"):
        resources.change(APPLICATION, "changing", {"name": "two"})


def full_application_status() -> EMRApplicationStatus:
    return EMRApplicationStatus(
        state=ApplicationState.STARTED,
        state_details="x" * 256,
        application_id="00abcdefghijklmn",
        observed_generation=1,
        conditions=set_condition([], "Ready", "True", "Started", "all is well", NOW, 1),
        spark_version="4.1.2",
        image="spark:4.1.2",
        capacity=CapacityUsage(
            used=Capacity(cpu=2, memory_mib=6144, disk_gib=40), maximum=CapacityLimit(cpu=6, memory_mib=24576)
        ),
        ready_workers=2,
        initial_capacity={"EXECUTOR_large": InitialCapacityStatus(wanted=3, warming=1, idle=2)},
        runs=RunCounts(active=1, queued=2),
        started_at=NOW,
        idle_since=NOW,
        updated_at=NOW,
    )


def full_job_run_status() -> JobRunStatus:
    times = dict.fromkeys(("created", "updated", "attempt_created", "queued", "scheduled", "started", "ended"), NOW)
    return JobRunStatus.model_validate(
        {
            "state": JobRunState.FAILED,
            "state_details": "the driver ended with exit code 1",
            "job_run_id": "00abcdefghijklmn",
            "application_id": "00bcdefghijklmno",
            "attempt": 1,
            "observed_generation": 1,
            "conditions": set_condition([], "Complete", "True", "Failed", "", NOW, 1),
            **{f"{name}_at": value for name, value in times.items()},
            "queued_duration_milliseconds": 12,
            "total_execution_duration_seconds": 192,
            "duration": "3m12s",
            "exit_code": 1,
            "driver_pod": "wordcount-1-abcdef-1-driver",
            "executors": ExecutorCounts(running=0, wanted=0, total=2),
            "startup": Startup(driver="COLD", reason="none was ready", cold_executors=2, first_task_milliseconds=9000),
            "log_uri": "s3://demo/logs/applications/a/jobs/b/",
            "event_log_uri": "s3://demo/logs/applications/a/jobs/b/sparklogs/",
        }
    )


@pytest.mark.parametrize(
    ("kind", "manifest", "status"),
    [
        (APPLICATION, application("status"), full_application_status()),
        (JOB_RUN, job_run("status"), full_job_run_status()),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else "",
)
def test_a_status_is_kept_whole(resources: Resources, kind: Kind, manifest: Manifest, status: StatusModel) -> None:
    assert all(getattr(status, name) not in (None, "", []) for name in type(status).model_fields)
    resources.create(manifest)
    kept = resources.write_status(kind, "status", status)
    assert kept["status"] == status.to_manifest()
    assert type(status).model_validate(kept["status"]) == status


def test_kubectl_shows_the_run(resources: Resources) -> None:
    resources.create(job_run("shown"))
    resources.write_status(JOB_RUN, "shown", full_job_run_status())
    table = resources.table(JOB_RUN, "shown")
    columns = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    assert columns == ["Name", "State", "Attempt", "Duration", "Age"]
    cells = table["rows"][0]["cells"]
    assert cells[:4] == ["shown", "FAILED", 1, "3m12s"]
    assert cells[5:] == ["analytics", "the driver ended with exit code 1"]
