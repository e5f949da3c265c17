"""Preparation: the slow or random part of a command, done before it is logged.

The result is another command, for the log, that holds what was decided and what that was based on. If this has changed
by the time the command is executed, its rule says `Stale`, and it is prepared again. No password and no token leaves
this module.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from chat_server.addresses import counted_network
from chat_server.chat_time import ChatTime
from chat_server.delivery.delivery import Delivery
from chat_server.errors import Refusal
from chat_server.freshness import Freshness
from chat_server.handlers import Handlers
from chat_server.log.entries import (
    Accept,
    Ask,
    CloseAccount,
    Enter,
    EnterByToken,
    Limits,
    MakeLink,
    OpenUpload,
    SetPassword,
    WrongPassword,
)
from chat_server.overload import STRANGERS, Overload
from chat_server.passwords import Guesses, Passwords, SignInGuard, Waiter
from chat_server.protocol.accounts import (
    DeleteAccount,
    ListTokens,
    Password,
    Resume,
    RevokeToken,
    SignedOut,
    SignIn,
    SignOut,
    TokenInfo,
    TokenList,
    TokenRevoked,
)
from chat_server.protocol.arguments import TOKEN_ID_DIGITS
from chat_server.protocol.base import Command, Reply
from chat_server.protocol.connection import ListSessions
from chat_server.protocol.files import Chunk, SendFile, Upload
from chat_server.protocol.names import Name, fold
from chat_server.protocol.people import TellTyping, TypingTold
from chat_server.protocol.rooms import InviteLink, Join
from chat_server.protocol.times import iso
from chat_server.rules.accounts import bad_token_refusal, no_account_refusal
from chat_server.rules.context import View
from chat_server.rules.outcomes import Prepared
from chat_server.rules.registration import refuse_registration
from chat_server.rules.typing_signals import typing_signal
from chat_server.rules.wrong_passwords import counted_as, next_try_ms, wrong_password_refusal
from chat_server.runtime import Runtime
from chat_server.store import accounts, operators, registrations
from chat_server.store.accounts import StoredToken, User
from chat_server.store.database import Database
from chat_server.store.readers import Readers
from chat_server.transfers import Transfers

TOKEN_BYTES = 24
# The refusals that rest on what the store says, which is looked at once more before them: see `freshness`.
_OF_THE_STORE = frozenset((
    "bad_name", "bad_token", "forbidden", "not_signed_in", "password_required", "rate_limited", "too_fast",
    "unknown_user", "wrong_password",
))  # fmt: skip


class Asker(Struct, frozen=True):
    """The connection that asks. `token` is the hash of the one that it came in by, `client` the name of its program."""

    user_id: int
    session: int
    connection: Waiter
    token: bytes | None
    wants_token: bool
    client: str | None = None


PREPARATIONS: Handlers[Callable[["Preparer", Asker, Any], Awaitable[Prepared | Reply]]] = Handlers("prepared")
preparation = PREPARATIONS.register


class Preparer:
    def __init__(
        self,
        runtime: Runtime,
        readers: Readers,
        limits: Callable[[], Limits],
        time: ChatTime,
        passwords: Passwords,
        guard: SignInGuard,
        guesses: Guesses,
        transfers: Transfers,
        delivery: Delivery,
        freshness: Freshness,
        overload: Overload,
    ) -> None:
        self._runtime = runtime
        self._readers = readers
        self._limits = limits
        self._time = time
        self._transfers = transfers
        self._passwords = passwords
        self._guard = guard
        self._guesses = guesses
        self._delivery = delivery
        self._freshness = freshness
        self._overload = overload

    async def prepare(self, asker: Asker, command: Command) -> Prepared | Reply:
        """Return what has to be logged, or the reply to a command that is done already. Raises Refusal."""
        prepare, since = PREPARATIONS[type(command)], self._freshness.mark()
        try:
            return await prepare(self, asker, command)
        except Refusal as refusal:
            if refusal.code not in _OF_THE_STORE or not await self._freshness.has_changed(since):
                raise
        return await prepare(self, asker, command)

    @preparation(SignIn)
    async def sign_in(self, asker: Asker, command: SignIn) -> Prepared:
        self._delivery.outage.refuse_newcomer()
        name, password = command.username, command.password
        user = await self._readers.pick().run(accounts.by_name, name.folded)
        if self._overload.is_shed(STRANGERS):
            await self._readers.pick().run(self._refuse_stranger, asker, user)
        saw_version = user.password_version if user else 0
        new_hash, code = None, hash_token(command.code) if command.code else None
        if user is not None and user.password is not None:
            if password is None:
                words = f"{name.name} has a password: /sign_in {name.name} <password>"
                raise Refusal("password_required", words, needs="password")
            if not await self._verify(asker, user, password):
                return self._reject(user)
        elif user is None and not command.register:
            raise no_account_refusal(name)
        elif user is None and password is not None:
            await self._readers.pick().run(self._refuse_registration, asker, name, code)
            new_hash = await self._passwords.hash(asker.connection, name.folded, password)
        token = self._runtime.token_urlsafe(TOKEN_BYTES) if asker.wants_token else None
        token_hash = hash_token(token) if token else None
        return Prepared(
            Enter(
                name,
                saw_version,
                new_hash,
                password is not None,
                token_hash,
                command.register,
                code,
                asker.client,
            ),
            token,
        )

    @preparation(Resume)
    async def resume(self, asker: Asker, command: Resume) -> Prepared:
        self._delivery.outage.refuse_newcomer()
        token_hash = hash_token(command.token)
        # When each try was logged, 300 strangers who tried tokens raised the p99 of everybody else from 63 to 400 ms.
        if await self._readers.pick().run(accounts.user_of_token, token_hash, 0) is None:
            raise bad_token_refusal()
        return Prepared(EnterByToken(token_hash, asker.client), command.token, position=command.position)

    @preparation(SignOut)
    async def sign_out(self, asker: Asker, command: SignOut) -> Prepared:
        end, count = await self._delivery.sessions.to_end(asker.user_id, asker.session, command)
        return Prepared(end, reply=lambda _: SignedOut(count()))

    @preparation(ListSessions)
    async def list_sessions(self, asker: Asker, command: ListSessions) -> Reply:
        return await self._delivery.sessions.list(asker.user_id, asker.session)

    @preparation(ListTokens)
    async def list_tokens(self, asker: Asker, command: ListTokens) -> Reply:
        connected, note = await self._delivery.sessions.tokens(asker.user_id)
        wall_ms = self._time.now().wall_ms
        listed = [
            TokenInfo(
                token_id=id_of_token(each.hash),
                used=iso(wall_ms(each.used_ms)),
                made=None if each.made_ms is None else iso(wall_ms(each.made_ms)),
                client=each.client,
                address=each.network or None,
                connected=each.hash in connected,
                this=each.hash == asker.token,
            )
            for each in await self._tokens(asker)
        ]
        return TokenList(listed, note)

    @preparation(RevokeToken)
    async def revoke_token(self, asker: Asker, command: RevokeToken) -> Prepared:
        found = [each.hash for each in await self._tokens(asker) if id_of_token(each.hash) == command.token_id]
        if not found:
            raise Refusal("bad_token", f"you have no token {command.token_id}; /tokens lists them")
        if found[0] == asker.token:
            raise Refusal("bad_argument", "this connection came in by that token; /sign_out ends both")
        end, count = await self._delivery.sessions.to_end_token(asker.user_id, asker.session, found[0])
        return Prepared(end, reply=lambda _: TokenRevoked(command.token_id, count()))

    async def _tokens(self, asker: Asker) -> list[StoredToken]:
        used_after_ms = self._time.now().elapsed_ms - self._limits().token_ttl_ms
        return await self._readers.pick().run(accounts.tokens_of, asker.user_id, used_after_ms)

    @preparation(TellTyping)
    async def tell_typing(self, asker: Asker, command: TellTyping) -> Reply:
        reader = self._readers.pick()
        signal = await reader.run(lambda db: typing_signal(self._view(db), asker.user_id, command))
        self._delivery.typing.tell(asker.user_id, signal)
        return TypingTold(command.typing)

    @preparation(Password)
    async def password(self, asker: Asker, command: Password) -> Prepared:
        user = await self._user(asker)
        if user.password is not None:
            if command.old is None:
                raise Refusal("password_required", f"say the password that {user.name} has now: {Password.spec.usage}")
            if not await self._verify(asker, user, command.old):
                return self._reject(user)
        elif command.old is not None:
            raise Refusal("wrong_password", f"{user.name} has no password yet; /password <new> sets one")
        new_hash = await self._passwords.hash(asker.connection, fold(user.name), command.new)
        return Prepared(SetPassword(user.password_version, new_hash, asker.token))

    @preparation(DeleteAccount)
    async def delete_account(self, asker: Asker, command: DeleteAccount) -> Prepared:
        user = await self._user(asker)
        if user.password is not None:
            if not await self._verify(asker, user, command.password):
                return self._reject(user)
        elif fold(command.password) != fold(user.name):
            raise Refusal(
                "wrong_password", f"{user.name} has no password; /delete_account {user.name} confirms that it is meant"
            )
        return Prepared(CloseAccount(user.password_version))

    @preparation(InviteLink)
    async def invite_link(self, asker: Asker, command: InviteLink) -> Prepared:
        code = self._runtime.token_urlsafe(TOKEN_BYTES)
        return Prepared(MakeLink(command.chat, hash_token(code)), reply=lambda made: replace(made, code=code))

    @preparation(Join)
    async def join(self, asker: Asker, command: Join) -> Prepared:
        room, code = command.chat.room, command.chat.code
        return Prepared(Accept(room) if room else Ask(hash_token(code or "")))

    @preparation(SendFile)
    async def send_file(self, asker: Asker, command: SendFile) -> Prepared:
        return Prepared(OpenUpload(command, self._transfers.lease(asker.session), self._transfers.draw_object()))

    @preparation(Chunk)
    async def chunk(self, asker: Asker, command: Chunk) -> Prepared | Upload:
        taken = await self._transfers.take_chunk(asker.user_id, asker.session, command)
        return taken if isinstance(taken, Upload) else Prepared(taken)

    async def _user(self, asker: Asker) -> User:
        user = await self._readers.pick().run(accounts.by_id, asker.user_id)
        if user is None:
            raise Refusal("not_signed_in", "this account has been deleted")
        return user

    def _refuse_stranger(self, db: Database, asker: Asker, user: User | None) -> None:
        """Let in only whom an overloaded server knows: operators, and users from networks that they used before."""
        network = asker.connection.network
        is_known = user is not None and (
            operators.is_named(db, user.id) or registrations.is_known_network(db, user.id, network)
        )
        if counted_network(network) and not is_known:
            raise self._overload.refusal_of(STRANGERS)

    def _refuse_registration(self, db: Database, asker: Asker, name: Name, code: bytes | None) -> None:
        """A registration that would be refused in the end is not worth a hash."""
        refuse_registration(self._view(db), name, counted_network(asker.connection.network), code)

    async def _verify(self, asker: Asker, user: User, password: str) -> bool:
        """Tell whether it is the user's password; if not, `_reject` it. Raises Refusal `too_fast`."""
        hash, account = user.password, fold(user.name)
        assert hash is not None

        async def verify() -> bool:
            return await self._passwords.verify(asker.connection, account, hash, password)

        reader, network = self._readers.pick(), asker.connection.network
        counted = await reader.run(counted_as, asker.user_id, user, network)
        guessing = "" if counted else counted_network(network)

        async def next_try() -> int:
            return await reader.run(lambda db: next_try_ms(self._view(db), user, counted))

        self._guesses.refuse_too_many(guessing)
        if self._limits().tries_count is None:
            right = await verify()
        else:
            right = await self._guard.check(user.id, counted, next_try, verify)
        # Several are checked at once: those past the limit are told nothing either, be they right or wrong.
        self._guesses.refuse_too_many(guessing)
        if not right:
            self._guesses.count(guessing)
        return right

    def _reject(self, user: User) -> Prepared:
        """Have a wrong password counted and refused. Raises Refusal where nothing is counted."""
        if self._limits().tries_count is None:
            raise wrong_password_refusal()
        return Prepared(WrongPassword(user.id, user.password_version))

    def _view(self, db: Database) -> View:
        return View(db, 0, self._time.now(), self._limits(), {})


def id_of_token(token_hash: bytes) -> str:
    """The name of a token among those of its user. It tells nothing that helps to guess the token."""
    return token_hash.hex()[:TOKEN_ID_DIGITS]


def hash_token(token: str) -> bytes:
    """The digest under which a token is stored. Nobody can try that many tokens, so a fast digest is enough."""
    return hashlib.sha256(token.encode()).digest()
