"""A host's own TLS certificate: self-signed as an installation makes it, the same for ever, another on each host.

`cryptography` is imported when a certificate is made: a process without TLS services never pays for it.
"""

import datetime

import msgspec

from chaffinch.personas.files import installed
from chaffinch.personas.persona import Persona

VALID_DAYS = 3650
"""What Debian's make-ssl-cert gives the certificate of a fresh installation."""

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Certificate(msgspec.Struct, frozen=True, gc=False):
    """A certificate and its private key, both in PEM."""

    certificate: bytes
    key: bytes


def certificate(persona: Persona) -> Certificate:
    """The host's certificate: ECDSA on P-256, for its full name, valid from the day it was installed.

    The private key is 384 derived bits reduced to the group (FIPS 186-5, A.2.1) and the signature's nonce follows from
    the key (RFC 6979), so that every byte repeats.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    scalar = int.from_bytes(persona.derive("tls key p256", 48)) % (_P256_ORDER - 1) + 1
    key = ec.derive_private_key(scalar, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, persona.fqdn)])
    begins = datetime.datetime.fromtimestamp(installed(persona), datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(persona.derive("tls serial", 20)) >> 1 | 1)  # positive in 20 bytes: RFC 5280
        .not_valid_before(begins)
        .not_valid_after(begins + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(persona.fqdn)]), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return Certificate(signed.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
