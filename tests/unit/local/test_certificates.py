import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.native import certificates, kubeconfigs
from local.native.layout import Layout


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("state") / "pki"
    certificates.issue(directory)
    return directory


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_api_server_answers_to_every_name_and_address_it_is_called_by(pki: Path) -> None:
    alternatives = load(pki / "apiserver.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = alternatives.get_values_for_type(x509.DNSName)
    addresses = [str(address) for address in alternatives.get_values_for_type(x509.IPAddress)]
    assert {"localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"} <= set(names)
    assert {"127.0.0.1", "10.96.0.1", "172.31.240.1"} <= set(addresses)


@pytest.mark.parametrize("name", ["apiserver", "kubelet", "apiserver-kubelet-client"])
def test_the_clusters_authority_signed_it(pki: Path, name: str) -> None:
    load(pki / f"{name}.crt").verify_directly_issued_by(load(pki / "ca.crt"))


def test_the_two_authorities_do_not_vouch_for_each_other(pki: Path) -> None:
    # A front proxy may name any user: what the cluster's authority signs must not pass for one.
    load(pki / "front-proxy-client.crt").verify_directly_issued_by(load(pki / "front-proxy-ca.crt"))
    with pytest.raises(ValueError, match="Issuer"):
        load(pki / "front-proxy-client.crt").verify_directly_issued_by(load(pki / "ca.crt"))


def test_client_and_server_certificates_serve_one_purpose(pki: Path) -> None:
    def purposes(name: str) -> list[x509.ObjectIdentifier]:
        return list(load(pki / f"{name}.crt").extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)

    assert purposes("apiserver") == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert purposes("apiserver-kubelet-client") == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_clients_groups_are_its_organizations() -> None:
    subject = certificates.Authority("test").client("somebody", ["one", "two"]).certificate.subject
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == ["one", "two"]
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["somebody"]


def test_tls_libraries_accept_the_pairs_and_nobody_else_can_read_the_keys(pki: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    for key in pki.glob("*.key"):
        assert key.stat().st_mode & 0o077 == 0


def test_kubeconfigs_are_private_too(tmp_path: Path) -> None:
    files = Layout(tmp_path / "state", tmp_path / "cache")
    kubeconfigs.issue(files, certificates.issue(files.pki))
    for path in (files.kubeconfig, *files.kubeconfigs.iterdir()):
        assert path.stat().st_mode & 0o077 == 0
