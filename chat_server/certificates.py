"""The certificates of TLS: loading one with its key, and when those in a PEM file are valid.

The latter is read from their DER: Python's ssl tells it only of a certificate that it has verified, which one that is
over never is.
"""

import binascii
import re
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from chat_server.errors import StartError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0


def load_certificate(context: ssl.SSLContext, certificate: str, key: str, option: str) -> None:
    """Load what `--tls-cert` and `--tls-key` name, where the option is `--tls`. Raises StartError."""
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise StartError(
            f"cannot use {option}-cert {certificate} with {option}-key {key}: {_why_not(error)}; both are PEM files,"
            " the certificate with its chain, the key without a password",
            status=2,
        ) from None


def _why_not(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        # OpenSSL also says that no certificate is assigned, where there is none for a key of that kind.
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            return "the key is not that of the certificate"
        return f"one of them is damaged, or is no PEM file ({error.reason or error})"
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)


def _no_password() -> str:
    """Refuse a key with a password, which OpenSSL would ask for on the terminal."""
    raise ValueError("the key has a password")


class Validity(NamedTuple):
    """In milliseconds since 1970."""

    begins_ms: int
    ends_ms: int


def validity(file: str) -> Validity:
    """Return when all certificates of the chain are valid. Raises OSError, and ValueError where none can be read."""
    text = Path(file).read_text(encoding="ascii", errors="replace")
    try:
        found = [_validity(ssl.PEM_cert_to_DER_cert(each)) for each in _PEM.findall(text)]
    except binascii.Error:
        raise ValueError("a certificate in it is damaged") from None
    if not found:
        raise ValueError("there is no certificate in it")
    return Validity(max(each.begins_ms for each in found), min(each.ends_ms for each in found))


def _validity(der: bytes) -> Validity:
    """RFC 5280, 4.1: version, serial number, signature and issuer come before the validity."""
    try:
        certificate, _ = _take(der, _SEQUENCE)
        rest, _ = _take(certificate, _SEQUENCE)
        if rest[0] == _VERSION:
            _, rest = _take(rest)
        for _ in range(3):
            _, rest = _take(rest)
        times, _ = _take(rest, _SEQUENCE)
        (begins, rest), tag = _take(times), times[0]
        return Validity(_time_ms(tag, begins), _time_ms(rest[0], _take(rest)[0]))
    except IndexError:
        raise ValueError("a certificate in it is cut off") from None


def _take(der: bytes, wanted: int | None = None) -> tuple[bytes, bytes]:
    """Return the content of the first element, and what follows it. Raises ValueError and IndexError."""
    if wanted is not None and der[0] != wanted:
        raise ValueError("a certificate in it has another form than X.509")
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if len(der) < start + length:
        raise IndexError
    return der[start : start + length], der[start + length :]


def _time_ms(tag: int, content: bytes) -> int:
    """Raises ValueError."""
    text = content.decode("ascii", "replace")
    if tag == _UTC_TIME:
        # Two digits: 50 to 99 are of the 20th century.
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("a certificate in it has no time of its end")
    return int(datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp() * 1000)
