"""Everything that is stored about one user, a bounded page at a time.

Passwords, tokens and keys themselves are left out; the export only says that they exist, and how tokens were used. A
new table that stores something about a user MUST be listed in `RECORDS` or in `UNTOLD`; a test compares them with
the schema.
"""

from collections.abc import Callable, Iterator
from typing import Any

from chat_server.protocol.times import iso
from chat_server.store.database import Database

PAGE_RECORDS_MAX = 200
# Messages are searched so many ids at a time, since there is no index by author.
WINDOW_IDS = 20_000

_CHAT = """CASE c.kind WHEN 'main' THEN 'main' WHEN 'room' THEN c.name ELSE
    '@' || (SELECT name FROM users WHERE id = CASE WHEN c.low_user = ?1 THEN c.high_user ELSE c.low_user END) END"""

# The records about user ?1, by kind. A column that ends with `_ms` is exported as a time: `at_ms` and names that end
# with `_at_ms` are by the wall clock, all others in elapsed time.
RECORDS = {
    "account": """SELECT name, created_ms, seen_ms AS seen_at_ms, password IS NOT NULL AS has_password,
        ban_until_ms, ban_reason, rate_start_ms, rate_count, away FROM users WHERE id = ?1""",
    "operator": "SELECT o.by_option FROM operators o JOIN users u ON u.folded = o.folded WHERE u.id = ?1",
    "token": "SELECT made_ms, used_ms, client, network FROM tokens WHERE user_id = ?1 ORDER BY used_ms, hash",
    "network": "SELECT network, used_ms FROM networks WHERE user_id = ?1 ORDER BY used_ms, network",
    "wrong_passwords": """SELECT counted_as, count, last_ms FROM wrong_passwords WHERE user_id = ?1
        ORDER BY number""",
    "membership": f"""SELECT {_CHAT} AS chat, m.read_id AS read, m.muted FROM members m JOIN chats c ON c.id = m.chat_id
        WHERE m.user_id = ?1 ORDER BY c.id""",
    "owned_chat": "SELECT name, topic, nullif(slow_ms / 1000, 0) AS slow_mode FROM chats WHERE owner = ?1 ORDER BY id",
    "slow_post": """SELECT coalesce(c.name, c.kind) AS chat, p.sent_ms FROM slow_posts p
        JOIN chats c ON c.id = p.chat_id WHERE p.user_id = ?1 ORDER BY c.id""",
    "invitation": """SELECT c.name AS chat, b.name AS by FROM invitations i JOIN chats c ON c.id = i.chat_id
        JOIN users b ON b.id = i.by_user WHERE i.user_id = ?1 ORDER BY c.id""",
    "invited": """SELECT c.name AS chat, u.name AS user FROM invitations i JOIN chats c ON c.id = i.chat_id
        JOIN users u ON u.id = i.user_id WHERE i.by_user = ?1 ORDER BY c.id, u.id""",
    "join_request": """SELECT c.name AS chat FROM join_requests j JOIN chats c ON c.id = j.chat_id
        WHERE j.user_id = ?1 ORDER BY j.id""",
    "blocked": """SELECT u.name AS user FROM blocks b JOIN users u ON u.id = b.blocked_id WHERE b.user_id = ?1
        ORDER BY u.id""",
    "preference": "SELECT name, value FROM preferences WHERE user_id = ?1 ORDER BY name",
    "reaction": "SELECT message_id, emoji FROM reactions WHERE user_id = ?1 ORDER BY message_id, emoji",
    "delayed": """SELECT d.id, coalesce('@' || u.name, d.room_name, 'main') AS target,
        iif(d.by_clock, NULL, d.due_ms) AS due_ms, iif(d.by_clock, d.due_ms, NULL) AS due_at_ms, d.text
        FROM delayed d LEFT JOIN users u ON u.id = d.target_user WHERE d.user_id = ?1 ORDER BY d.id""",
    "report": """SELECT u.name AS user, r.elapsed_ms, r.reason, r.address, r.counted FROM reports r
        JOIN users u ON u.id = r.target WHERE r.reporter = ?1 ORDER BY r.elapsed_ms, u.id""",
    "upload": """SELECT id, target_kind, target_name, name, size, sha256, expires_ms FROM uploads WHERE user_id = ?1
        ORDER BY id""",
    "file": "SELECT id, message_id, name, size, sha256 FROM files WHERE user_id = ?1 ORDER BY id",
    "file_bytes": "SELECT bytes FROM file_bytes WHERE user_id = ?1",
    "text_bytes": "SELECT bytes FROM text_bytes WHERE user_id = ?1",
    "key": "SELECT elapsed_ms FROM keys WHERE user_id = ?1 ORDER BY elapsed_ms, key",
    "notice": "SELECT id, CAST(event AS TEXT) AS event FROM notices WHERE user_id = ?1 ORDER BY id",
    "act": """SELECT a.id, a.at_ms, a.act, a.whom, a.why FROM audit a JOIN users u ON u.name = a.who
        WHERE u.id = ?1 ORDER BY a.id""",
}
# Columns that name a user and are not exported: they belong to somebody else, or another record above has them.
UNTOLD = {
    "chats.low_user", "chats.high_user",  # exported as memberships
    "erasures.user_id",  # only deleted accounts are there
    "delayed.target_user", "reports.target", "blocks.blocked_id",  # others wrote or did this
}  # fmt: skip
_MESSAGES = f"""SELECT m.id, m.seq, {_CHAT} AS chat, m.at_ms, m.text, m.delayed, m.edited_ms AS edited_at_ms,
    m.deleted_ms AS deleted_at_ms, m.reply_to
    FROM messages m JOIN chats c ON c.id = m.chat_id
    WHERE m.id > ?2 AND m.id <= ?3 AND m.user_id = ?1 ORDER BY m.id LIMIT ?4"""

Record = tuple[str, dict[str, Any]]


def of_user(db: Database, user_id: int, wall_ms: Callable[[int], int]) -> Iterator[list[Record]]:
    """Yield pages of records about the user. `wall_ms` converts elapsed time to the wall clock's."""
    for kind, sql in RECORDS.items():
        offset = 0
        while page := _select_records(
            db, kind, f"{sql} LIMIT ?2 OFFSET ?3", wall_ms, user_id, PAGE_RECORDS_MAX, offset
        ):
            yield page
            offset += len(page)
    newest: int = db.value("SELECT max(id) FROM messages") or 0
    after = 0
    while after < newest:
        end = after + WINDOW_IDS
        page = _select_records(db, "message", _MESSAGES, wall_ms, user_id, after, end, PAGE_RECORDS_MAX)
        yield page
        after = page[-1][1]["id"] if len(page) == PAGE_RECORDS_MAX else end


def _select_records(db: Database, kind: str, sql: str, wall_ms: Callable[[int], int], *bindings: int) -> list[Record]:
    cursor = db.rows(sql, bindings)
    names: list[str] = []
    records = []
    for row in cursor:
        names = names or [column[0] for column in cursor.description]
        records.append((kind, _fields(names, row, wall_ms)))
    return records


def _fields(names: list[str], row: tuple[Any, ...], wall_ms: Callable[[int], int]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in zip(names, row, strict=True):
        if value is None or (name.endswith("_ms") and value == 0):
            continue
        if name.endswith("_ms"):
            by_wall_clock = name == "at_ms" or name.endswith("_at_ms")
            told = "at" if name == "elapsed_ms" else name.removesuffix("_ms").removesuffix("_at")
            fields[told] = iso(value if by_wall_clock else wall_ms(value))
        else:
            fields[name] = value
    return fields
