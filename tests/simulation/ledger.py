"""What the users said and what was acknowledged, and whether the store and what readers are shown agree with it."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from chat_server.store.database import open_reader

ROOM = "#room"


def check(holds: object, what: str) -> None:
    assert holds, what


def root_of(text: str) -> str:
    """`alice-17` of `alice-17.2 some words`: the third text of the 17th message that alice said."""
    return text.partition(".")[0]


def direct(one: str, other: str) -> str:
    """How the chat of two users is called here."""
    return "@" + "@".join(sorted((one, other)))


def readers(chat: str, users: list[str]) -> list[str]:
    return chat[1:].split("@") if chat.startswith("@") else users


@dataclass(eq=False)
class Said:
    """A command of a user. `chat` is that of what it sends, `id` is the message that it changes."""

    author: str
    label: str
    verb: str
    chat: str | None = None
    id: int | None = None
    text: str | None = None
    emoji: str | None = None
    line: bytes = b""
    connection: int = 0
    # Whether it was done; None while that is not known.
    is_done: bool | None = None
    # Done once it was answered, or the connection was lost.
    ended: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True)
class Row:
    """A message as it is stored. The text of one that was deleted is None."""

    id: int
    seq: int
    author: str
    chat: str
    text: str | None
    reactions: frozenset[tuple[str, str]]


class Ledger:
    def __init__(self) -> None:
        # The messages that were said, by the root of their texts, and by their ids if they were acknowledged.
        self.sent: dict[str, Said] = {}
        self.acknowledged: dict[int, Said] = {}
        self.changes: dict[int, list[Said]] = defaultdict(list)
        self._texts: dict[str, Said] = {}

    def note(self, said: Said) -> None:
        if said.text is not None:
            self._texts[said.text] = said
        if said.id is not None:
            self.changes[said.id].append(said)
        elif said.text is not None:
            self.sent[root_of(said.text)] = said

    def note_sent(self, said: Said, id: int) -> None:
        check(self.acknowledged.setdefault(id, said) is said, f"#{id} is acknowledged for two messages")

    # ---- what readers are shown

    def check_shown(self, reader: str, users: list[str], id: int, author: str, chat: str, text: str | None) -> None:
        check(reader in readers(chat, users), f"{reader} is shown #{id} of {chat}")
        if text is None:
            return
        said = self._texts.get(text)
        check(said is not None and said.author == author, f"#{id} was never said by {author}: {text}")
        first = self.sent[root_of(text)]
        check(first.chat == chat, f"#{id} was said in {first.chat}, not {chat}")
        check(self.acknowledged.get(id, first) is first, f"#{id} is acknowledged for another message than {text}")

    # ---- the store

    def check_store(self, path: Path) -> list[Row]:
        """Every acknowledged message is there once, as it was changed last, and nothing that was never said."""
        rows = read_rows(path)
        by_id = {row.id: row for row in rows}
        for id, said in self.acknowledged.items():
            check(id in by_id, f"#{id} was acknowledged and is not stored: {said.text}")
        seen: dict[str, int] = {}
        for row in rows:
            first = self.acknowledged.get(row.id)
            if row.text is not None:
                root = root_of(row.text)
                check(root not in seen, f"{root} is stored twice, as #{seen.get(root)} and #{row.id}")
                seen[root] = row.id
                first = first or self.sent.get(root)
            check(first is not None, f"#{row.id} was never said: {row.text}")
            assert first is not None
            check((row.author, row.chat) == (first.author, first.chat), f"#{row.id} is stored as of {row}")
            check(first.is_done is not False, f"#{row.id} was refused, and is stored: {row.text}")
            self._check_state(row, first)
        return rows

    def _check_state(self, row: Row, first: Said) -> None:
        texts: list[str | None] = [first.text]
        perhaps: list[str | None] = []  # a command that was not answered may still be on its way to the log
        reactions: dict[tuple[str, str], bool | None] = {}
        for change in self.changes[row.id]:
            if change.is_done is False:
                continue
            if change.emoji is not None:
                reactions[change.emoji, change.author] = change.is_done
            else:
                texts, perhaps = ([change.text], perhaps) if change.is_done else (texts, [*perhaps, change.text])
        may_be = [*texts, *perhaps]
        check(row.text in may_be, f"#{row.id} is stored as {row.text}, and may be one of {may_be}")
        if row.text is not None:
            missing = {each for each, is_done in reactions.items() if is_done} - row.reactions
            check(not missing, f"#{row.id} has lost reactions: {missing}")
            check(row.reactions <= reactions.keys(), f"#{row.id} has reactions that nobody made: {row.reactions}")


def read_rows(path: Path) -> list[Row]:
    db = open_reader(path)
    try:
        reactions: dict[int, set[tuple[str, str]]] = defaultdict(set)
        for id, emoji, name in db.all(
            "SELECT r.message_id, r.emoji, u.name FROM reactions r JOIN users u ON u.id = r.user_id"
        ):
            reactions[id].add((emoji, name))
        found = db.all(
            "SELECT m.id, m.seq, u.name, c.kind, c.name, low.name, high.name, iif(m.deleted_ms, NULL, m.text)"
            " FROM messages m JOIN users u ON u.id = m.user_id JOIN chats c ON c.id = m.chat_id"
            " LEFT JOIN users low ON low.id = c.low_user LEFT JOIN users high ON high.id = c.high_user ORDER BY m.id"
        )
        return [
            Row(id, seq, author, direct(low, high) if low else room or kind, text, frozenset(reactions[id]))
            for id, seq, author, kind, room, low, high, text in found
        ]
    finally:
        db.close()
