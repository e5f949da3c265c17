"""The administrator's commands over the control socket: operators, codes, exports, the audit."""

from typing import Any

from msgspec import Struct

from chat_server.protocol.arguments import Id, Sha256, Text, Username, Word
from chat_server.protocol.base import Command, Event, Reply
from chat_server.protocol.table import CONTROL as CONTROL
from chat_server.protocol.table import command


class AuditedAct(Event, frozen=True, tag="act"):
    """What an operator did, as the audit has it. It is sent over the control socket alone."""

    id: int
    at: str
    who: str
    act: str
    whom: str | None = None
    why: str | None = None


class Record(Event, frozen=True, tag="record"):
    """One thing that is stored about a user. It is sent over the control socket alone."""

    kind: str
    data: dict[str, Any]


class OperatorSet(Reply, frozen=True, omit_defaults=True):
    user: str
    operator: bool


class Operator(Struct, frozen=True, omit_defaults=True):
    """`by` says what made the user an operator; `note` says why the operator may do nothing yet."""

    user: str
    by: str
    note: str | None = None


class OperatorList(Reply, frozen=True, omit_defaults=True):
    operators: list[Operator]


class UserPasswordSet(Reply, frozen=True, omit_defaults=True):
    user: str


class CodeMade(Reply, frozen=True, omit_defaults=True):
    """The code itself is known only to whoever drew it."""

    code: int
    expires: str
    note: str | None = None


class CodeRevoked(Reply, frozen=True, omit_defaults=True):
    code: int


class Code(Struct, frozen=True):
    code: int
    expires: str


class CodeList(Reply, frozen=True, omit_defaults=True):
    codes: list[Code]


class TimeRepaired(Reply, frozen=True, omit_defaults=True):
    """How many messages and accounts had a time in the future."""

    messages: int
    users: int


class SettingsShown(Reply, frozen=True, omit_defaults=True):
    """The settings that all nodes share, as words by the names of the options."""

    settings: dict[str, str]


class SettingsChanged(Reply, frozen=True, omit_defaults=True):
    """The settings that were changed as they are now, and as they were."""

    settings: dict[str, str]
    was: dict[str, str]
    note: str | None = None


class AccountForgotten(Reply, frozen=True, omit_defaults=True):
    """`note` says by when the disks of a cluster have lost the texts."""

    user: str
    note: str | None = None


class ClusterVerified(Reply, frozen=True):
    """What the nodes hold at a batch of the log.

    The nodes in `same` have all tables alike, with `digest`; they are most if `is_majority`. `different` has the tables
    in which each other one differs from these; `failed` says why a node could not tell, and `unanswered` have not
    answered. Nodes whose tables have another version, as during an upgrade, are `apart`: they are compared with each
    other alone. `agree` says that all have answered, and none differs.
    """

    agree: bool
    batch: int
    stream: int
    same: list[str]
    digest: str
    is_majority: bool
    different: dict[str, list[str]]
    failed: dict[str, str]
    unanswered: list[str]
    apart: list[str]


class Reloaded(Reply, frozen=True):
    """The settings were read again: a line for each that changed, and for each that changes with the next start."""

    changes: list[str]
    at_restart: list[str]


class Exported(Reply, frozen=True, omit_defaults=True):
    user: str
    records: int


class FilesKept(Reply, frozen=True, omit_defaults=True):
    pass


class Acts(Reply, frozen=True, omit_defaults=True):
    count: int


# ---- commands


@command(
    "appoint",
    group="Operators",
    reply=OperatorSet,
    runs="logged",
    who="machine",
    help="makes an account an operator",
    example="/appoint bob",
)
class Appoint(Command, frozen=True, tag="appoint"):
    username: Username


@command(
    "dismiss",
    group="Operators",
    reply=OperatorSet,
    runs="logged",
    who="machine",
    help="makes it an ordinary account",
    example="/dismiss bob",
)
class Dismiss(Command, frozen=True, tag="dismiss"):
    username: Username


