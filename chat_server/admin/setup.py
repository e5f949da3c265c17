"""The questions of `chat-server setup`, with the checks of answers, and the file that it writes."""

import errno
import json
import os
import pwd
import re
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from chat_server.addresses import is_loopback
from chat_server.certificates import validity
from chat_server.errors import StartError
from chat_server.frontend.listener import listen, tls_context
from chat_server.protocol.times import iso
from chat_server.setting_kinds import USERNAME
from chat_server.settings import OPTIONS, resolve

# The user whom the unit of systemd runs the server as, and where that user may write.
SERVICE, SERVICE_DATA = "chat-server", Path("/var/lib/chat-server")
SERVICE_CONFIG = Path("/etc/chat-server/chat-server.toml")
# What the unit hides from the server.
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
PRIVILEGED_PORTS = range(1, 1024)
_ADDRESS = re.compile(r"(?:(?P<host>[^\s:\[\]]+)|\[(?P<v6>[^\s\[\]]+)\]):(?P<port>\d{1,5})", re.ASCII)
# The state of a socket in the kernel's tables (/proc/net/tcp).
_LISTENING = "0A"
GREETING_SECONDS = 3.0
MACHINE, NETWORK, INTERNET = "machine", "network", "internet"
WHO = {MACHINE: "127.0.0.1:8000", NETWORK: "0.0.0.0:8000", INTERNET: "[::]:8443"}
NOBODY = "none"
# Of these options the answers say the values; others that are given are written as they are.
_ASKED = ("host", "port", "tls_port", "tls_cert", "tls_key", "data_dir", "operators")


# Asks a question (its text and its default) until its check, which raises ValueError, takes the answer.
Ask = Callable[[str, str, Callable[[str], Any]], Any]


@dataclass(frozen=True)
class Locations:
    """Where the files are: those of the machine for root, those of the user for anybody else.

    `of_machine` says that the unit of systemd runs the server with this configuration.
    """

    config: Path
    data: Path
    of_machine: bool

    @classmethod
    def here(cls, config: str | None) -> "Locations":
        if os.geteuid() == 0:
            path = Path(config or SERVICE_CONFIG).absolute()
            return cls(path, SERVICE_DATA, path == SERVICE_CONFIG)
        user = Path(platformdirs.user_config_dir("chat-server", appauthor=False)) / "chat-server.toml"
        data = Path(platformdirs.user_data_dir("chat-server", appauthor=False))
        return cls(Path(config).expanduser() if config else user, data, False)


def set_up(given: Mapping[str, Any], ask: Ask, now_ms: int) -> str:
    """Ask, write the configuration, and return what to do next. Raises StartError."""
    place = Locations.here(given.get("config"))
    if place.config.exists():
        ask(f"{place.config} is there already. Replace it?\n  yes or no", "no", _agreed)
    who = ask(
        "Who may come in: everyone on this machine, on the network (nothing is encrypted), or on the internet"
        f" (with TLS)?\n  {', '.join(WHO)}",
        MACHINE,
        _one_of_who,
    )
    lines = _where(who, ask, place, now_ms)

    def check(answer: str) -> str:
        return _directory(answer, place)

    lines["data"] = ask("Where is the data kept?\n  a directory", str(given.get("data_dir") or place.data), check)
    operator = ask("Who is the operator, who may ban and delete?\n  a username, or none", NOBODY, _operator)
    if operator is not None:
        lines["operator"] = [operator]
    for field in OPTIONS.keys() - set(_ASKED):
        if (value := given.get(field)) is not None:
            lines[OPTIONS[field].name] = value
    _write(place, lines)
    return "\n".join(_next_steps(place, who, lines, operator))


# ---- the answers


def _agreed(answer: str) -> None:
    if answer.lower() not in ("y", "yes"):
        raise StartError("nothing was written; --config FILE names another file")


