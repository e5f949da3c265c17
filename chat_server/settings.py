"""The settings of the server, with their defaults and units, and where each value comes from.

The command line wins over the environment (`CHAT_MAIN_RATE_LIMIT`), the environment over the TOML file
(`main-rate-limit`), and the file over the default. A wrong value raises StartError with status 2 before anything
listens. `off` becomes None, or 0 where a zero means the same. The names of fields end with their unit.
"""

import argparse
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import platformdirs

from chat_server import __version__
from chat_server.addresses import is_loopback
from chat_server.build import BUILD
from chat_server.errors import StartError
from chat_server.protocol.names import Name
from chat_server.protocol.times import duration
from chat_server.service_manager import passed_host
from chat_server.setting_kinds import (
    ADDRESS,
    DIRECTORY,
    DURATION,
    FILE,
    LOG_FILE,
    NAME,
    NATS_URLS,
    NODE,
    ON_OR_OFF,
    RATE,
    USERNAME,
    Rate,
    ValueKind,
    number,
    one_of,
    size,
    size_words,
)

# When a setting takes effect that is read again while the server runs (see `reloading`): at once, for connections that
# are made from then on, or only at the next start.
Effect = Literal["now", "for new connections", "at a restart"]


@dataclass(frozen=True)
class Option:
    """The name, the kind and the help of one setting. `off` is the value of the word `off`, if that is allowed."""

    name: str
    kind: ValueKind
    default: str
    help: str
    off: tuple[Any] | None = None
    takes_effect: "Effect" = "now"
    many: bool = False  # may be given several times, or with commas, or in the file as a list

    def read(self, raw: object, source: str) -> Any:
        if self.many:
            given = raw if isinstance(raw, list) else [raw]
            return tuple(self._read(word, source) for each in given for word in str(each).split(","))
        return self._read(raw, source)

    def _read(self, raw: object, source: str) -> Any:
        text = _word(raw).strip()
        if self.off is not None and text.lower() == "off":
            return self.off[0]
        try:
            return self.kind.parse(text)
        except ValueError as error:
            off = " or off" if self.off is not None else ""
            raise StartError(f"{source}: expected {error}{off}, got “{text}”", status=2) from None


def _word(raw: object) -> str:
    """Return a value of TOML or of the command line as a word."""
    return ("on" if raw else "off") if isinstance(raw, bool) else str(raw)


def words(field: str, value: Any) -> str:
    """Return the words that mean this value of the field."""
    option = OPTIONS[field]
    if option.many:
        return ",".join(each.name if isinstance(each, Name) else each for each in value) or option.default
    if option.off is not None and value == option.off[0]:
        return "off"
    if value is True:
        return "on"
    if field.endswith("_ms"):
        return duration(value) if value % 1000 == 0 else f"{Decimal(value) / 1000}s"
    return size_words(value) if "_bytes" in field else str(value)


def options_of(settings: "Settings", fields: Sequence[str]) -> list[str]:
    """Return the command line that gives another program these settings."""
    return [f"--{OPTIONS[each].name}={words(each, getattr(settings, each))}" for each in fields]


def _option(
    name: str,
    kind: ValueKind,
    default: str,
    help: str,
    off: tuple[Any] | None = None,
    takes_effect: "Effect" = "now",
    many: bool = False,
) -> Any:
    return field(metadata={"option": Option(name, kind, default, help, off, takes_effect, many)})


