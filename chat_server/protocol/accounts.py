"""Accounts: signing in and out, passwords, deletion, and the ban of an account."""

from msgspec import Struct

from chat_server.protocol.arguments import Id, OnOff, Secret, SessionChoice, Token
from chat_server.protocol.base import Command, Event, Reply
from chat_server.protocol.names import Name
from chat_server.protocol.rooms import ChatInfo, Invitation, PendingRequest
from chat_server.protocol.table import command


class Banned(Event, frozen=True, tag="banned"):
    until: str
    reason: str


class Unbanned(Event, frozen=True, tag="unbanned"):
    pass


class ActiveBan(Struct, frozen=True):
    until: str
    reason: str


class SignedIn(Reply, frozen=True, omit_defaults=True):
    user: str
    new: bool
    seq: int
    history: str
    chats: list[ChatInfo]
    invitations: list[Invitation]
    join_requests: list[PendingRequest]
    token: str | None = None
    ban: ActiveBan | None = None


class SignedOut(Reply, frozen=True, omit_defaults=True):
    closed: int


class PasswordSet(Reply, frozen=True, omit_defaults=True):
    pass


class AccountDeleted(Reply, frozen=True, omit_defaults=True):
    user: str


# ---- commands


@command(
    "sign_in",
    "connect",
    group="Start",
    reply=SignedIn,
    runs="prepared",
    who="strangers",
    json_only=("register",),
    help="signs in; the first time it registers the name, with an invitation code where the server asks for one",
    example="/sign_in anna",
)
class SignIn(Command, frozen=True, tag="sign_in"):
    """With `register` off, a name without an account is refused, so that a script with a typo makes no account."""

    username: Name
    password: Secret | None = None
    register: OnOff = OnOff(True)
    code: Secret | None = None

    @property
    def claimed_name(self) -> str:
        return self.username.name


@command(
    "resume",
    group="Start",
    reply=SignedIn,
    runs="prepared",
    who="strangers",
    help="signs in with the token of an earlier sign-in; with a position, brings all that changed after it",
    example="/resume 6Yw1Yk3o 120",
)
class Resume(Command, frozen=True, tag="resume"):
    token: Token
    position: Id | None = None


@command(
    "sign_out",
    group="Start",
    reply=SignedOut,
    runs="prepared",
    usage={"session": "[all|session]"},
    help="signs out here; with all or a number (see /sessions) there, and ends those tokens",
    example="/sign_out all",
)
class SignOut(Command, frozen=True, tag="sign_out"):
    session: SessionChoice | None = None


@command(
    "password",
    group="Start",
    reply=PasswordSet,
    runs="prepared",
    order=("old", "new"),
    help="sets or changes the password; all other connections of the account close, and their tokens end",
    example="/password old-secret new-secret",
)
class Password(Command, frozen=True, tag="password"):
    new: Secret
    old: Secret | None = None


@command(
    "delete_account",
    group="Start",
    reply=AccountDeleted,
    runs="prepared",
    help="removes the account and all that it wrote, for ever; without a password, repeat the name instead",
    example="/delete_account my-password",
)
class DeleteAccount(Command, frozen=True, tag="delete_account"):
    password: Secret
