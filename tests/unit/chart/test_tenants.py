"""Tenant namespaces, and what the network lets their workers reach."""

from tests.unit.chart.helm import NAMESPACE, Manifest, named, of_kind, render, template

TEAMS = ("tenants[0].namespace=team-a", "tenants[0].create=true", "tenants[1].namespace=team-b")


def policy(*settings: str, namespace: str = "team-a") -> Manifest:
    spec: Manifest = named(render(*settings), "NetworkPolicy", "ember-workers", namespace)["spec"]
    return spec


def store_rule(*settings: str) -> Manifest:
    rule: Manifest = policy(*TEAMS, *settings)["egress"][3]
    return rule


def test_by_default_the_release_namespace_is_the_only_tenant() -> None:
    assert not of_kind(render(), "Namespace")
    assert {found["metadata"].get("namespace", NAMESPACE) for found in render()} == {NAMESPACE}
    named(render(), "ServiceAccount", "ember-worker")


def test_a_namespace_that_is_made_is_restricted_and_outlives_the_release() -> None:
    (made,) = of_kind(render(*TEAMS), "Namespace")
    assert made["metadata"]["name"] == "team-a"
    for mode in ("enforce", "audit", "warn"):
        assert made["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"
    assert made["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_each_tenant_gets_account_rights_and_network_policy() -> None:
    for team in ("team-a", "team-b"):
        kinds = {found["kind"] for found in render(*TEAMS) if found["metadata"].get("namespace") == team}
        assert kinds == {"ServiceAccount", "Role", "RoleBinding", "NetworkPolicy"}


def test_the_release_namespace_cannot_be_made() -> None:
    answer = template(f"tenants[0].namespace={NAMESPACE}", "tenants[0].create=true")
    assert answer.returncode
    assert "leave out `create`" in answer.stderr


def test_workers_hear_only_workers_of_their_namespace() -> None:
    (rule,) = policy(*TEAMS)["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "ember"}}}]
    assert rule["ports"] == [{"protocol": "TCP", "port": 7078, "endPort": 7079}]


def test_workers_reach_the_broker_in_the_release_namespace() -> None:
    rule = policy(*TEAMS)["egress"][2]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8443}]
    (peer,) = rule["to"]
    assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"


def test_the_port_of_the_store_follows_its_endpoint() -> None:
    assert store_rule()["ports"] == [{"protocol": "TCP", "port": 443}]
    assert store_rule("store.endpoint=http://minio.demo.svc:9000")["ports"] == [{"protocol": "TCP", "port": 9000}]
    assert store_rule("store.endpoint=http://[fd00::1]:9000/")["ports"] == [{"protocol": "TCP", "port": 9000}]
    assert store_rule("store.endpoint=http://minio.demo.svc")["ports"] == [{"protocol": "TCP", "port": 80}]
    assert store_rule("networkPolicy.objectStore.ports:=[7000]")["ports"] == [{"protocol": "TCP", "port": 7000}]


def test_the_clouds_credentials_of_the_node_are_out_of_reach() -> None:
    blocks = [peer["ipBlock"] for peer in store_rule()["to"] if "ipBlock" in peer]
    assert "169.254.0.0/16" in blocks[0]["except"]


def test_more_egress_can_be_given() -> None:
    more = '[{"ports":[{"port":5432}]}]'
    assert policy(*TEAMS, f"networkPolicy.extraEgress:={more}")["egress"][-1] == {"ports": [{"port": 5432}]}


def test_the_broker_hears_workers_of_the_tenants_log_agents_and_the_test() -> None:
    broker, metrics = named(render(*TEAMS), "NetworkPolicy", "ember-operator")["spec"]["ingress"]
    namespaces = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in broker["from"]
        if "namespaceSelector" in peer
    ]
    assert namespaces == ["team-a", "team-b"]
    components = [
        peer["podSelector"]["matchLabels"].get("app.kubernetes.io/component")
        for peer in broker["from"]
        if "namespaceSelector" not in peer
    ]
    assert components == ["logagent", "test"]
    assert metrics["ports"] == [{"protocol": "TCP", "port": "metrics"}]
    assert metrics["from"] == [{"namespaceSelector": {}}]


def test_policies_can_be_left_out() -> None:
    assert not of_kind(render(*TEAMS, "networkPolicy.enabled=false"), "NetworkPolicy")
