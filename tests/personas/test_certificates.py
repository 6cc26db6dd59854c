"""Certificates: one a host, the same on every visit, and such that a TLS client takes them."""

import ssl
import subprocess
import sys
from pathlib import Path

from cryptography import x509

from chaffinch.personas.archetypes import archetypes
from chaffinch.personas.build import Personas
from chaffinch.personas.certificates import certificate

HOSTS = [Personas(b"seed", archetypes()).of(f"127.77.4.{number}") for number in range(1, 20)]


def test_the_same_on_every_visit_and_another_on_every_host() -> None:
    made = [certificate(host) for host in HOSTS]
    assert made == [certificate(host) for host in HOSTS]
    assert len({one.key for one in made}) == len({one.certificate for one in made}) == len(HOSTS)


def test_it_is_for_the_host_and_has_begun() -> None:
    for host in HOSTS:
        read = x509.load_pem_x509_certificate(certificate(host).certificate)
        assert read.subject.rfc4514_string() == f"CN={host.fqdn}"
        read.verify_directly_issued_by(read)
        assert read.serial_number.bit_length() <= 159
        assert read.not_valid_before_utc.timestamp() < 1_760_000_000
        assert read.not_valid_after_utc.timestamp() > 2_000_000_000


def test_a_server_can_use_it(tmp_path: Path) -> None:
    made = certificate(HOSTS[0])
    (tmp_path / "both.pem").write_bytes(made.certificate + made.key)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "both.pem")


def test_importing_it_does_not_import_the_library() -> None:
    script = "import sys, chaffinch.personas.certificates\nassert 'cryptography' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
