"""Credentials for signing in: a token if there is one, otherwise the name and a password.

A password that was asked for is forgotten when it has been used; it is never stored.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from chat_client.sdk.errors import Refused
from chat_client.sdk.server_address import Server

Ask = Callable[[str], Awaitable[str | None]]
CountDown = Callable[[str, float], Awaitable[None]]
Attempt = tuple[str, dict[str, Any]]


class Tokens(Protocol):
    """Where tokens are kept between runs. `chat_client.token_file.TokenFile` is one. They may raise OSError."""

    def get(self, user: str, server: Server) -> str | None: ...
    def put(self, user: str, token: str) -> None: ...
    def drop(self, user: str, token: str) -> None: ...


class Credentials:
    """`token` is good at every server of this connection; what `tokens` has is for the server of which it came."""

    def __init__(
        self,
        user: str | None,
        password: str | None,
        token: str | None,
        tokens: Tokens | None,
        ask: Ask | None,
        count_down: CountDown | None = None,
        register: bool = True,
        code: str | None = None,
        ask_code: Ask | None = None,
    ) -> None:
        self.user, self.token = user, token
        self.has_asked = False  # since the last sign-in: somebody is there, and may have taken a while
        self.count_down = count_down if ask is not None else None
        self._password = password
        self._asked: str | None = None
        self._unfit = ""  # why what was asked for was no password
        self._tried: str | None = None  # the token that was sent
        self._bad: str | None = None  # one that is no good, though it may still be kept on a disk that is read-only
        self._tokens, self._ask, self._register = tokens, ask, register
        self._code, self._ask_code = code, ask_code

    def attempt(self, server: Server, position: int | None) -> Attempt:
        """The command to try next. `position`: where the last connection ended."""
        self._tried = self.token
        if self._tried is None and self._tokens and self.user is not None:
            kept = self._tokens.get(self.user, server)
            self._tried = kept if kept != self._bad else None
        if self._tried is not None:
            return "resume", {"token": self._tried, "position": position}
        password = self._asked if self._asked is not None else self._password
        register = None if self._register else False
        return "sign_in", {"username": self.user, "password": password, "code": self._code, "register": register}

    async def take_refusal(self, refused: Refused) -> None:
        """Get what is missing for another attempt; raises `refused` if that is not to be had."""
        if refused.code == "bad_token" and self._tried is not None and self.user is not None:
            self._drop(self._tried)
            return
        if refused.code == "bad_argument" and self._asked is not None:  # an arrow key does it
            self._asked, self._unfit = None, "a password has no control characters: "
            return
        needs = "password" if refused.code == "wrong_password" else refused.fields.get("needs")
        if needs in ("password", "new_password") and self._ask is not None:
            self.has_asked = True
            known = self._asked is not None or self._password is not None
            words = "wrong password" if refused.code == "wrong_password" and known else f"{self.user} has a password"
            self._asked = await (self._choose(self._ask) if needs == "new_password" else self._ask(self._unfit + words))
            self._unfit = ""
            if self._asked is not None:
                return
        elif needs == "code" and self._ask_code is not None:
            self.has_asked = True
            unknown = f"there is no account {self.user} yet; it is made with an invitation"
            self._code = await self._ask_code(unknown if self._code is None else "this code invites nobody (any more)")
            if self._code is not None:
                return
        elif needs is not None and refused.code != "wrong_password":
            words = f"{refused.text}; at a terminal, chat-client --user {self.user} asks for it"
            raise Refused(refused.code, words, refused.fields)
        self._asked = None  # after a pause it is asked for again
        if refused.code == "unknown_user":
            raise Refused(refused.code, f"{refused.text}; --register makes the account", refused.fields)
        raise refused

    async def _choose(self, ask: Ask) -> str | None:
        """A password for an account that is to be made: twice, since a typing error would lock its owner out."""
        words = f"{self._unfit}there is no account {self.user} yet; choose a password for it"
        while (first := await ask(words)) is not None and (second := await ask("once more")) != first:
            if second is None:
                return None
            words = "these were not the same"
        return first

    def accept(self, user: str, token: str | None) -> str | None:
        """Why a new token cannot be kept, if it is so."""
        self.user, self._asked, self._code, self.has_asked = user, None, None, False
        self.token = token or self._tried
        try:
            if self._tokens and self.token is not None:
                self._tokens.put(user, self.token)
        except OSError as error:
            return None if self.token == self._tried else error.strerror or str(error)
        return None

    def end(self) -> None:
        """Signed out: the token is no good any more."""
        if self.token is not None:
            self._drop(self.token)

    def _drop(self, token: str) -> None:
        self._bad = token
        if self.token == token:
            self.token = None
        if self._tokens and self.user is not None:
            with suppress(OSError):  # a file that cannot be written has not kept the token either
                self._tokens.drop(self.user, token)
