"""The commands of operators, and those that only the machine itself may say (`control`).

The latter come over the control socket, from the other words of the chat-server command; they are in no help.
"""

from chat_server.protocol.arguments import Duration, Id, Reason, Sha256, Text, User, Word
from chat_server.protocol.table import Command, command


@command(
    "ban",
    group="Operators",
    operators_only=True,
    help="forbids a user to write, for a while; reading goes on",
    example="/ban mallory 2d floods main",
)
class Ban(Command, frozen=True, tag="ban"):
    username: User
    duration: Duration | None = None
    reason: Reason | None = None


@command("unban", group="Operators", operators_only=True, help="ends a user's ban", example="/unban mallory")
class Unban(Command, frozen=True, tag="unban"):
    username: User


@command(
    "kick",
    group="Operators",
    operators_only=True,
    help="closes a user's connections; the user may come back",
    example="/kick mallory calm down",
)
class Kick(Command, frozen=True, tag="kick"):
    username: User
    reason: Reason | None = None


@command(
    "reports",
    group="Operators",
    operators_only=True,
    help="who reported whom, when and why; the last ones, or those about one user",
    example="/reports mallory",
)
class Reports(Command, frozen=True, tag="reports"):
    username: User | None = None


@command(
    "announce",
    group="Operators",
    operators_only=True,
    help="tells everybody who is connected",
    example="/announce the server restarts at noon",
)
class Announce(Command, frozen=True, tag="announce"):
    text: Text


@command("stats", group="Operators", operators_only=True, help="how much there is and goes on", example="/stats")
class Stats(Command, frozen=True, tag="stats"):
    pass


# ---- what only the machine itself may say


@command("appoint", group="Operators", control=True, help="makes an account an operator", example="/appoint bob")
class Appoint(Command, frozen=True, tag="appoint"):
    username: User


@command("dismiss", group="Operators", control=True, help="makes it an ordinary account", example="/dismiss bob")
class Dismiss(Command, frozen=True, tag="dismiss"):
    username: User


@command("operators", group="Operators", control=True, help="lists the operators", example="/operators")
class ListOperators(Command, frozen=True, tag="operators"):
    pass


@command(
    "set_password",
    group="Operators",
    control=True,
    help="sets an account's password by its hash, ends its tokens and closes its connections",
    example="/set_password bob $argon2id$...",
)
class SetPasswordOf(Command, frozen=True, tag="set_password_of"):
    username: User
    hash: Word


@command(
    "invite_code",
    group="Operators",
    control=True,
    help="lets one account be made with the code of this SHA-256",
    example=f"/invite_code {'0' * 64}",
)
class MakeCode(Command, frozen=True, tag="make_code"):
    hash: Sha256


@command("invite_codes", group="Operators", control=True, help="lists the codes that wait", example="/invite_codes")
class ListCodes(Command, frozen=True, tag="list_codes"):
    pass


@command("revoke_code", group="Operators", control=True, help="ends a code", example="/revoke_code 3")
class RevokeCode(Command, frozen=True, tag="revoke_code"):
    id: Id


@command("forget", group="Operators", control=True, help="removes an account and its texts", example="/forget bob")
class Forget(Command, frozen=True, tag="forget"):
    username: User


@command("export", group="Operators", control=True, help="all that is kept of a user", example="/export bob")
class Export(Command, frozen=True, tag="export"):
    username: User


@command("backup", group="Operators", control=True, help="keeps all files while one is made", example="/backup")
class Backup(Command, frozen=True, tag="backup"):
    """Nothing that the database has now is taken off the disk until the connection ends."""


@command(
    "repair_time",
    group="Operators",
    control=True,
    help="dates what lies in the future, after a clock was wrong, with times that have been",
    example="/repair_time",
)
class RepairTime(Command, frozen=True, tag="repair_time"):
    pass


@command("audit", group="Operators", control=True, help="what operators did, oldest first", example="/audit 120")
class Audit(Command, frozen=True, tag="audit"):
    after: Id | None = None