@dataclass(frozen=True)
class Settings:
    host: str = _option("host", ADDRESS, "127.0.0.1", "address to listen on", takes_effect="at a restart")
    port: int | None = _option(
        "port",
        number(0, 65535),
        "8000",
        "port to listen on; 0 takes a free one, off leaves TLS alone",
        (None,),
        takes_effect="at a restart",
    )
    data_dir: str = _option(
        "data", DIRECTORY, "", "directory of the database; :memory: is a temporary one", takes_effect="at a restart"
    )
    tls_cert: str | None = _option("tls-cert", FILE, "off", "certificate for TLS with its chain, a PEM file", (None,))
    tls_key: str | None = _option("tls-key", FILE, "off", "its key, a PEM file without a password", (None,))
    tls_port: int | None = _option(
        "tls-port", number(0, 65535), "off", "port for TLS 1.2 and up", (None,), takes_effect="at a restart"
    )
    operators: tuple[Name, ...] = _option(
        "operator", USERNAME, "none", "an operator; again for more of them", many=True
    )
    allow_passwordless: bool = _option(
        "allow-passwordless", ON_OR_OFF, "off", "accounts without a password beyond loopback", (False,)
    )
    replay_messages: int = _option("replay", number(0, 1000), "20", "messages of main that a newcomer sees")
    page_messages: int = _option("page", number(1, 200), "20", "messages of a page")
    main_rate: Rate | None = _option("main-rate-limit", RATE, "20/1h", "messages of one user in main", (None,))
    message_ttl_ms: int | None = _option(
        "message-ttl", DURATION, "1h", "life of a message once all have read it", (None,)
    )
    absent_after_ms: int | None = _option(
        "absent-after", DURATION, "30d", "how long a message waits for a user who does not read it", (None,)
    )
    reports_to_ban: int = _option("report-limit", number(1, 1000), "3", "different reporters that ban")
    ban_ms: int = _option("ban-duration", DURATION, "4h", "how long a ban by reports lasts")
    reports_per_day: int = _option("reports-per-day", number(1, 100_000), "10", "reports by one user in 24 h")
    report_min_age_ms: int = _option(
        "report-min-age", DURATION, "1h", "least age of an account whose reports count; off on loopback alone", (0,)
    )
    file_bytes_max: int = _option("file-size-max", size("1B", "1GiB"), "5MB", "bytes of one file")
    file_quota_bytes: int = _option("file-quota", size("1B", "1024GiB"), "100MB", "bytes of all files of one user")
    text_quota_bytes: int = _option(
        "text-quota", size("1B", "1024GiB"), "50MB", "bytes of all stored texts of one user"
    )
    disk_reserve_bytes: int = _option(
        "disk-reserve", size("1B", "1024GiB"), "256MB", "room on the disk below which nothing new is taken", (0,)
    )
    text_chars_max: int = _option("text-max", number(1, 60_000), "4096", "characters of one text")
    line_bytes_max: int = _option(
        "line-max",
        size("256B", "1MiB"),
        "64KiB",
        "bytes of one line after signing in",
        takes_effect="for new connections",
    )
    outbox_bytes_max: int = _option(
        "outbox-max",
        size("4KiB", "1GiB"),
        "256KiB",
        "pending output of one connection",
        takes_effect="for new connections",
    )
    stall_ms: int = _option("stall-timeout", DURATION, "60s", "how long a reader may take nothing before it is closed")
    command_rate: Rate | None = _option(
        "command-rate", RATE, "10/1s", "commands of one connection", (None,), takes_effect="for new connections"
    )
    command_burst: int = _option(
        "command-burst",
        number(1, 100_000),
        "20",
        "commands at once, ahead of that rate",
        takes_effect="for new connections",
    )
    sign_in_tries: Rate | None = _option("sign-in-tries", RATE, "5/10m", "wrong passwords for an account", (None,))
    wrong_passwords_rate: Rate | None = _option(
        "wrong-passwords-per-address",
        RATE,
        "50/1h",
        "wrong passwords from one address for all accounts that it is new to; loopback is exempt",
        (None,),
    )
    registration: str = _option(
        "registration", one_of("open", "invite", "closed"), "open", "who may register; with invite, who has a code"
    )
    accounts_rate: Rate | None = _option(
        "accounts-per-address", RATE, "10/1h", "accounts made from one address; loopback is exempt", (None,)
    )
    connections_max: int = _option("connections-max", number(1, 1_000_000), "10000", "connections at once")
    connections_per_address: int | None = _option(
        "connections-per-address", number(1, 1_000_000), "64", "of them from one address; loopback is exempt", (None,)
    )
    sign_in_timeout_ms: int | None = _option(
        "sign-in-timeout",
        DURATION,
        "60s",
        "time to sign in; loopback is exempt",
        (None,),
        takes_effect="for new connections",
    )
    delayed_max: int = _option("delayed-max", number(1, 100_000), "100", "delayed messages of one user that wait")
    delayed_ahead_ms: int = _option("delayed-ahead-max", DURATION, "365d", "how far ahead one may be")
    chats_max: int = _option("chats-max", number(1, 10_000), "100", "private chats of one user")
    link_ttl_ms: int = _option("link-ttl", DURATION, "24h", "life of a code of /invite_link")
    token_ttl_ms: int = _option("token-ttl", DURATION, "30d", "life of a sign-in token since its last use")
    presence_max: int = _option(
        "presence-max", number(0, 1_000_000), "500", "users online up to which all are told who comes and goes", (0,)
    )
    log_level: str = _option("log-level", one_of("debug", "info", "warning", "error"), "info", "least level logged")
    log_format: str = _option(
        "log-format", one_of("text", "json"), "text", "log lines for people or programs", takes_effect="at a restart"
    )
    log_file: str = _option(
        "log-file",
        LOG_FILE,
        "auto",
        "file of the log, - for stderr; auto: a file with the data on a terminal",
        takes_effect="at a restart",
    )
    metrics_file: str | None = _option("metrics-file", FILE, "off", "numbers for Prometheus, every 15 s", (None,))
    cluster: tuple[str, ...] = _option(
        "cluster",
        NATS_URLS,
        "none",
        "NATS servers whose JetStream is the log of all nodes",
        many=True,
        takes_effect="at a restart",
    )
    node: str | None = _option(
        "node", NODE, "off", "name of this node in the cluster; off draws one", (None,), takes_effect="at a restart"
    )
    reuse_port: bool = _option(
        "reuse-port",
        ON_OR_OFF,
        "off",
        "share the ports with other nodes of the cluster on this machine",
        (False,),
        takes_effect="at a restart",
    )
    cluster_user: str | None = _option(
        "cluster-user", NAME, "off", "this node's user in NATS", (None,), takes_effect="at a restart"
    )
    cluster_password_file: str | None = _option(
        "cluster-password-file", FILE, "off", "file that holds its password", (None,), takes_effect="at a restart"
    )
    cluster_ca: str | None = _option(
        "cluster-ca",
        FILE,
        "off",
        "certificates that vouch for the NATS servers, PEM; off: the system's",
        (None,),
        takes_effect="at a restart",
    )
    cluster_cert: str | None = _option(
        "cluster-cert",
        FILE,
        "off",
        "certificate that this node shows to NATS, PEM",
        (None,),
        takes_effect="at a restart",
    )
    cluster_key: str | None = _option(
        "cluster-key", FILE, "off", "its key, a PEM file without a password", (None,), takes_effect="at a restart"
    )
    file_cache_bytes: int = _option(
        "file-cache", size("1B", "1024GiB"), "1GB", "bytes of files that this node keeps on its disk"
    )
    # The fields of the options that were given, and did not keep their defaults.
    given: frozenset[str] = frozenset()

    @property
    def loopback_only(self) -> bool:
        return is_loopback(self.host)

    @property
    def passwordless(self) -> bool:
        return self.allow_passwordless or self.loopback_only

    @property
    def nats_urls(self) -> list[str]:
        """The URLs of `cluster`; where one says tls, all are meant, as in tls://one,two,three."""
        with_tls = any(url.startswith("tls:") for url in self.cluster)
        return [url.replace("nats:", "tls:", 1) if with_tls else url for url in self.cluster]

    def public_limits(self) -> dict[str, Any]:
        """Return the limits for programs: sizes and counts as numbers, durations in seconds, rates as text."""
        return {
            "text_max": self.text_chars_max,
            "line_max": self.line_bytes_max,
            "file_size_max": self.file_bytes_max,
            "file_quota": self.file_quota_bytes,
            "text_quota": self.text_quota_bytes,
            "page": self.page_messages,
            "replay": self.replay_messages,
            "message_ttl": self.message_ttl_ms // 1000 if self.message_ttl_ms else "off",
            "absent_after": self.absent_after_ms // 1000 if self.absent_after_ms else "off",
            "main_rate_limit": str(self.main_rate) if self.main_rate else "off",
            "command_rate": str(self.command_rate) if self.command_rate else "off",
            "command_burst": self.command_burst,
            "report_limit": self.reports_to_ban,
            "ban_duration": self.ban_ms // 1000,
            "delayed_max": self.delayed_max,
            "delayed_ahead_max": self.delayed_ahead_ms // 1000,
            "chats_max": self.chats_max,
            "link_ttl": self.link_ttl_ms // 1000,
            "outbox_max": self.outbox_bytes_max,
            "stall_timeout": self.stall_ms // 1000,
            "registration": self.registration,
        }


