"""The models against botocore's machine-readable contract: every field, limit and pattern of EMR Serverless."""

import re
from typing import Any

import botocore.session
import pytest
from pydantic import BaseModel

from ember.model import application, configuration, jobrun, monitoring
from ember.model.schema import KEYS_KEY, Schema, expand
from ember.model.states import ApplicationState, JobRunState

SERVICE = botocore.session.get_session().get_service_model("emr-serverless")

# botocore's structure -> our model.
STRUCTURES: dict[str, type[BaseModel]] = {
    "CreateApplicationRequest": application.EMRApplicationSpec,
    "InitialCapacityConfig": application.InitialCapacityConfig,
    "WorkerResourceConfig": application.WorkerConfiguration,
    "MaximumAllowedResources": application.MaximumCapacity,
    "AutoStartConfig": application.AutoStartConfiguration,
    "AutoStopConfig": application.AutoStopConfiguration,
    "NetworkConfiguration": application.NetworkConfiguration,
    "ImageConfigurationInput": application.ImageConfiguration,
    "WorkerTypeSpecificationInput": application.WorkerTypeSpecification,
    "InteractiveConfiguration": application.InteractiveConfiguration,
    "SchedulerConfiguration": application.SchedulerConfiguration,
    "IdentityCenterConfigurationInput": application.IdentityCenterConfiguration,
    "DiskEncryptionConfiguration": application.DiskEncryptionConfiguration,
    "JobLevelCostAllocationConfiguration": application.JobLevelCostAllocationConfiguration,
    "Configuration": configuration.Configuration,
    "MonitoringConfiguration": monitoring.MonitoringConfiguration,
    "S3MonitoringConfiguration": monitoring.S3MonitoringConfiguration,
    "ManagedPersistenceMonitoringConfiguration": monitoring.ManagedPersistenceMonitoringConfiguration,
    "CloudWatchLoggingConfiguration": monitoring.CloudWatchLoggingConfiguration,
    "PrometheusMonitoringConfiguration": monitoring.PrometheusMonitoringConfiguration,
    "StartJobRunRequest": jobrun.JobRunSpec,
    "JobRunExecutionIamPolicy": jobrun.ExecutionIamPolicy,
    "JobDriver": jobrun.JobDriver,
    "SparkSubmit": jobrun.SparkSubmit,
    "Hive": jobrun.Hive,
    "ConfigurationOverrides": jobrun.ConfigurationOverrides,
    "RetryPolicy": jobrun.RetryPolicy,
}
# In Kubernetes: the object's name is the idempotency token, and a reference stands for the id.
NOT_OURS = {("CreateApplicationRequest", "clientToken"), ("StartJobRunRequest", "clientToken")}
RENAMED = {("StartJobRunRequest", "applicationId"): "applicationRef"}
# Newer than this botocore, from the user guide.
NEWER = {("StartJobRunRequest", "flexExecution")}
# Stricter or looser on purpose: see the comments in ember.model.
REQUIRED_DIFFERS = {
    ("StartJobRunRequest", "executionRoleArn"),  # Kubernetes has its own identities
    ("StartJobRunRequest", "jobDriver"),  # optional in the shape, but there is no run without it
}
PATTERN_DIFFERS = {
    "UriString",  # only s3://
    "ImageUri",  # any registry, not only ECR
    "PrometheusUrlString",  # any server
    "WorkerTypeString",  # of Spark applications: drivers and executors
    "PolicyDocument",
    "Arn",  # their patterns hold control characters; they refuse nothing of use
    "ConfigurationPropertyValue",  # EMR's shape allows an empty value by its length and refuses it by its pattern
}
LIMITS_DIFFER = {
    "DiskType",
    "WorkerTypeSpecificationInputMap",  # no limit there; Kubernetes needs one
    "AttemptNumber",
    "RetryPolicyMaxFailedAttemptsPerHourInteger",  # 1-10 by the user guide
    "Integer",
    "UriString",
}


def members() -> list[tuple[str, str]]:
    return [
        (structure, member)
        for structure in STRUCTURES
        for member in SERVICE.shape_for(structure).members
        if (structure, member) not in NOT_OURS
    ]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_model_has_the_contracts_fields_and_no_others(structure: str) -> None:
    theirs = {RENAMED.get((structure, name), name) for name in SERVICE.shape_for(structure).members}
    theirs -= {name for where, name in NOT_OURS if where == structure}
    theirs |= {name for where, name in NEWER if where == structure}
    assert {field.alias for field in STRUCTURES[structure].model_fields.values()} == theirs


@pytest.mark.parametrize(("structure", "member"), members())
def test_required_fields_are_the_contracts(structure: str, member: str) -> None:
    if (structure, member) in REQUIRED_DIFFERS:
        return
    theirs = member in SERVICE.shape_for(structure).required_members
    ours = expand(STRUCTURES[structure]).get("required", [])
    assert (RENAMED.get((structure, member), member) in ours) == theirs


@pytest.mark.parametrize(("structure", "member"), members())
def test_limits_are_the_contracts(structure: str, member: str) -> None:
    if (structure, member) in RENAMED:
        return
    shape = SERVICE.shape_for(structure).members[member]
    _compare(shape, expand(STRUCTURES[structure])["properties"][member])


def _compare(shape: Any, ours: Schema) -> None:
    """Compare one value; maps and lists with their items."""
    names = {"string": ("minLength", "maxLength"), "list": ("minItems", "maxItems"), "map": ("", "maxProperties")}
    low, high = names.get(shape.type_name, ("minimum", "maximum"))
    metadata = shape.metadata
    if "enum" in ours and "enum" not in metadata:
        return  # names where they take any text
    if shape.name not in LIMITS_DIFFER and shape.type_name != "structure":
        assert ours.get(high) == metadata.get("max"), shape.name
        assert ours.get(low, 0) == (metadata.get("min") or 0) or low == "", shape.name
    if "enum" in metadata:
        assert set(ours["enum"]) == set(metadata["enum"])
    if "pattern" in metadata and shape.name not in PATTERN_DIFFERS:
        assert _whole(ours["pattern"]) == _whole(metadata["pattern"]), shape.name
    if shape.type_name == "list":
        _compare(shape.member, ours["items"])
    if shape.type_name == "map":
        _compare(shape.value, ours["additionalProperties"])
        _compare(shape.key, ours[KEYS_KEY])


def _whole(pattern: str) -> str:
    r"""Bring a pattern to one form: not anchored, `.*\S.*` as `\S`, characters as themselves."""
    plain = pattern.removeprefix("^").removesuffix("$")
    plain = re.sub(r"\\(?:u00|x)([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), plain)
    return {r".*\S.*": r"\S"}.get(plain, plain).replace(r"\/", "/")


def test_states_are_the_contracts() -> None:
    assert set(ApplicationState) == set(SERVICE.shape_for("ApplicationState").enum)
    assert set(JobRunState) == set(SERVICE.shape_for("JobRunState").enum)
