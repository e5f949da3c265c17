"""The replies to what operators and the machine itself ask for."""

from msgspec import Struct

from chat_server.protocol.events import Ban, Reply


class UserBanned(Reply, frozen=True, omit_defaults=True):
    user: str
    until: str
    reason: str


class UserUnbanned(Reply, frozen=True, omit_defaults=True):
    user: str
    note: str | None = None


class Kicked(Reply, frozen=True, omit_defaults=True):
    user: str


class Announced(Reply, frozen=True, omit_defaults=True):
    pass


class CodeMade(Reply, frozen=True, omit_defaults=True):
    """The code itself is only with who drew it."""

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


class ReportMade(Struct, frozen=True):
    """`counted`: whether it counted towards a ban when it was made."""

    user: str
    by: str
    at: str
    reason: str
    counted: bool


class Accused(Struct, frozen=True, omit_defaults=True):
    """How often a user was reported; `counting`: how many of these count towards the next ban."""

    user: str
    reports: int
    counting: int
    ban: Ban | None = None


class ReportList(Reply, frozen=True, omit_defaults=True):
    reports: list[ReportMade]
    users: list[Accused]
    more: str | None = None


class Stats(Reply, frozen=True, omit_defaults=True):
    """`texts` is what all stored texts have, `texts_most` what those of one user have at most, of `text_quota`.

    `live` is what the running server has counted since its start; of one that does not run there is none.
    """

    users: int
    banned: int
    reports: int
    seq: int
    database: int
    texts: int
    texts_most: int
    text_quota: int
    at: str
    live: dict[str, int] | None = None


class OperatorSet(Reply, frozen=True, omit_defaults=True):
    user: str
    operator: bool


class Operator(Struct, frozen=True, omit_defaults=True):
    """`by`: the configuration or the command; `note` says why it may do nothing yet."""

    user: str
    by: str
    note: str | None = None


class OperatorList(Reply, frozen=True, omit_defaults=True):
    operators: list[Operator]


class UserPasswordSet(Reply, frozen=True, omit_defaults=True):
    user: str


class TimeRepaired(Reply, frozen=True, omit_defaults=True):
    """How many messages and accounts had a time in the future."""

    messages: int
    users: int


class Exported(Reply, frozen=True, omit_defaults=True):
    user: str
    records: int


class FilesKept(Reply, frozen=True, omit_defaults=True):
    pass


class Acts(Reply, frozen=True, omit_defaults=True):
    count: int
