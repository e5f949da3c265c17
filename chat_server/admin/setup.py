"""The questions of `chat-server setup`, with the checks of answers, and the file that it writes."""

import errno
import json
import os
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

from chat_server.certificates import validity
from chat_server.errors import StartError
from chat_server.frontend.listener import listen, tls_context
from chat_server.protocol.times import iso
from chat_server.setting_kinds import USERNAME
from chat_server.settings import OPTIONS, resolve

# The user whom the unit of systemd runs the server as, and where that user may write.
SERVICE, SERVICE_DATA = "chat-server", Path("/var/lib/chat-server")
SERVICE_CONFIG = Path("/etc/chat-server/chat-server.toml")
PRIVILEGED_PORTS = range(1, 1024)
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
    """Where the files are: those of the machine for root, those of the user for anybody else."""

    config: Path
    data: Path
    of_machine: bool

    @classmethod
    def here(cls, config: str | None) -> "Locations":
        if os.geteuid() == 0:
            return cls(Path(config or SERVICE_CONFIG), SERVICE_DATA, True)
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
    lines["data"] = ask("Where is the data kept?\n  a directory", str(given.get("data_dir") or place.data), _directory)
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
        return _free_address(answer, place, with_tls=with_tls)

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


def _free_address(answer: str, place: Locations, *, with_tls: bool) -> tuple[str, int]:
    host, colon, number = answer.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and number.isascii() and number.isdigit() and 0 < int(number) < 65536):
        raise ValueError("it is an address and a port from 1 to 65535, such as 127.0.0.1:8000 or [::]:8443")
    port = int(number)
    if place.of_machine and port in PRIVILEGED_PORTS:
        raise ValueError(
            "the server does not run as root, and nobody else may listen on a port below 1024; systemd may for it:"
            " see chat-server-tls.socket in docs/operations.md"
        )
    try:
        for sock in listen(host, port):
            sock.close()
    except StartError as error:
        # A chat that runs already gives way when it is started again.
        in_use = isinstance(error.__context__, OSError) and error.__context__.errno == errno.EADDRINUSE
        if not in_use or not _is_chat(host, port, with_tls=with_tls):
            raise ValueError(str(error)) from None
    return host, port


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
    words = answer.replace(",", " ").split()
    if len(words) == 1:
        words = [str(Path(words[0]) / name) for name in ("fullchain.pem", "privkey.pem")]
    if len(words) != 2:
        raise ValueError("these are two files, or one folder")
    certificate, key = (str(Path(word).expanduser().absolute()) for word in words)
    try:
        tls_context(certificate, key)
        until_ms = validity(certificate).ends_ms
    except StartError as error:
        raise ValueError(str(error).replace("--tls-cert ", "").replace("with --tls-key", "with")) from None
    if until_ms <= now_ms:
        raise ValueError(f"the certificate {certificate} ended at {iso(until_ms)}")
    for path in (certificate, key):
        if place.of_machine and not _service_reads(path):
            raise ValueError(
                f"the user {SERVICE}, as whom the server runs, cannot read {path}:"
                f" install -m 640 -g {SERVICE} {path} /etc/chat-server/"
            )
    return certificate, key


def _service_reads(path: str) -> bool:
    """Also true where that user does not exist yet."""
    try:
        test = subprocess.run(["test", "-r", path], user=SERVICE, group=SERVICE, extra_groups=[])
    except LookupError:
        return True
    return test.returncode == 0


def _directory(answer: str) -> str:
    path = Path(answer).expanduser().absolute()
    above = path
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise ValueError(f"{above} is no directory")
    if not os.access(above, os.W_OK | os.X_OK):
        raise ValueError(f"nothing can be written into {above}")
    return str(path)


def _operator(answer: str) -> str | None:
    return None if answer.lower() == NOBODY else str(USERNAME.parse(answer).name)


# ---- the file


def _write(place: Locations, lines: dict[str, Any]) -> None:
    """Write the file as a whole, once the server has taken it. Raises StartError."""
    text = "# Written by chat-server setup: see chat-server.toml(5). `chat-server check` shows what holds.\n\n"
    text += "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items())
    directory = place.config.absolute().parent
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=directory, prefix=".", delete=False) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            resolve({"config": file.name}, {})
            # It holds no secret, and the server has to read it, whose user may be another one.
            Path(file.name).chmod(0o644)
            Path(file.name).replace(place.config)
        except BaseException:
            Path(file.name).unlink()
            raise
    except OSError as error:
        raise StartError(f"cannot write {place.config}: {error.strerror}") from None


def _next_steps(place: Locations, who: str, lines: dict[str, Any], operator: str | None) -> list[str]:
    steps = [f"wrote {place.config}"]
    if place.of_machine and place.config == SERVICE_CONFIG:
        steps.append("start it: systemctl enable chat-server; systemctl restart chat-server")
        if Path(lines["data"]) != SERVICE_DATA:
            steps.append(f"the unit may write into {SERVICE_DATA} alone: systemctl edit chat-server, and add")
            steps.append(f"  [Service]\n  ReadWritePaths={lines['data']}")
    else:
        steps.append(f"start it: chat-server --config {place.config}")
    if operator is not None:
        steps.append(f"then sign in as {operator} at once: who registers that name first is the operator")
    if who != MACHINE:
        steps.append('everybody who can connect may register; registration = "invite" lets in those with a code')
    return steps
