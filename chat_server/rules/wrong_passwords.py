"""Wrong passwords: how many may be given for an account, and how long the next try then waits.

Tries by somebody who is signed in to the account, and those from each network that it is known to come from, are
counted apart from all others. So a stranger who guesses does not lock the owner out. Past the limit each further try
has to wait, twice as long each time, up to the window.

The counts are in the store, and every password is counted by the entry that holds what came of checking it. So the
limit holds over all nodes and restarts: of tries that were checked at the same time, the log's order says which are
too many. These are refused whether they were right or wrong.
"""

from msgspec.structs import replace

from chat_server.errors import Refusal
from chat_server.log.entries import Limits, WrongPassword
from chat_server.protocol.times import iso, until
from chat_server.rules.context import Context, View
from chat_server.rules.outcomes import Stale
from chat_server.rules.registry import rule
from chat_server.store import accounts, registrations, wrong_passwords
from chat_server.store.accounts import User
from chat_server.store.database import Database
from chat_server.store.wrong_passwords import WrongPasswords

# Even below the limit, wrong passwords that count together are at least this far apart: each is an entry in the log.
PAUSE_MS = 1000
# In place of a network, for whoever gives a password while signed in to the account.
_SIGNED_IN = "signed in"
_DOUBLINGS_MAX = 20


def counted_as(db: Database, asker_id: int, user: User, network: str) -> str:
    """Return what a password for this user counts as, given by this user (0 for a stranger) from this network."""
    if asker_id:
        return _SIGNED_IN
    return network if registrations.is_known_network(db, user.id, network) else ""


def next_try_ms(asked: Context | View, user: User, counted: str) -> int:
    """Return the elapsed time before which no further password is checked. Raises Refusal `too_fast`."""
    found = _recent(asked, user, counted)
    refuse_too_fast(asked, user, found)
    return found.last_ms + PAUSE_MS if found.count else 0


def refuse_too_fast(asked: Context | View, user: User, found: WrongPasswords) -> None:
    retry_ms = _retry_ms(asked.limits, found)
    if asked.elapsed_ms < retry_ms:
        retry_at_ms = asked.now.wall_ms(retry_ms)
        raise Refusal(
            "too_fast",
            f"too many wrong passwords for {user.name}: no more tries {until(retry_at_ms, asked.at_ms)}",
            retry_at=iso(retry_at_ms),
            retry_in=-(-(retry_ms - asked.elapsed_ms) // 1000),
        )


def _recent(asked: Context | View, user: User, counted: str) -> WrongPasswords:
    """Return those that still count: all of them until none was given for a whole window."""
    found = wrong_passwords.load(asked.db, user.id, counted)
    return found if asked.elapsed_ms - found.last_ms < asked.limits.tries_window_ms else WrongPasswords()


def _retry_ms(limits: Limits, found: WrongPasswords) -> int:
    if limits.tries_count is None or found.count < limits.tries_count:
        return 0
    over = found.count - limits.tries_count
    return found.last_ms + min(PAUSE_MS << min(over, _DOUBLINGS_MAX), limits.tries_window_ms)


@rule(WrongPassword)
def count_wrong_password(context: Context, command: WrongPassword) -> Refusal:
    """Count it and refuse: the refusal is the result, since something was written."""
    user = accounts.by_id(context.db, command.account)
    if user is None or user.password_version != command.saw_version:
        raise Stale
    if context.limits.tries_count is not None:
        counted = counted_as(context.db, context.user_id, user, context.network)
        found = _recent(context, user, counted)
        refuse_too_fast(context, user, found)
        more = replace(found, count=found.count + 1, last_ms=context.elapsed_ms)
        wrong_passwords.save(context.db, user.id, counted, more)
    return wrong_password_refusal()


def wrong_password_refusal() -> Refusal:
    return Refusal("wrong_password", "that is not the password; nothing was done")


def accept_password(context: Context, user: User) -> None:
    """Forget the wrong ones before a right one. Raises Refusal `too_fast`.

    MUST be called by each rule that rests on a password, before it changes anything.
    """
    if context.limits.tries_count is None:
        return
    counted = counted_as(context.db, context.user_id, user, context.network)
    found = _recent(context, user, counted)
    refuse_too_fast(context, user, found)
    if found.count:
        wrong_passwords.delete(context.db, user.id, counted)


def forget_old(context: Context, limit: int) -> None:
    wrong_passwords.delete_old(context.db, context.elapsed_ms - context.limits.tries_window_ms, limit)
