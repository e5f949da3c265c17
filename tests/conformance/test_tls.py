"""TLS beside the plain port, or alone; a certificate that is renewed, and ones that cannot be used."""

import asyncio
import re
import signal
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.certificates import Certificate, connect, tls_port
from tests.conformance.conftest import Start
from tests.conformance.operating import done, json_operator, text_operator
from tests.harness import Server


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


async def test_it_is_the_same_chat_on_both_ports(start: Start, certificate: Certificate) -> None:
    chat = start(*certificate.options)
    plain = await chat.text("plain")
    over_tls = await connect(chat.server, certificate.trusted())
    await over_tls.command("/sign_in secret")
    await plain.roundtrip()
    big = "x" * 4000
    for _ in range(50):
        await over_tls.command(f"/send_all {big}")
    told = await plain.roundtrip()
    assert sum(big in line for line in told) == 50
    await plain.command("/send_all привет")
    assert "привет" in (await over_tls.roundtrip())[-1]
    assert over_tls.writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")


async def test_quit_is_answered_before_the_end(start: Start, certificate: Certificate) -> None:
    chat = start(*certificate.options)
    client = await connect(chat.server, certificate.trusted())
    await client.send("/sign_in secret", "/send_all hi", "/quit")
    assert (await client.rest())[-2:] == ["+ sent #1", "+ goodbye"]
    client = await connect(chat.server, certificate.trusted())
    client.writer.close()
    await client.writer.wait_closed()
    assert await (await connect(chat.server, certificate.trusted())).ok("/ping") == "pong"
    assert "asyncio" not in chat.server.log, "whoever ends a connection is nothing to warn of"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_an_old_version_is_refused_and_nobody_else_is_bothered(start: Start, certificate: Certificate) -> None:
    chat = start(*certificate.options)
    old = certificate.trusted()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        await connect(chat.server, old)
    reader, writer = await asyncio.open_connection("127.0.0.1", tls_port(chat.server))
    writer.write(b"/sign_in plain_words_to_the_wrong_port\n" * 10)
    while await reader.read(1000):
        pass
    writer.close()
    await (await connect(chat.server, certificate.trusted())).command("/ping")
    assert "Traceback" not in chat.server.log


async def test_tls_alone(start: Start, certificate: Certificate) -> None:
    chat = start("--port", "off", *certificate.options)
    assert f"listening on 127.0.0.1:{tls_port(chat.server)} (TLS)\n" in chat.server.listening
    client = await connect(chat.server, certificate.trusted())
    await client.command("/sign_in secret")


async def test_a_new_certificate_is_shown_after_a_hangup_and_a_bad_one_never(
    start: Start, certificate: Certificate
) -> None:
    chat = start(*certificate.options)
    before = certificate.trusted()
    stays = await connect(chat.server, before)
    certificate.renew()
    await _hangup(chat.server, "the certificate was read again")
    await connect(chat.server, certificate.trusted())
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(chat.server, before)
    certificate.key.write_text("no key")
    await _hangup(chat.server, "the settings were not read again: cannot use --tls-cert")
    await connect(chat.server, certificate.trusted())
    await stays.command("/ping")


async def _hangup(server: Server, logged: str) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    await server.logged(logged)


@pytest.mark.parametrize("part", ["cert", "key"])
@pytest.mark.parametrize("content", [None, "nonsense"])
def test_what_cannot_be_used_is_one_clear_line(
    tmp_path: Path, certificate: Certificate, part: str, content: str | None
) -> None:
    path: Path = getattr(certificate, part)
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    status, said = Server(tmp_path / "data", *certificate.options).refusal()
    assert status == 2 and said.startswith("chat-server: cannot use --tls-cert") and said.count("\n") == 1


async def test_a_certificate_that_ends_soon_is_told_the_operators_who_are_signed_in(
    start: Start, certificate: Certificate, tmp_path: Path
) -> None:
    """And stands in the log, in `/stats` and in the metrics; one that was renewed is asked for anew."""
    ends = datetime.now(UTC) + timedelta(days=5, hours=1)
    certificate.renew(ends)
    chat = start(*certificate.options, "--operator", "boss", "--metrics-file", str(tmp_path / "chat.prom"))
    assert "the certificate for TLS ends in 5 d 1 h, at " in await chat.server.logged("; put a new one there")
    boss, people = await json_operator(chat), await text_operator(chat)
    assert (await boss.ok("/stats"))["live"]["certificate_days_left"] == 5
    assert "certificate days left: 5" in "\n".join((await people.command("/stats"))[0])
    nobody = await chat.json()
    certificate.renew(datetime.now(UTC) + timedelta(hours=20))
    done(chat.server, "reload")
    notice = await boss.event("notice")
    assert notice["text"].startswith("to the operators: the certificate for TLS ends in 2")
    assert any(line.startswith("* to the operators: the certificate") for line in await people.roundtrip())
    assert not [line for line in await nobody.roundtrip() if line["type"] == "notice"]
    certificate.renew(datetime.now(UTC) + timedelta(days=90))
    done(chat.server, "reload")
    assert (await boss.ok("/stats"))["live"]["certificate_days_left"] == 89
    assert chat.server.terminate() == 0
    (seconds,) = re.findall(
        r"^chat_certificate_seconds_left\S* (\S+)$", (tmp_path / "chat.prom").read_text(), re.MULTILINE
    )
    assert 89 * 86_400 < float(seconds) < 90 * 86_400