def _one_of_who(answer: str) -> str:
    found = [who for who in WHO if who.startswith(answer.lower())]
    if len(found) != 1:
        raise ValueError(f"it is one of {', '.join(WHO)}")
    return found[0]


def _where(who: str, ask: Ask, place: Locations, now_ms: int) -> dict[str, Any]:
    """The address, the port, and what TLS needs, as lines of the configuration."""
    with_tls = who == INTERNET

    def check(answer: str) -> tuple[str, int]:
        return _free_address(answer, who, place)

    host, port = ask("On which address and port does it listen?\n  ADDRESS:PORT", WHO[who], check)
    if not with_tls:
        return {"host": host, "port": port}

    def check_pair(answer: str) -> tuple[str, str]:
        return _certificate(answer, place, now_ms)

    certificate, key = ask(
        "Where are the certificate, with its chain, and its key?\n  two PEM files, or the folder of fullchain.pem and"
        " privkey.pem",
        str(place.config.absolute().parent),
        check_pair,
    )
    return {"host": host, "port": "off", "tls-port": port, "tls-cert": certificate, "tls-key": key}


def _free_address(answer: str, who: str, place: Locations) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(answer)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ValueError("it is an address and a port from 1 to 65535, such as 127.0.0.1:8000 or [::]:8443")
    host, port = match["host"] or match["v6"], int(match["port"])
    if who == MACHINE and _is_beyond_loopback(host):
        raise ValueError(f"others than this machine reach {host}, and you said {MACHINE}; 127.0.0.1 is this one alone")
    if place.of_machine and port in PRIVILEGED_PORTS:
        raise ValueError(
            "the server does not run as root, and nobody else may listen on a port below 1024; systemd may for it:"
            " see chat-server-tls.socket in docs/operations.md"
        )
    try:
        for sock in listen(host, port):
            sock.close()
    except StartError as error:
        in_use = isinstance(error.__context__, OSError) and error.__context__.errno == errno.EADDRINUSE
        if not in_use or not _gives_way(host, port, place):
            raise ValueError(str(error)) from None
    return host, port


def _is_beyond_loopback(host: str) -> bool:
    with suppress(OSError, UnicodeError):
        return any(not is_loopback(str(found[4][0])) for found in socket.getaddrinfo(host, None))
    return False


def _gives_way(host: str, port: int, place: Locations) -> bool:
    """Tell whether it is the chat of the configuration that is replaced, which is started again with the new one."""
    if place.of_machine and _is_service_at(port):
        return True
    try:
        old = resolve({"config": str(place.config)}, {})
    except StartError:
        return False
    return port in (old.port, old.tls_port) and _is_chat(host, port, with_tls=port == old.tls_port)


def _is_service_at(port: int) -> bool:
    """Tell whether the service listens there, by a configuration that may have been replaced since."""
    owners = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for row in map(str.split, Path("/proc/net", table).read_text().splitlines()[1:]):
                if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port:
                    owners.add(int(row[7]))
    return owners == {_service_id()}


def _service_id() -> int | None:
    """The number of the user whom the service runs as; None where there is none yet."""
    try:
        return pwd.getpwnam(SERVICE).pw_uid
    except KeyError:
        return None


def _is_chat(host: str, port: int, *, with_tls: bool) -> bool:
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        suppress(OSError),
        socket.create_connection((address, port), GREETING_SECONDS) as sock,
        context.wrap_socket(sock) if with_tls else sock as stream,
    ):
        return stream.recv(32).startswith(b"* chat-server")
    return False


