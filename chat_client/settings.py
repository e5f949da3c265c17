"""The options of chat-client, from the command line, the settings file and the defaults."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs
from msgspec import Struct

from chat_client.common.file_paths import expanded
from chat_client.common.setting import Section, Setting, SettingError, unknown
from chat_client.exit_status import SUMMARY
from chat_client.sdk.server_address import read as read_servers
from chat_client.standard_streams import decode
from chat_server import __version__
from chat_server.build import BUILD

NAME = "chat-client"
Theme = Literal["dark", "light", "terminal", "mono"]
EDIT = "settings"  # chat-client settings
FILE_CHARS_MAX = 1_000_000
GENERAL = Section(
    "",
    "The server, the name, and how the client behaves.",
    (
        Setting(
            "server",
            "chat.example.org:8001",
            "the server, or several of one cluster, with commas; by default the last one",
        ),
        Setting("user", "alice", "the name to sign in with; by default the last one there"),
        Setting("tls", False, "speak TLS"),
        Setting("ca", "~/ca.pem", "who signed the server's certificate (PEM), if the system does not know; speaks TLS"),
        Setting("plain", False, "one column instead of the full screen"),
        Setting("times", True, "in one column: the time before each message"),
        Setting("ids", True, "in one column: the id behind each message, by which one answers it"),
        Setting("presence", True, "in one column: who comes and goes"),
        Setting("theme", "dark", "the colours; by default what fits the terminal", get_args(Theme)),
        Setting("downloads", "~/Downloads", "the folder for received files"),
        Setting("log", "~/chat-log", "a folder that keeps what you have read; the server removes messages"),
        Setting("mouse", True, "use the mouse: clicks and the wheel"),
        Setting(
            "highlight",
            ["deploy", "prod*"],
            "words that call you as your name does; prod* is every word that begins so",
        ),
        Setting("notify", True, "ring the bell and show notifications on the desktop"),
        Setting("typing", False, "in private chats and chats of two, show others when you type, and see when they do"),
    ),
)
FILE_KEYS = tuple(setting.name for setting in GENERAL.settings)
_PROFILE = "[A-Za-z0-9][A-Za-z0-9_-]*"


class UsageError(Exception):
    """A wrong option, file or input: one line, and exit status 2."""


class Settings(Struct, frozen=True, kw_only=True):
    """`servers` and `user` are asked for, or remembered, where they are missing."""

    servers: tuple[str, ...] = ()
    user: str | None = None
    tls: bool = False
    ca: Path | None = None
    plain: bool = False
    times: bool = True
    ids: bool = True
    presence: bool = True
    theme: Theme | None = None  # None: what fits the terminal
    downloads: Path
    log: Path | None = None  # the folder of the log of what was read
    mouse: bool = True
    highlight: list[str] = []  # words that call
    notify: bool = True  # bell and desktop notifications
    typing: bool = False  # whether others are told that the user types, and the user of them
    # Scripts:
    send: str | None = None  # the target
    text: str | None = None  # what to send; None: from stdin
    follow: str | None = None  # the chat, or `all`
    json: bool = False
    register: bool = False  # whether a script may make an account
    edit: bool = False  # chat-client settings
    # Where things are kept:
    data_dir: Path
    config_file: Path
    tables: dict[str, dict[str, Any]] = {}  # the other sections of the file, as they stand there

    def section(self, section: Section) -> dict[str, Any]:
        """The entries of one of them. Raises UsageError."""
        try:
            return section.read(self.tables.get(section.name, {}))
        except SettingError as error:
            raise UsageError(f"{self.config_file}: [{section.name}]: {error}") from None

    def check_tables(self, sections: Sequence[Section]) -> None:
        """Raises UsageError for a table that is none of these sections, or that has a mistake."""
        names = [section.name for section in sections]
        for name in self.tables:
            if name not in names:
                raise UsageError(f"{self.config_file} has {unknown('an unknown section', name, names)}")
        for section in sections:
            self.section(section)


def load(arguments: Sequence[str]) -> Settings:
    """Raises UsageError; `--help` and `--version` print and exit, as argparse does."""
    given = _in_words(vars(option_parser().parse_args(arguments)))
    config_file = Path(given["config"] or Path(platformdirs.user_config_dir(NAME, appauthor=False)) / "config.toml")
    if given["text"] == [EDIT] and given["send"] is None:
        # The file is not read, so that one with a mistake can be put right.
        return Settings(edit=True, downloads=Path(), data_dir=data_dir(), config_file=config_file)
    profile = given["profile"]
    values, tables = _read_file(config_file, given["config"] is not None, profile)
    values |= {name: given[name] for name in FILE_KEYS if given.get(name) is not None}
    if "theme" in values and values["theme"] not in get_args(Theme):
        raise UsageError(f"a theme is {', '.join(get_args(Theme))}, not {values['theme']}")
    servers = values.pop("server", None)
    try:
        named = tuple(str(server) for server in read_servers(servers)) if servers else ()
    except ValueError as error:
        raise UsageError(str(error)) from None
    ca, log = (values.pop(name, None) for name in ("ca", "log"))
    downloads = expanded(values.pop("downloads", None) or platformdirs.user_downloads_dir())
    return Settings(
        servers=named,
        ca=expanded(ca) if ca else None,
        log=expanded(log) if log else None,
        downloads=downloads,
        data_dir=data_dir() if profile is None else data_dir() / "profiles" / profile,
        config_file=config_file,
        tables=tables,
        **values,
        **_script(given),
    )


def data_dir() -> Path:
    """The folder of the tokens, the typed lines and the log of faults; a profile has its own within it."""
    return Path(platformdirs.user_data_dir(NAME, appauthor=False))


def _in_words(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments, with those that the server gets decoded to text. Paths stay as they are: they may be any bytes."""
    for name in ("server", "user", "send", "follow", "text"):
        try:
            if isinstance(given[name], str):
                given[name] = decode(os.fsencode(given[name]))
            elif given[name]:
                given[name] = [decode(os.fsencode(word)) for word in given[name]]
        except UnicodeDecodeError:
            raise UsageError(f"the {'text' if name == 'text' else f'word behind --{name}'} is not UTF-8") from None
    return given


