"""The questions of `chat-server setup`: answers are checked, and what is written is what the server takes."""

import datetime
import os
import pwd
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from chat_server.admin import setup
from chat_server.errors import StartError
from chat_server.settings import Settings, load
from tests.ports import free_port

NOW_MS = 1_796_000_000_000  # in November 2026
DEFAULT = ""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> setup.Locations:
    """That of a user."""
    place = setup.Locations(tmp_path / "config" / "chat-server.toml", tmp_path / "data", False)
    monkeypatch.setattr(setup.Locations, "here", lambda config: place)
    return place


def pem_files(directory: Path, end: datetime.datetime | None = None) -> tuple[str, str]:
    issued = trustme.CA().issue_cert("localhost", not_after=end, not_before=datetime.datetime(2020, 1, 1))
    directory.mkdir(exist_ok=True)
    certificate, key = directory / "fullchain.pem", directory / "privkey.pem"
    certificate.write_bytes(issued.cert_chain_pems[0].bytes())
    key.write_bytes(issued.private_key_pem.bytes())
    return str(certificate), str(key)


def answer(*answers: str, **given: str) -> str:
    """Answer each question in turn, and all further ones with their defaults. What is refused ends it."""
    left: Iterator[str] = iter(answers)

    def ask(question: str, default: str, check: Callable[[str], Any]) -> Any:
        return check(next(left, DEFAULT) or default)

    told = setup.set_up(given, ask, NOW_MS)
    assert list(left) == []
    return told


def written(place: setup.Locations) -> Settings:
    return load(["--config", str(place.config)], {})


def test_the_machine_alone(place: setup.Locations) -> None:
    port = free_port()
    told = answer("machine", f"127.0.0.1:{port}")
    settings = written(place)
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", port, str(place.data))
    assert told.splitlines() == [f"wrote {place.config}", f"start it: chat-server --config {place.config}"]
    assert not place.data.exists(), "the server makes it"


def test_the_internet_with_tls(place: setup.Locations) -> None:
    port, (certificate, key) = free_port(), pem_files(place.config.parent)
    told = answer("int", f"127.0.0.1:{port}", DEFAULT, DEFAULT, "anna", registration="invite")
    settings = written(place)
    assert (settings.port, settings.tls_port) == (None, port)
    assert (settings.tls_cert, settings.tls_key) == (certificate, key)
    assert [str(name.name) for name in settings.operators] == ["anna"]
    assert settings.registration == "invite", "what is given on the command line is written too"
    assert "sign in as anna at once" in told


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (["everybody"], "it is one of machine, network, internet"),
        (["machine", "8000"], "an address and a port"),
        (["machine", "127.0.0.1:0"], "an address and a port"),
        (["machine", "::1:8000"], "an address and a port"),
        (["machine", "0.0.0.0:8000"], "others than this machine reach 0.0.0.0"),
        (["machine", "[::]:8000"], "others than this machine reach ::"),
        (["machine", "127.0.0.1:{taken}"], "is in use by another program"),
        (["network", "192.0.2.1:8000"], "cannot listen on 192.0.2.1:8000"),
        (["machine", DEFAULT, "{tmp}/file"], "is no directory"),
        (["machine", DEFAULT, "{tmp}/file/below"], "is no directory"),
        (["machine", DEFAULT, DEFAULT, "a b"], "a username"),
        (["internet", DEFAULT, "{tmp}/nowhere"], "{tmp}/nowhere is no folder"),
        (["internet", DEFAULT, "{tmp}/one/fullchain.pem"], "{tmp}/one/fullchain.pem is no folder"),
        (["internet", DEFAULT, "{tmp}"], "cannot use {tmp}/fullchain.pem"),
        (["internet", DEFAULT, "a b c"], "two files"),
        (["internet", DEFAULT, "{tmp}/over"], "ended at 2026-01-01T00:00:00"),
        (["internet", DEFAULT, "{tmp}/one/fullchain.pem {tmp}/two/privkey.pem"], "the key is not that of the cert"),
        (["internet", DEFAULT, "{tmp}/one/privkey.pem,{tmp}/one/fullchain.pem"], "one of them is damaged, or is no"),
    ],
)
def test_a_wrong_answer_is_refused_at_once(
    place: setup.Locations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[str], why: str
) -> None:
    (tmp_path / "file").write_text("")
    for name, end in (("one", None), ("two", None), ("over", datetime.datetime(2026, 1, 1))):
        pem_files(tmp_path / name, end)
    monkeypatch.setattr(setup, "WHO", {who: f"127.0.0.1:{free_port()}" for who in setup.WHO})
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        taken.settimeout(0)
        monkeypatch.setattr(setup, "GREETING_SECONDS", 0.05)
        words = [each.format(tmp=tmp_path, taken=taken.getsockname()[1]) for each in answers]
        with pytest.raises(ValueError) as caught:
            answer(*words)
    assert why.format(tmp=tmp_path) in str(caught.value)
    assert not place.config.exists()


