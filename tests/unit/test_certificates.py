import datetime
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from chat_server.certificates import end_ms


@pytest.mark.parametrize("end", ["2026-12-24T18:00:00", "2049-12-31T23:59:59", "2050-01-01T00:00:00"])
def test_the_end_of_a_certificate(tmp_path: Path, end: str) -> None:
    """Years from 2050 on are written with four digits."""
    at = datetime.datetime.fromisoformat(end)
    issued = trustme.CA().issue_cert("localhost", not_after=at, not_before=datetime.datetime(2020, 1, 1))
    path = tmp_path / "cert.pem"
    path.write_bytes(b"".join((b"said before it\n", *(pem.bytes() for pem in issued.cert_chain_pems), b"behind it")))
    assert end_ms(path) == int(at.replace(tzinfo=datetime.UTC).timestamp() * 1000)


CERTIFICATE = trustme.CA().issue_cert("localhost").cert_chain_pems[0].bytes().decode()
PEM = st.text("ABCDEFabcdef0123+/=\n", max_size=200).map(
    lambda body: f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----"
)
CUT = st.integers(30, len(CERTIFICATE)).map(lambda at: f"{CERTIFICATE[:at]}\n-----END CERTIFICATE-----\n")


@given(st.text() | PEM | CUT)
def test_what_is_no_certificate_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pem"
    path.write_text(text)
    try:
        end_ms(path)
    except ValueError:
        return
    assert text.startswith(CERTIFICATE[:400]), "its beginning has the time"
