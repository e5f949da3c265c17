"""Registration: who may make an account, how many a network may make, and invitation codes.

A code lets one account be made. `chat-server invite` draws it, and the store keeps only its hash.
"""

from chat_server.errors import Refusal
from chat_server.protocol.control import Code, CodeList, CodeMade, CodeRevoked, ListCodes, MakeCode, RevokeCode
from chat_server.protocol.names import Name
from chat_server.protocol.times import DAY_MS, iso, until
from chat_server.rules.context import Context, View
from chat_server.rules.operators import record
from chat_server.rules.registry import reading, rule
from chat_server.store import accounts, registrations

CODE_LIFE_MS = 7 * DAY_MS
CODES_MAX = 1000
_ASK = "ask whoever runs the server for one (chat-server invite)"


def refuse_registration(asked: Context | View, name: Name, network: str, code: bytes | None) -> None:
    """Refuse an account that may not be made now from this network. The password is hashed after this check only."""
    limits = asked.limits
    if limits.registration == "closed":
        raise Refusal("forbidden", "no new accounts are made here; whoever runs the server decides that")
    if limits.registration == "invite" and code is None:
        raise Refusal(
            "forbidden",
            f"a new account needs an invitation here: /sign_in {name.name} <password> <code>; {_ASK}",
            needs="code",
        )
    if limits.registration == "invite" and not registrations.is_valid_code(asked.db, code or b"", asked.elapsed_ms):
        words = f"this code is not valid: it is not known, was used, or is too old; {_ASK}"
        raise Refusal("forbidden", words, needs="code")
    like = accounts.find_similar_name(asked.db, name)
    if like is not None:
        why = "belonged to an account that was deleted" if like == name.name else f"is too much like {like}"
        raise Refusal("bad_name", f"the name {name.name} {why}; choose another one")
    _refuse_too_many(asked, network)


def _refuse_too_many(asked: Context | View, network: str) -> None:
    most, start_ms, count = asked.limits.accounts_count, *registrations.registration_count(asked.db, network)
    ends_ms = start_ms + asked.limits.accounts_window_ms
    if network and most is not None and count >= most and asked.elapsed_ms < ends_ms:
        at_ms = asked.now.wall_ms(ends_ms)
        raise Refusal(
            "rate_limited",
            f"{count} accounts were made from your address, the most there may be; no more {until(at_ms, asked.at_ms)};"
            " you can still sign in with one that exists",
            retry_at=iso(at_ms),
        )


def note_registration(context: Context, code: bytes | None) -> None:
    """Use up the code of an account that was made, and count the account for its network."""
    if context.limits.registration == "invite":
        registrations.use_code(context.db, code or b"")
    network = context.counted_network
    if network and context.limits.accounts_count is not None:
        start_ms, count = registrations.registration_count(context.db, network)
        if context.elapsed_ms >= start_ms + context.limits.accounts_window_ms:
            start_ms, count = context.elapsed_ms, 0
        registrations.set_registration_count(context.db, network, start_ms, count + 1)


def delete_expired(context: Context, limit: int) -> None:
    registrations.delete_old(
        context.db, context.elapsed_ms, context.elapsed_ms - context.limits.accounts_window_ms, limit
    )


# ---- codes


@rule(MakeCode)
def make_code(context: Context, command: MakeCode) -> CodeMade:
    if len(registrations.list_codes(context.db, context.elapsed_ms)) >= CODES_MAX:
        raise Refusal(
            "too_many", f"{CODES_MAX} codes wait to be used, the most there may be; chat-server invite revoke <number>"
        )
    code_id = registrations.insert_code(context.db, bytes.fromhex(command.hash), context.elapsed_ms + CODE_LIFE_MS)
    expires = iso(context.at_ms + CODE_LIFE_MS)
    record(context, "invite", why=f"code {code_id} until {expires}")
    registration = context.limits.registration
    note = None
    if registration != "invite":
        note = f"nobody needs a code now: registration is {registration}; --registration invite asks for one"
    return CodeMade(code_id, expires, note)


@rule(RevokeCode)
def revoke_code(context: Context, command: RevokeCode) -> CodeRevoked:
    if not registrations.revoke_code(context.db, command.id, context.elapsed_ms):
        raise Refusal("bad_argument", f"no code {command.id} waits to be used; chat-server invite list shows those")
    record(context, "invite revoke", why=f"code {command.id}")
    return CodeRevoked(command.id)


@reading(ListCodes)
def list_codes(view: View, command: ListCodes) -> CodeList:
    codes = registrations.list_codes(view.db, view.elapsed_ms)
    return CodeList([Code(id, iso(view.now.wall_ms(expires_ms))) for id, expires_ms in codes])
