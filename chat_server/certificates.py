"""What a certificate says of itself: when it ends."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

_UTC_TIME, _VERSION = 0x17, 0xA0
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def end_ms(path: Path) -> int:
    """Return when the first certificate of a PEM file ends. Raises OSError, and ValueError for what is none.

    Python reads no certificate but that of a peer that it has verified, so its time is looked up in the DER itself.
    """
    text = path.read_text(encoding="ascii", errors="replace")
    begin, end = text.find(_BEGIN), text.find(_END)
    if not 0 <= begin < end:
        raise ValueError("no certificate is in it")
    try:
        body = _content(_content(ssl.PEM_cert_to_DER_cert(text[begin : end + len(_END)])))
        if body[0] == _VERSION:
            body = _rest(body)
        for _ in ("serial number", "algorithm", "issuer"):
            body = _rest(body)
        last = _rest(_content(body))
        time = _content(last).decode("ascii")
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("the certificate is damaged") from error
    until_utc = datetime.strptime(time, "%y%m%d%H%M%SZ" if last[0] == _UTC_TIME else "%Y%m%d%H%M%SZ")
    return int(until_utc.replace(tzinfo=UTC).timestamp() * 1000)


def _split(der: bytes) -> tuple[int, int]:
    """Return where the content of the first element begins, and where it ends. Raises IndexError."""
    length, begin = der[1], 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[2:begin])
    if begin + length > len(der):
        raise IndexError
    return begin, begin + length


def _content(der: bytes) -> bytes:
    begin, end = _split(der)
    return der[begin:end]


def _rest(der: bytes) -> bytes:
    return der[_split(der)[1] :]
