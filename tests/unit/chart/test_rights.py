"""Who may do what. The snapshot makes each change of a right a line in a diff."""

import os
from pathlib import Path

import yaml

from tests.unit.chart.helm import Manifest, of_kind, render

SNAPSHOT = Path(__file__).parent / "rights.yaml"
TENANT = "tenants[0].namespace=team-a"


def test_rights_are_those_of_the_snapshot() -> None:
    rendered = yaml.safe_dump_all(map(_essence, _rbac(TENANT)), sort_keys=False, default_flow_style=None, width=110)
    if os.environ.get("EMBER_WRITE_SNAPSHOTS"):
        SNAPSHOT.write_text(rendered)
    assert rendered == SNAPSHOT.read_text()


def test_a_second_tenant_gives_rights_in_its_namespace_only() -> None:
    one = {_identity(found) for found in _rbac(TENANT)}
    two = {_identity(found) for found in _rbac(TENANT, "tenants[1].namespace=team-b")}
    assert {namespace for _, namespace, _ in two - one} == {"team-b"}


def test_the_operator_has_one_right_in_the_whole_cluster() -> None:
    bindings = of_kind(render(TENANT), "ClusterRoleBinding")
    roles = {found["metadata"]["name"]: found["rules"] for found in of_kind(render(TENANT), "ClusterRole")}
    assert [roles[binding["roleRef"]["name"]] for binding in bindings] == [
        [{"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}]
    ]


def test_no_right_is_a_wildcard_or_lists_secrets_or_escalates() -> None:
    for role in of_kind(render(TENANT), "Role", "ClusterRole"):
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], role["metadata"]["name"]
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), role["metadata"]["name"]
            if "secrets" in rule["resources"]:
                assert not {"list", "watch"} & set(rule["verbs"])
                assert rule["verbs"] == ["create"] or rule["resourceNames"]


def test_workers_and_log_agents_have_accounts_without_rights_and_without_tokens() -> None:
    subjects = [
        subject["name"]
        for binding in of_kind(render(TENANT), "RoleBinding", "ClusterRoleBinding")
        for subject in binding["subjects"]
    ]
    assert set(subjects) == {"ember-operator"}
    accounts = {found["metadata"]["name"]: found for found in of_kind(render(TENANT), "ServiceAccount")}
    assert accounts["ember-worker"]["automountServiceAccountToken"] is False
    assert accounts["ember-logagent"]["automountServiceAccountToken"] is False


def test_without_a_secret_for_the_store_no_secret_of_a_tenant_is_readable() -> None:
    tenant_roles = [role for role in of_kind(render(TENANT, "store.secretName="), "Role") if _tenants(role)]
    assert tenant_roles
    assert not [rule for role in tenant_roles for rule in role["rules"] if "secrets" in rule["resources"]]


def _rbac(*settings: str) -> list[Manifest]:
    return of_kind(render(*settings), "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount")


def _essence(found: Manifest) -> Manifest:
    """Return the object without the labels that only say which version of the chart made it."""
    labels = {key: value for key, value in found["metadata"].get("labels", {}).items() if "aggregate" in key}
    metadata = found["metadata"] | {"labels": labels}
    return found | {"metadata": {key: value for key, value in metadata.items() if value}}


def _identity(found: Manifest) -> tuple[str, str, str]:
    return found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]


def _tenants(role: Manifest) -> bool:
    return bool(role["metadata"]["namespace"] == "team-a")