def _script(given: dict[str, Any]) -> dict[str, Any]:
    text = " ".join(given["text"]) if given["text"] else None
    if text is not None and given["send"] is None:
        raise UsageError(f"a text goes with --send: {NAME} --send main {given['text'][0]!r}")
    if given["json"] and given["follow"] is None:
        raise UsageError("--json goes with --follow")
    if given["send"] is not None and given["follow"] is not None:
        raise UsageError("--send and --follow do not go together")
    return {
        "register": given["register"],
        "send": given["send"],
        "text": text,
        "follow": given["follow"],
        "json": given["json"],
    }


def check_file(path: Path, sections: Sequence[Section]) -> None:
    """Check all that stands in the file, each profile too. Raises UsageError."""
    for profile in (None, *_read_toml(path, must_exist=True).get("profiles", {})):
        load(["--config", str(path), *(("--profile", profile) if profile else ())]).check_tables(sections)


def _read_file(path: Path, must_exist: bool, profile: str | None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The general entries and the other sections, with those of the profile over them. Raises UsageError."""
    table = _read_toml(path, must_exist or profile is not None)
    profiles = table.pop("profiles", {})
    if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise UsageError(f"{path}: a profile is a section like [profiles.work]")
    if profile is not None and profile not in profiles:
        raise UsageError(f"{path} has {unknown('no such profile', profile, profiles)}")
    if wrong := [name for name in profiles if not re.fullmatch(_PROFILE, name)]:
        raise UsageError(f"{path}: the name of a profile has letters, digits, - and _ of ASCII, unlike {wrong[0]!r}")
    general, tables = _parted(table)
    over, more = _parted(profiles[profile]) if profile is not None else ({}, {})
    try:
        values = GENERAL.read(general) | GENERAL.read(over)
    except SettingError as error:
        raise UsageError(f"{path}: {error}") from None
    return values, {name: tables.get(name, {}) | more.get(name, {}) for name in (*tables, *more)}


def _parted(table: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The entries of a table, and the tables within it."""
    within = {name: value for name, value in table.items() if isinstance(value, dict)}
    return {name: value for name, value in table.items() if name not in within}, within


def _read_toml(path: Path, must_exist: bool) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8-sig") as file:  # some editors write a byte order mark
            text = file.read(FILE_CHARS_MAX + 1)
    except (FileNotFoundError, NotADirectoryError) as error:  # HOME=/dev/null means that there is no file
        if must_exist:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
        return {}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; --config /dev/null does without it") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error.reason} in byte {error.start}") from None
    if len(text) > FILE_CHARS_MAX:
        raise UsageError(f"{path} has more than {FILE_CHARS_MAX:,} characters: it is no settings file")

    import tomllib  # 2 ms that a start without a file need not take

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(f"{message}; see {NAME} --help")


def option_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=NAME, description="A chat in the terminal.", epilog=SUMMARY, allow_abbrev=False)
    add = parser.add_argument
    add("--version", action="version", version=f"{NAME} {__version__} ({BUILD})")
    add("--server", metavar="HOST:PORT[,…]", help="the server; several of one cluster are tried in turn")
    add("--user", metavar="NAME", help="the name to sign in with")
    add("--tls", action="store_true", default=None, help="speak TLS")
    add("--ca", metavar="FILE", help="who signed the server's certificate (PEM), if the system does not know")
    add("--plain", action="store_true", default=None, help="one column instead of the full screen")
    add("--theme", metavar="|".join(get_args(Theme)), help="the colours; by default what fits the terminal")
    add("--downloads", metavar="DIR", help="where received files go")
    add("--log", metavar="DIR", help="log what was read: a file for each chat")
    add("--profile", metavar="NAME", help="use [profiles.NAME] of the settings file, with its own tokens")
    add("--config", metavar="FILE", help=f"another settings file; {NAME} {EDIT} opens it in your editor")
    scripts = parser.add_argument_group("for scripts")
    scripts.add_argument("--send", metavar="TARGET", help="send one message: the text that follows, or stdin")
    scripts.add_argument("--follow", metavar="CHAT", help="print what is said in a chat, or in `all`, from now on")
    scripts.add_argument("--register", action="store_true", help="make an account for a name that has none")
    scripts.add_argument("--json", action="store_true", help="print JSON lines")
    scripts.add_argument("text", nargs="*", metavar="TEXT", help=argparse.SUPPRESS)
    return parser
