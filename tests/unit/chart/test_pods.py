"""What the chart's own pods are allowed, and where they find what they need."""

import pytest

from tests.unit.chart.helm import Manifest, named, of_kind, render

OPERATOR = ("Deployment", "ember-operator")
LOG_AGENT = ("DaemonSet", "ember-logagent")
TEST = ("Pod", "ember-test")


def pod(which: tuple[str, str], *settings: str) -> Manifest:
    found = named(render(*settings), *which)
    spec: Manifest = found["spec"] if found["kind"] == "Pod" else found["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("which", [OPERATOR, LOG_AGENT, TEST])
def test_containers_have_no_capabilities_and_a_read_only_root(which: tuple[str, str]) -> None:
    spec = pod(which)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_only_the_log_agent_is_root_and_sees_the_node() -> None:
    assert pod(OPERATOR)["securityContext"]["runAsNonRoot"]
    assert pod(TEST)["securityContext"]["runAsNonRoot"]
    assert not [volume for which in (OPERATOR, TEST) for volume in pod(which)["volumes"] if "hostPath" in volume]
    (mount,) = [mount for mount in pod(LOG_AGENT)["containers"][0]["volumeMounts"] if mount["name"] == "pod-logs"]
    assert mount == {"name": "pod-logs", "mountPath": "/var/log/pods", "readOnly": True}


def test_the_log_agent_proves_itself_to_the_broker_only() -> None:
    spec = pod(LOG_AGENT)
    assert spec["automountServiceAccountToken"] is False
    (token,) = [volume["projected"] for volume in spec["volumes"] if "projected" in volume]
    assert token["sources"] == [
        {"serviceAccountToken": {"audience": "ember-broker", "path": "token", "expirationSeconds": 3600}}
    ]


def test_the_log_agent_runs_on_tainted_nodes_too() -> None:
    assert pod(LOG_AGENT)["tolerations"] == [{"operator": "Exists"}]


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        (("image.repository=r/op", "image.tag=v2"), "r/op:v2"),
        (("image.repository=r/op", "image.tag=v2", "image.digest=sha256:abc"), "r/op:v2@sha256:abc"),
        (("image.repository=r/op",), "r/op:0.1.0"),
    ],
)
def test_one_image_serves_operator_and_log_agent(settings: tuple[str, ...], image: str) -> None:
    assert {pod(which, *settings)["containers"][0]["image"] for which in (OPERATOR, LOG_AGENT, TEST)} == {image}


def test_a_changed_setting_rolls_operator_and_log_agents() -> None:
    def checksums(*settings: str) -> set[str]:
        objects = of_kind(render(*settings), "Deployment", "DaemonSet")
        return {found["spec"]["template"]["metadata"]["annotations"]["checksum/settings"] for found in objects}

    assert len(checksums()) == 1
    assert checksums().isdisjoint(checksums("logLevel=DEBUG"))
    assert checksums() == checksums("operator.replicas=2")


def test_replicas_are_spread_and_disrupted_one_at_a_time() -> None:
    assert not of_kind(render(), "PodDisruptionBudget")
    (budget,) = of_kind(render("operator.replicas=2"), "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    (spread,) = pod(OPERATOR, "operator.replicas=2")["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"


def test_only_the_leader_gets_the_brokers_traffic() -> None:
    service = named(render(), "Service", "ember-broker")
    assert service["spec"]["selector"]["ember-spark.io/leader"] == "true"
    assert service["spec"]["ports"] == [{"name": "https", "port": 443, "targetPort": "broker"}]
