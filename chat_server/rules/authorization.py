"""Who is an operator, and may therefore use the commands of operators."""

from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE
from chat_server.rules.context import Context, View
from chat_server.store import accounts, operators
from chat_server.store.database import Database


def refuse_non_operators(asked: "Context | View") -> None:
    """Refuse who is no operator."""
    if asked.user_id != MACHINE and not is_operator(asked.db, asked.user_id):
        if operators.is_named(asked.db, asked.user_id):
            raise Refusal(
                "password_required",
                "you are named as an operator, but an operator must have a password: /password <new>, then try again",
            )
        raise Refusal("forbidden", "this is for operators, and you are none; whoever runs the server names them")


def is_operator(db: Database, user_id: int) -> bool:
    """Named as one, and with a password: without one anybody could be it."""
    user = accounts.by_id(db, user_id)
    return user is not None and user.password is not None and operators.is_named(db, user_id)
