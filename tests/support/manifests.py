"""Manifests of the two resources, and what of the contract has no effect yet."""

import copy
from typing import Any

import yaml

Manifest = dict[str, Any]

# The first two manifests a user writes: they must be taken as they stand.
MANIFESTS = """
apiVersion: ember-spark.io/v1alpha1
kind: EMRApplication
metadata: {name: analytics, namespace: team-a}
spec:
  type: SPARK
  releaseLabel: spark-4.1.2
  maximumCapacity: {cpu: "6 vCPU", memory: "24 GB", disk: "200 GB"}
---
apiVersion: ember-spark.io/v1alpha1
kind: JobRun
metadata: {name: wordcount-1, namespace: team-a}
spec:
  applicationRef: {name: analytics}
  jobDriver:
    sparkSubmit:
      entryPoint: s3://demo/scripts/wordcount.py
      entryPointArguments: ["s3://demo/input/", "s3://demo/output/wordcount-1/"]
      sparkSubmitParameters: >-
        --conf spark.executor.cores=1 --conf spark.executor.memory=2g
        --conf spark.driver.cores=1 --conf spark.driver.memory=2g
  configurationOverrides:
    monitoringConfiguration:
      s3MonitoringConfiguration: {logUri: "s3://demo/logs/"}
"""
_APPLICATION, _JOB_RUN = yaml.safe_load_all(MANIFESTS)


def application(name: str = "analytics", namespace: str = "team-a", /, **spec: Any) -> Manifest:
    """An EMRApplication with these fields of the spec changed."""
    return _manifest(_APPLICATION, name, namespace, spec)


def job_run(name: str = "wordcount-1", namespace: str = "team-a", /, **spec: Any) -> Manifest:
    """A JobRun with these fields of the spec changed."""
    return _manifest(_JOB_RUN, name, namespace, spec)


def _manifest(first: Manifest, name: str, namespace: str, spec: dict[str, Any]) -> Manifest:
    changed = copy.deepcopy(first)
    changed["metadata"] = {"name": name, "namespace": namespace}
    changed["spec"] |= spec
    return changed


# Changes of the spec, and how the operator refuses them. The API server says the same.
UNSUPPORTED_APPLICATION: list[tuple[dict[str, Any], str]] = [
    ({"type": "HIVE"}, "spec.type other than SPARK is not supported yet"),
    ({"architecture": "ARM64"}, "spec.architecture other than X86_64 is not supported yet"),
    (
        {"autoStartConfiguration": {"enabled": False}},
        "spec.autoStartConfiguration.enabled other than true is not supported yet",
    ),
    ({"networkConfiguration": {}}, "spec.networkConfiguration is not supported yet"),
    ({"imageConfiguration": {"imageUri": "x"}}, "spec.imageConfiguration is not supported yet"),
    ({"workerTypeSpecifications": {"DRIVER": {}}}, "spec.workerTypeSpecifications is not supported yet"),
    ({"diskEncryptionConfiguration": {}}, "spec.diskEncryptionConfiguration is not supported yet"),
    ({"interactiveConfiguration": {}}, "spec.interactiveConfiguration is not supported yet"),
    ({"identityCenterConfiguration": {}}, "spec.identityCenterConfiguration is not supported yet"),
    ({"jobLevelCostAllocationConfiguration": {}}, "spec.jobLevelCostAllocationConfiguration is not supported yet"),
    (
        {"runtimeConfiguration": [{"classification": "spark-defaults"}, {"classification": "spark-env"}]},
        "spec.runtimeConfiguration[1].classification other than spark-defaults is not supported yet",
    ),
    (
        {"runtimeConfiguration": [{"classification": "spark-defaults", "configurations": []}]},
        "spec.runtimeConfiguration[0].configurations is not supported yet",
    ),
    (
        {"monitoringConfiguration": {"cloudWatchLoggingConfiguration": {"enabled": True}}},
        "spec.monitoringConfiguration.cloudWatchLoggingConfiguration is not supported yet",
    ),
]
UNSUPPORTED_JOB_RUN: list[tuple[dict[str, Any], str]] = [
    ({"executionRoleArn": "arn:aws:iam::123456789012:role/job"}, "spec.executionRoleArn is not supported yet"),
    ({"executionIamPolicy": {}}, "spec.executionIamPolicy is not supported yet"),
    ({"jobDriver": {"hive": {"query": "select 1"}}}, "spec.jobDriver.hive is not supported yet"),
    ({"mode": "STREAMING"}, "spec.mode other than BATCH is not supported yet"),
    ({"retryPolicy": {"maxAttempts": 2}}, "spec.retryPolicy.maxAttempts other than 1 is not supported yet"),
    ({"flexExecution": {"enabled": True}}, "spec.flexExecution is not supported yet"),
]