def test_a_key_of_another_kind_than_the_certificate_is_not_its_own(place: setup.Locations, tmp_path: Path) -> None:
    certificate, key = pem_files(tmp_path / "one")
    trustme.CA(key_type=trustme.KeyType.RSA).private_key_pem.write_to_path(key)
    with pytest.raises(ValueError, match="the key is not that of the certificate"):
        answer("internet", f"127.0.0.1:{free_port()}", f"{certificate},{key}")


def test_the_paths_of_the_certificate_may_have_spaces(place: setup.Locations, tmp_path: Path) -> None:
    certificate, key = pem_files(tmp_path / "my certificates")
    for said in (str(tmp_path / "my certificates"), f"{certificate}, {key}"):
        answer("internet", f"127.0.0.1:{free_port()}", said)
        assert (written(place).tls_cert, written(place).tls_key) == (certificate, key)
        place.config.unlink()


def test_a_file_that_is_there_is_replaced_by_consent_alone(place: setup.Locations) -> None:
    answer("machine", f"127.0.0.1:{free_port()}")
    first = place.config.read_text()
    with pytest.raises(StartError, match="nothing was written"):
        answer()
    assert place.config.read_text() == first
    answer("yes", "machine", f"127.0.0.1:{free_port()}")
    assert place.config.read_text() != first
    assert [path.name for path in place.config.parent.iterdir()] == [place.config.name]


def test_a_wrong_option_leaves_nothing(place: setup.Locations) -> None:
    with pytest.raises(StartError, match="page"):
        answer("machine", f"127.0.0.1:{free_port()}", page_messages="many")
    assert list(place.config.parent.iterdir()) == []


def test_the_server_may_read_what_a_strict_umask_would_hide(place: setup.Locations) -> None:
    umask = os.umask(0o077)
    try:
        answer("machine", f"127.0.0.1:{free_port()}")
    finally:
        os.umask(umask)
    assert place.config.stat().st_mode & 0o777 == 0o644
    assert place.config.parent.stat().st_mode & 0o777 == 0o755
    # What was there before stays as it is.
    place.config.parent.chmod(0o700)
    answer("yes", "machine", f"127.0.0.1:{free_port()}")
    assert place.config.parent.stat().st_mode & 0o777 == 0o700


def test_root_is_told_what_the_server_may_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(setup, "SERVICE_CONFIG", config := tmp_path / "chat.toml")
    monkeypatch.setattr(setup, "HIDDEN", ("/home", str(tmp_path / "hidden")))
    assert setup.Locations.here(None).config == config
    with pytest.raises(ValueError, match="below 1024"):
        answer("internet", "127.0.0.1:443")
    with pytest.raises(ValueError, match="sees nothing of /home/chat"):
        answer("machine", f"127.0.0.1:{free_port()}", "/home/chat")
    pem_files(hidden := tmp_path / "hidden")
    with pytest.raises(ValueError, match=f"cannot read {hidden}/fullchain.pem: install .*{hidden}/privkey.pem"):
        answer("internet", f"127.0.0.1:{free_port()}", str(hidden))
    told = answer("machine", f"127.0.0.1:{free_port()}", str(tmp_path / "data"))
    assert "systemctl restart chat-server" in told and f"ReadWritePaths={tmp_path}/data" in told
    assert f"install -d -o chat-server -g chat-server -m 700 {tmp_path}/data" in told
    told = answer("machine", f"127.0.0.1:{free_port()}", config=str(tmp_path / "other.toml"))
    assert f"start it: chat-server --config {tmp_path}/other.toml" in told, "the unit has another file"
    assert config.stat().st_mode & 0o777 == 0o644, "the server runs as another user"


def test_a_port_that_the_service_has_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been started with a configuration that was replaced since."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(setup, "HIDDEN", ())
    monkeypatch.setattr(setup, "SERVICE_CONFIG", tmp_path / "chat.toml")
    monkeypatch.setattr(setup, "GREETING_SECONDS", 0.05)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        words = ("machine", f"127.0.0.1:{taken.getsockname()[1]}", str(tmp_path / "data"))
        monkeypatch.setattr(setup, "SERVICE", "nobody")
        with pytest.raises(ValueError, match="in use by another program"):
            answer(*words)
        monkeypatch.setattr(setup, "SERVICE", pwd.getpwuid(os.getuid()).pw_name)
        assert "wrote" in answer(*words)


def test_root_gives_the_service_no_directory_that_holds_other_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(setup, "HIDDEN", ())
    monkeypatch.setattr(setup, "SERVICE_CONFIG", config := tmp_path / "chat.toml")
    (data := tmp_path / "data").mkdir()
    for user in ("nobody", "no-such-user"):
        monkeypatch.setattr(setup, "SERVICE", user)
        (data / "file").write_text("")
        with pytest.raises(ValueError, match=f"{data} holds what is not the server's"):
            answer("machine", f"127.0.0.1:{free_port()}", str(data))
        (data / "file").unlink()
        assert "wrote" in answer("machine", f"127.0.0.1:{free_port()}", str(data))
        config.unlink()
    (data / "file").write_text("")
    monkeypatch.setattr(setup, "SERVICE", pwd.getpwuid(os.getuid()).pw_name)
    assert "wrote" in answer("machine", f"127.0.0.1:{free_port()}", str(data))
