"""Authorization: which users are operators, and may use the commands of operators."""

from chat_server.errors import Refusal
from chat_server.log.entries import MACHINE
from chat_server.rules.context import Context, View
from chat_server.store import accounts, operators
from chat_server.store.database import Database


def refuse_non_operators(asked: "Context | View") -> None:
    """Refuse users who are not operators. The machine itself may do all that operators may."""
    if asked.user_id != MACHINE and not is_operator(asked.db, asked.user_id):
        if operators.is_named(asked.db, asked.user_id):
            raise Refusal(
                "password_required",
                "you are named as an operator, but an operator must have a password: /password <new>, then try again",
            )
        raise Refusal("forbidden", "this is for operators, and you are none; whoever runs the server names them")


def is_operator(db: Database, user_id: int) -> bool:
    """Tell whether the user is named as an operator and has a password. Without one, anybody could sign in as the user.

    The accounts of a server on loopback need no password.
    """
    user = accounts.by_id(db, user_id)
    return user is not None and user.password is not None and operators.is_named(db, user_id)