OPTIONS: dict[str, Option] = {
    each.name: each.metadata["option"] for each in fields(Settings) if "option" in each.metadata
}
# The fields of the options that are a cluster's and hold for all of its nodes, since rules depend on them; see
# `shared_settings`. All others are each node's own.
SHARED = frozenset((
    "operators", "allow_passwordless", "replay_messages", "page_messages", "main_rate", "message_ttl_ms",
    "absent_after_ms", "reports_to_ban", "ban_ms", "reports_per_day", "report_min_age_ms", "file_bytes_max",
    "file_quota_bytes", "text_quota_bytes", "sign_in_tries", "registration", "accounts_rate", "delayed_max",
    "delayed_ahead_ms", "chats_max", "link_ttl_ms", "token_ttl_ms",
))  # fmt: skip


def load(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Load the settings from all sources. Raises StartError. `--help` and `--version` print and exit as usual."""
    return resolve(vars(parser().parse_args(arguments)), environment)


class Choice(NamedTuple):
    """The choice of an option: the words of its source (`said`), and the `value` that they mean."""

    option: Option
    said: str
    source: str
    value: Any


def resolve(given: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Resolve the settings. `given` are those of the command line, by the names of their fields. Raises StartError."""
    chosen = choices(given, environment)
    said = frozenset(name for name, choice in chosen.items() if choice.source not in (DEFAULT, _ON_LOOPBACK))
    settings = Settings(**{name: choice.value for name, choice in chosen.items()}, given=said)
    if chosen["host"].source != PASSED:
        _check_ports(settings)
    _check_cluster(settings)
    return settings


def _check_ports(settings: Settings) -> None:
    """Raise StartError if only a part of TLS is given, or no port at all."""
    parts = {"--tls-cert": settings.tls_cert, "--tls-key": settings.tls_key, "--tls-port": settings.tls_port}
    missing = [name for name, value in parts.items() if value is None]
    if missing and len(missing) < len(parts):
        raise StartError(f"TLS needs all of {', '.join(parts)}; {missing[0]} is missing", status=2)
    if missing and settings.port is None:
        raise StartError("--port off leaves TLS alone, but there is no --tls-port: nobody could connect", status=2)


def refuse_without_directory(metrics_file: str | None) -> None:
    """Raise StartError if there is no directory for the metrics file."""
    if metrics_file is not None and not Path(metrics_file).parent.is_dir():
        raise StartError(f"the metrics file {metrics_file} cannot be written: there is no such directory")


def _check_cluster(settings: Settings) -> None:
    """Raise StartError if the way to NATS is named in part, or is not safe."""
    user, password_file = settings.cluster_user, settings.cluster_password_file
    certificate, key = settings.cluster_cert, settings.cluster_key
    parts = {
        "--node": settings.node,
        "--reuse-port": settings.reuse_port or None,
        "--cluster-user": user,
        "--cluster-password-file": password_file,
        "--cluster-ca": settings.cluster_ca,
        "--cluster-cert": certificate,
        "--cluster-key": key,
    }
    given = [name for name, value in parts.items() if value is not None]
    if given and not settings.cluster:
        raise StartError(f"{given[0]} is for a node of a cluster, and --cluster is not given", status=2)
    if settings.reuse_port and 0 in (settings.port, settings.tls_port):
        raise StartError("--reuse-port shares a port, and a --port of 0 is a free one that nobody shares", status=2)
    if "file_cache_bytes" in settings.given and not settings.cluster:
        raise StartError("--file-cache is for a node of a cluster, and --cluster is not given", status=2)
    for first, second in (("--cluster-user", "--cluster-password-file"), ("--cluster-cert", "--cluster-key")):
        if (parts[first] is None) != (parts[second] is None):
            raise StartError(f"{first} and {second} belong together; one of them is missing", status=2)
    for url in settings.nats_urls:
        if is_loopback(urlsplit(url).hostname or ""):
            continue
        if not url.startswith("tls:"):
            raise StartError(
                f"--cluster {url} is beyond loopback, where anybody between could read and change the chat:"
                " NATS needs TLS there, and the URL tls://",
                status=2,
            )
        if user is None and certificate is None:
            raise StartError(
                f"--cluster {url} is beyond loopback, where anybody could write into the chat: NATS needs users there,"
                " and this node --cluster-user with --cluster-password-file, or --cluster-cert with --cluster-key",
                status=2,
            )


def choices(given: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> dict[str, Choice]:
    """Return the choice of each setting, by the name of its field."""
    passed = passed_host(environment)
    file = _read_file(given.get("config") or environment.get("CHAT_CONFIG"))
    chosen = {name: _choose(name, option, given, environment, file) for name, option in OPTIONS.items()}
    if passed is not None:
        chosen["host"] = Choice(OPTIONS["host"], passed, PASSED, passed)
    age = chosen["report_min_age_ms"]
    if is_loopback(chosen["host"].value) and age.source == DEFAULT:
        chosen["report_min_age_ms"] = Choice(age.option, "off", _ON_LOOPBACK, 0)
    return chosen


DEFAULT = "default"
PASSED = "that of the sockets that were passed"
_ON_LOOPBACK = "since only loopback is listened on"


def _choose(
    name: str, option: Option, given: Mapping[str, Any], environment: Mapping[str, str], file: Mapping[str, Any]
) -> Choice:
    variable = "CHAT_" + option.name.upper().replace("-", "_")
    raw: object
    if given.get(name) is not None:
        raw, source = given[name], f"--{option.name}"
    elif environment.get(variable):
        raw, source = environment[variable], variable
    elif option.name in file:
        raw, source = file[option.name], f"{option.name} in the configuration file"
    elif option.many:
        return Choice(option, option.default, DEFAULT, ())
    elif option.default:
        raw, source = option.default, DEFAULT
    else:
        raw, source = platformdirs.user_data_dir("chat-server", appauthor=False), DEFAULT
    said = ",".join(map(str, raw)) if isinstance(raw, list) else _word(raw)
    return Choice(option, said, source, option.read(raw, source))


def _read_file(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        with open(path, "rb") as file:
            # Editors on Windows may write a byte order mark.
            table = tomllib.loads(file.read().decode("utf-8-sig"))
    except OSError as error:
        raise StartError(f"cannot read the configuration file {path}: {error.strerror}", status=2) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartError(f"the configuration file {path} is not TOML: {error}", status=2) from None
    unknown = sorted(table.keys() - {option.name for option in OPTIONS.values()})
    if unknown:
        raise StartError(f"the configuration file {path} has an unknown key: {unknown[0]}", status=2)
    return table


class Parser(argparse.ArgumentParser):
    """Takes options before, between and behind other arguments, and says what is wrong in one line."""

    _is_parsing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # argparse gives all optional arguments their values at once, and refuses those behind an option: all but the
        # first of `cluster settings --data DIR page 30`.
        if self._is_parsing or not any(each.nargs in ("?", "*") for each in self._get_positional_actions()):
            return super().parse_known_args(args, namespace)
        self._is_parsing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_parsing = False

    def error(self, message: str) -> Any:
        raise StartError(f"{message}; see chat-server --help", status=2)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write the message, and raise if that fails, as argparse does not."""
        file.write(message)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line's settings."""
    parser = Parser(
        prog="chat-server",
        description="A line-based chat server. Try it with: nc localhost 8000",
        epilog="Each option is also an environment variable (CHAT_MAIN_RATE_LIMIT) and a key of the TOML file"
        " (main-rate-limit). Durations: 90s, 5m, 2h, 1d; rates: 20/1h; sizes: 256KiB, 5MB.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"chat-server {__version__} ({BUILD})")
    add_options(parser)
    return parser


def add_options(parser: argparse.ArgumentParser, *, default: str | None = None, shown: bool = True) -> None:
    """Add all options; `default` is the value of those that are not given."""

    def add(name: str, help: str, **more: Any) -> None:
        parser.add_argument(f"--{name}", default=default, help=help if shown else argparse.SUPPRESS, **more)

    add("config", "TOML file with settings", metavar="FILE")
    for name, option in OPTIONS.items():
        said = option.default or "the user's data directory"
        off = "" if option.off is None or said == "off" else ", or off"
        metavar = option.kind.metavar
        if option.kind is ON_OR_OFF:
            add(option.name, option.help, dest=name, nargs="?", const="on", metavar=metavar)
        elif option.many:
            add(option.name, option.help, dest=name, action="append", metavar=metavar)
        else:
            add(option.name, f"{option.help} ({said}{off})", dest=name, metavar=metavar)