@command(
    "operators",
    group="Operators",
    reply=OperatorList,
    runs="reading",
    who="machine",
    help="lists the operators",
    example="/operators",
)
class ListOperators(Command, frozen=True, tag="operators"):
    pass


@command(
    "set_password",
    group="Operators",
    reply=UserPasswordSet,
    runs="logged",
    who="machine",
    help="sets an account's password by its hash, ends its tokens and closes its connections",
    example="/set_password bob $argon2id$...",
)
class SetPasswordOf(Command, frozen=True, tag="set_password_of"):
    username: Username
    hash: Word


@command(
    "invite_code",
    group="Operators",
    reply=CodeMade,
    runs="logged",
    who="machine",
    help="lets one account be made with the code of this SHA-256",
    example=f"/invite_code {'0' * 64}",
)
class MakeCode(Command, frozen=True, tag="make_code"):
    hash: Sha256


@command(
    "invite_codes",
    group="Operators",
    reply=CodeList,
    runs="reading",
    who="machine",
    help="lists the codes that wait",
    example="/invite_codes",
)
class ListCodes(Command, frozen=True, tag="list_codes"):
    pass


@command(
    "revoke_code",
    group="Operators",
    reply=CodeRevoked,
    runs="logged",
    who="machine",
    help="ends a code",
    example="/revoke_code 3",
)
class RevokeCode(Command, frozen=True, tag="revoke_code"):
    id: Id


@command(
    "forget",
    group="Operators",
    reply=AccountForgotten,
    runs="logged",
    who="machine",
    help="removes an account and its texts",
    example="/forget bob",
)
class Forget(Command, frozen=True, tag="forget"):
    username: Username


@command(
    "export",
    group="Operators",
    reply=Exported,
    runs="reading",
    who="machine",
    help="all that is kept of a user",
    example="/export bob",
)
class Export(Command, frozen=True, tag="export"):
    username: Username


@command(
    "backup",
    group="Operators",
    reply=FilesKept,
    runs="reading",
    who="machine",
    help="keeps all files while one is made",
    example="/backup",
)
class Backup(Command, frozen=True, tag="backup"):
    """Until the connection ends, no file that the database knows now is removed from the disk."""


@command(
    "repair_time",
    group="Operators",
    reply=TimeRepaired,
    runs="logged",
    who="machine",
    help="dates what lies in the future, after a clock was wrong, with times that have been",
    example="/repair_time",
)
class RepairTime(Command, frozen=True, tag="repair_time"):
    pass


@command(
    "settings",
    group="Operators",
    reply=SettingsShown,
    runs="reading",
    who="machine",
    help="shows the settings that all nodes of a cluster share",
    example="/settings",
)
class ShowSettings(Command, frozen=True, tag="settings"):
    pass


@command(
    "change_settings",
    group="Operators",
    reply=SettingsChanged,
    runs="logged",
    who="machine",
    help="changes them for all nodes: options and their values in turn",
    example="/change_settings main-rate-limit 50/1h page 30",
)
class ChangeSettings(Command, frozen=True, tag="change_settings"):
    changes: Text


@command(
    "verify",
    group="Operators",
    reply=ClusterVerified,
    runs="reading",
    who="machine",
    help="compares what all nodes of a cluster hold at the same batch",
    example="/verify",
)
class Verify(Command, frozen=True, tag="verify"):
    pass


@command(
    "reload",
    group="Operators",
    reply=Reloaded,
    runs="reading",
    who="machine",
    help="reads the settings again, and the certificate",
    example="/reload",
)
class Reload(Command, frozen=True, tag="reload"):
    pass


@command(
    "audit",
    group="Operators",
    reply=Acts,
    runs="reading",
    who="machine",
    help="what operators did, oldest first",
    example="/audit 120",
)
class Audit(Command, frozen=True, tag="audit"):
    after: Id | None = None