def _certificate(answer: str, place: Locations, now_ms: int) -> tuple[str, str]:
    # A path may have spaces in it.
    if Path(answer).expanduser().is_dir():
        words = [str(Path(answer) / name) for name in ("fullchain.pem", "privkey.pem")]
    else:
        words = [word.strip() for word in answer.split(",")] if "," in answer else answer.split()
    if len(words) != 2:
        raise ValueError(f"{answer} is no folder; these are two files, with a comma between them, or one folder")
    certificate, key = (str(Path(word).expanduser().absolute()) for word in words)
    try:
        tls_context(certificate, key)
        until_ms = validity(certificate).ends_ms
    except StartError as error:
        raise ValueError(str(error).replace("--tls-cert ", "").replace("with --tls-key", "with")) from None
    if until_ms <= now_ms:
        raise ValueError(f"the certificate {certificate} ended at {iso(until_ms)}")
    for path in (certificate, key):
        if place.of_machine and (_is_hidden(path) or not _service_reads(path)):
            raise ValueError(
                f"the user {SERVICE}, as whom the server runs, cannot read {path}:"
                f" install -m 640 -g {SERVICE} {certificate} {key} /etc/chat-server/"
            )
    return certificate, key


def _is_hidden(path: str) -> bool:
    """Tell whether the unit hides it from the server (ProtectHome, PrivateTmp)."""
    return any(Path(path).is_relative_to(hidden) for hidden in HIDDEN)


def _service_reads(path: str) -> bool:
    """Also true where that user does not exist yet."""
    try:
        test = subprocess.run(["test", "-r", path], user=SERVICE, group=SERVICE, extra_groups=[])
    except LookupError:
        return True
    return test.returncode == 0


def _directory(answer: str, place: Locations) -> str:
    path = Path(answer).expanduser().absolute()
    if place.of_machine and _is_hidden(str(path)):
        raise ValueError(f"the server sees nothing of {path}; {SERVICE_DATA} is made for it")
    # What is told next would give it to the server alone.
    if place.of_machine and path.is_dir() and path.stat().st_uid != _service_id() and any(path.iterdir()):
        raise ValueError(f"{path} holds what is not the server's; name a directory of its own, such as {path}/chat")
    above = path
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise ValueError(f"{above} is no directory")
    if not os.access(above, os.W_OK | os.X_OK):
        raise ValueError(f"nothing can be written into {above}")
    return str(path)


def _operator(answer: str) -> str | None:
    try:
        return None if answer.lower() == NOBODY else str(USERNAME.parse(answer).name)
    except ValueError as error:
        raise ValueError(f"expected {error}, or {NOBODY}") from None


# ---- the file


def _write(place: Locations, lines: dict[str, Any]) -> None:
    """Write the file as a whole, once the server has taken it. Raises StartError."""
    text = "# Written by chat-server setup: see chat-server.toml(5). `chat-server check` shows what holds.\n\n"
    text += "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items())
    directory = place.config.absolute().parent
    try:
        if not directory.exists():
            directory.mkdir(parents=True)
            # Behind a umask of 077 the server's user could not read the file.
            directory.chmod(0o755)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=directory, prefix=".", delete=False) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            resolve({"config": file.name}, {})
            # The file holds no secret, and the server, which may run as another user, has to read it.
            Path(file.name).chmod(0o644)
            Path(file.name).replace(place.config)
        except BaseException:
            Path(file.name).unlink()
            raise
    except OSError as error:
        raise StartError(f"cannot write {place.config}: {error.strerror}") from None


def _next_steps(place: Locations, who: str, lines: dict[str, Any], operator: str | None) -> list[str]:
    steps = [f"wrote {place.config}"]
    if place.of_machine:
        steps.append("start it: systemctl enable chat-server; systemctl restart chat-server")
        if Path(lines["data"]) != SERVICE_DATA:
            steps.append(f"the unit may write into {SERVICE_DATA} alone; before that:")
            steps.append(f"  install -d -o {SERVICE} -g {SERVICE} -m 700 {lines['data']}")
            steps.append(f"  systemctl edit chat-server, and add [Service] and ReadWritePaths={lines['data']}")
    else:
        steps.append(f"start it: chat-server --config {place.config}")
    if operator is not None:
        steps.append(f"then sign in as {operator} at once: who registers that name first is the operator")
    if who != MACHINE:
        steps.append('everybody who can connect may register; registration = "invite" lets in those with a code')
    return steps
