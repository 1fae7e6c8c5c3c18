"""The cluster's certificates: two authorities and what they sign."""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.native.layout import API_SERVICE, DOMAIN, HOST_ADDRESS, NAME, NODE_ADDRESS

KUBELET_CLIENT = "kube-apiserver-kubelet-client"

# The cluster lives for days; its certificates are no reason to end it.
VALID = datetime.timedelta(days=3650)
API_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{DOMAIN}",
    NAME,
)
API_ADDRESSES = ("127.0.0.1", API_SERVICE, NODE_ADDRESS, HOST_ADDRESS)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def certificate_pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        """Return the key as PEM."""
        return _private_pem(self.key)

    def write(self, directory: Path, name: str) -> None:
        """Write <name>.crt and <name>.key."""
        _write(directory / f"{name}.crt", self.certificate_pem())
        _write(directory / f"{name}.key", self.key_pem())


class Authority:
    """A certificate authority."""

    def __init__(self, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        signing = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            _builder(subject, subject, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(signing, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        self.pair = Pair(builder.sign(key, hashes.SHA256()), key)

    def client(self, name: str, groups: Sequence[str] = ()) -> Pair:
        """Sign a certificate for a client: a user, and the groups it is in."""
        return self._sign(_name(name, groups), ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def server(self, name: str, names: Sequence[str], addresses: Sequence[str]) -> Pair:
        """Sign a certificate for a server with these names and addresses."""
        alternatives = x509.SubjectAlternativeName(
            [*map(x509.DNSName, names), *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses)]
        )
        return self._sign(_name(name), ExtendedKeyUsageOID.SERVER_AUTH, alternatives)

    def _sign(
        self, subject: x509.Name, usage: x509.ObjectIdentifier, alternatives: x509.SubjectAlternativeName | None
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.pair.key.public_key())
        builder = (
            _builder(subject, self.pair.certificate.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(authority, critical=False)
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        return Pair(builder.sign(self.pair.key, hashes.SHA256()), key)


def issue(directory: Path) -> Authority:
    """Write everything the control plane serves and signs with; return the cluster's authority."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    cluster, front_proxy = Authority("kubernetes-ca"), Authority("front-proxy-ca")
    cluster.pair.write(directory, "ca")
    front_proxy.pair.write(directory, "front-proxy-ca")
    cluster.server("kube-apiserver", API_NAMES, API_ADDRESSES).write(directory, "apiserver")
    cluster.client(KUBELET_CLIENT).write(directory, "apiserver-kubelet-client")
    cluster.server(NAME, [NAME], [NODE_ADDRESS]).write(directory, "kubelet")
    front_proxy.client("front-proxy-client").write(directory, "front-proxy-client")
    _service_accounts(directory)
    return cluster


def _service_accounts(directory: Path) -> None:
    """Write the key that service account tokens are signed with."""
    # RSA, unlike the others: it is what every consumer of a cluster's OIDC tokens can verify.
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write(directory / "sa.key", _private_pem(key))
    _write(directory / "sa.pub", public)


def _name(name: str, groups: Sequence[str] = ()) -> x509.Name:
    # Kubernetes reads the user from the common name and the groups from the organizations.
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    # Clocks differ: a certificate that starts this second is refused by one that is behind.
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + VALID)
    )


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
