"""Who signs in, and how: with a token if there is one, else with the name, and a password if the server wants one.

A password that was asked for is forgotten when it has been used; it is never stored.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from chat_client.errors import Refused

AskPassword = Callable[[str], Awaitable[str | None]]
Attempt = tuple[str, dict[str, Any]]


class Tokens(Protocol):
    """Where tokens are kept between runs. `chat_client.tokens.TokenFile` is one."""

    def get(self, user: str) -> str | None: ...
    def put(self, user: str, token: str) -> None: ...
    def drop(self, user: str) -> None: ...


class Credentials:
    def __init__(
        self,
        user: str | None,
        password: str | None,
        token: str | None,
        tokens: Tokens | None,
        ask: AskPassword | None,
    ) -> None:
        self.user = user
        self.token = token or (tokens.get(user) if tokens and user else None)
        self._password = password
        self._asked: str | None = None
        self._tokens, self._ask = tokens, ask

    def attempt(self, position: int | None) -> Attempt:
        """The command to try next. `position`: where the last connection ended."""
        if self.token is not None:
            return "resume", {"token": self.token, "position": position}
        password = self._asked if self._asked is not None else self._password
        return "sign_in", {"username": self.user, "password": password}

    async def refused(self, refused: Refused) -> None:
        """Get what is missing for another attempt; raises `refused` if that is not to be had."""
        if refused.code == "bad_token" and self.token is not None and self.user is not None:
            self._drop_token()
            return
        if refused.code in ("password_required", "wrong_password") and self._ask is not None:
            known = self._asked is not None or self._password is not None
            words = "wrong password" if refused.code == "wrong_password" and known else f"{self.user} has a password"
            self._asked = await self._ask(words)
            if self._asked is not None:
                return
        raise refused

    def accepted(self, user: str, token: str | None) -> None:
        self.user, self._asked = user, None
        if token is not None and token != self.token:
            self.token = token
            if self._tokens:
                self._tokens.put(user, token)

    def end(self) -> None:
        """Signed out: the token is no good any more."""
        self._drop_token()

    def _drop_token(self) -> None:
        self.token = None
        if self._tokens and self.user is not None:
            self._tokens.drop(self.user)
