"""Accounts: signing in and out, passwords, deletion, and the ban of an account."""

from msgspec import Struct

from chat_server.protocol.arguments import Id, OnOff, Secret, SessionChoice, Token, TokenId
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


class TokenInfo(Struct, frozen=True, omit_defaults=True):
    """One of the user's tokens. `token_id` names it, and is no secret.

    `client` and `address` are those of the last sign-in by it; `address` is what counts as one (IPv6: the network).
    `connected` marks one by which connections are there, `this` the one of the connection that asks.
    """

    token_id: str
    used: str
    made: str | None = None
    client: str | None = None
    address: str | None = None
    connected: bool = False
    this: bool = False


class TokenList(Reply, frozen=True, omit_defaults=True):
    """`note` says that connections to other nodes may be missing in it."""

    tokens: list[TokenInfo]
    note: str | None = None


class TokenRevoked(Reply, frozen=True, omit_defaults=True):
    """`closed` counts the connections that had come in by it."""

    token_id: str
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
    "tokens",
    group="Start",
    reply=TokenList,
    runs="prepared",
    help="lists the tokens that programs sign in with to your account: which program, from where, and when last",
    example="/tokens",
)
class ListTokens(Command, frozen=True, tag="tokens"):
    pass


@command(
    "revoke_token",
    group="Start",
    reply=TokenRevoked,
    runs="prepared",
    help="ends one of these tokens; its connections close, and nobody signs in with it again",
    example="/revoke_token 3f9a1c07",
)
class RevokeToken(Command, frozen=True, tag="revoke_token"):
    token_id: TokenId


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
