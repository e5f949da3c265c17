import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from chat_server import certificates
from chat_server.certificates import Validity, load_certificate, validity
from chat_server.errors import StartError

CA = trustme.CA()
# With a year of two digits, and with one of four (RFC 5280: from 2050 on).
TIMES = [
    (datetime(2026, 11, 1, 12, 0, 1, tzinfo=UTC), datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)),
    (datetime(1999, 12, 31, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)),
    (datetime(2050, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)),
]


def ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def pem(begins: datetime, ends: datetime) -> bytes:
    return CA.issue_cert("localhost", not_before=begins, not_after=ends).cert_chain_pems[0].bytes()


@pytest.mark.parametrize(("begins", "ends"), TIMES)
def test_when_a_certificate_is_valid(tmp_path: Path, begins: datetime, ends: datetime) -> None:
    (tmp_path / "cert.pem").write_bytes(pem(begins, ends))
    assert validity(str(tmp_path / "cert.pem")) == Validity(ms(begins), ms(ends))


def test_a_chain_is_valid_while_all_of_it_is(tmp_path: Path) -> None:
    (begins, ends), day = TIMES[0], timedelta(days=1)
    chain = b"a text before\n" + pem(begins, ends) + pem(begins + day, ends - day)
    (tmp_path / "cert.pem").write_bytes(chain)
    assert validity(str(tmp_path / "cert.pem")) == Validity(ms(begins + day), ms(ends - day))


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "cert.pem").write_text(content)
    with pytest.raises(ValueError, match="certificate"):
        validity(str(tmp_path / "cert.pem"))


# One for all examples: the signature of another is longer or shorter.
DER = ssl.PEM_cert_to_DER_cert(pem(*TIMES[0]).decode())


@given(st.data())
def test_bytes_that_are_damaged_are_no_other_error(data: st.DataObject) -> None:
    der = bytearray(DER)
    for _ in range(3):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    del der[data.draw(st.integers(0, len(der))) :]
    try:
        certificates._validity(bytes(der))
    except ValueError as error:
        assert str(error)


PEM = st.text("ABCDEFabcdef0123+/=\n", max_size=200).map(
    lambda body: f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----"
)


@given(st.text() | PEM)
def test_any_other_file_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pem"
    path.write_text(text)
    with pytest.raises(ValueError, match="certificate"):
        validity(str(path))


@pytest.mark.parametrize("option", ["--tls", "--cluster"])
def test_why_a_certificate_cannot_be_used(tmp_path: Path, option: str) -> None:
    one, other = CA.issue_cert("localhost"), CA.issue_cert("localhost")
    certificate, key, locked, text = (str(tmp_path / name) for name in ("cert", "key", "locked", "text"))
    Path(certificate).write_bytes(one.cert_chain_pems[0].bytes())
    Path(key).write_bytes(other.private_key_pem.bytes())
    private = serialization.load_pem_private_key(one.private_key_pem.bytes(), None)
    Path(locked).write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    Path(text).write_text("no PEM")
    for files, why in (
        ((certificate, key), "the key is not that of the certificate"),
        ((certificate, locked), "the key has a password"),
        ((text, key), "one of them is damaged, or is no PEM file"),
        ((certificate, str(tmp_path / "none")), "No such file"),
    ):
        words = f"cannot use {option}-cert {files[0]} with {option}-key {files[1]}: {why}"
        with pytest.raises(StartError, match=re.escape(words)):
            load_certificate(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), *files, option)
