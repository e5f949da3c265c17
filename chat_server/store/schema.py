"""The tables. Migrations are only ever appended: number N turns a database of version N - 1 into version N.

Those from `ADDING_FROM` on only add. What a new version of the log does to rows that are there is in `CHANGES`.
"""

from collections.abc import Mapping

import apsw


def _counting_triggers(table: str, user: str, text: str, events: tuple[str, ...]) -> str:
    """Return triggers that keep `text_bytes` right when rows with texts are inserted, changed or deleted.

    `text` is the column of the texts, `user` that of their users. Nothing counts where either is NULL.
    """
    add = (
        "INSERT INTO text_bytes SELECT {0}.{1}, {3}octet_length({0}.{2}) WHERE {0}.{1} IS NOT NULL AND {0}.{2} <> ''"
        " ON CONFLICT (user_id) DO UPDATE SET bytes = bytes + excluded.bytes;"
    )
    come, go = add.format("new", user, text, ""), add.format("old", user, text, "-")
    of = text if user in ("user_id", "reporter", "id") else f"{text}, {user}"
    triggers = {"INSERT": ("come", come), f"UPDATE OF {of}": ("change", go + come), "DELETE": ("go", go)}
    return "".join(
        f"CREATE TRIGGER {table}_texts_{name} AFTER {event} ON {table} BEGIN {act} END;\n"
        for event, (name, act) in triggers.items()
        if name in events
    )


# What is a machine's own leaves this database (see `local`); `drop_index` has to follow.
INDEX_LEAVES = """
    ALTER TABLE state DROP COLUMN indexed;

    -- dropped: notes of what the search index and the disk of each machine have to lose: the text of a message that was
    -- edited or removed, all that an upload left on the disk, or a blob that no file has any more. The last ones are
    -- kept, for a machine whose own database is behind.
    ALTER TABLE dropped ADD COLUMN message_id INTEGER;
    CREATE TRIGGER messages_texts_drop AFTER UPDATE OF text ON messages WHEN old.text IS NOT NULL BEGIN
        INSERT INTO dropped (message_id) VALUES (old.id);
    END;
    CREATE TRIGGER messages_drop AFTER DELETE ON messages WHEN old.text IS NOT NULL BEGIN
        INSERT INTO dropped (message_id) VALUES (old.id);
    END;
    """

MIGRATIONS: tuple[str, ...] = (
    """
    -- One row. seq: the last id or change given out; at_ms: the last batch's time; applied: its number in the log;
    -- limits: the last Configure entry as JSON; history: the random id of this database.
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, applied INTEGER NOT NULL,
        limits TEXT, history TEXT
    ) STRICT;
    INSERT INTO state VALUES (1, 0, 0, 0, NULL, NULL);

    -- password: an argon2id hash, NULL without a password. ban_*: the last ban; ban_open until its end was told.
    -- A deleted account keeps its row, so that its name stays taken.
    CREATE TABLE users (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE, lookalike TEXT NOT NULL, shape TEXT NOT NULL,
        password TEXT,
        created_ms INTEGER NOT NULL, seen_ms INTEGER, deleted_ms INTEGER,
        ban_until_ms INTEGER NOT NULL DEFAULT 0, ban_reason TEXT, ban_open INTEGER NOT NULL DEFAULT 0,
        rate_start_ms INTEGER NOT NULL DEFAULT 0, rate_count INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX users_lookalike ON users (lookalike);
    CREATE INDEX users_shape ON users (shape);
    CREATE INDEX users_banned ON users (ban_until_ms) WHERE ban_open;

    CREATE TABLE tokens (
        hash BLOB PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, used_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tokens_user ON tokens (user_id);
    CREATE INDEX tokens_used ON tokens (used_ms);

    -- kind: main (chat 1), direct (between low_user and high_user).
    CREATE TABLE chats (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,
        low_user INTEGER REFERENCES users, high_user INTEGER REFERENCES users,
        UNIQUE (low_user, high_user)
    ) STRICT;
    INSERT INTO chats VALUES (1, 'main', NULL, NULL);

    -- read_id: the marker; messages of others with a higher id are unread.
    CREATE TABLE members (
        user_id INTEGER NOT NULL REFERENCES users, chat_id INTEGER NOT NULL REFERENCES chats,
        read_id INTEGER NOT NULL,
        PRIMARY KEY (user_id, chat_id)
    ) STRICT, WITHOUT ROWID;

    -- seq = id until the message changes. A deleted one keeps its row, without its text. reply_to: what it comments
    -- on; reactions: how many it has, so that only those that have any are looked up.
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY, seq INTEGER NOT NULL,
        chat_id INTEGER NOT NULL REFERENCES chats, user_id INTEGER NOT NULL REFERENCES users,
        at_ms INTEGER NOT NULL, text TEXT,
        delayed INTEGER NOT NULL DEFAULT 0, deleted_ms INTEGER, edited_ms INTEGER,
        reply_to INTEGER REFERENCES messages, reactions INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    -- The index has the author, so that unread messages are counted without reading them.
    CREATE INDEX messages_chat ON messages (chat_id, id, user_id);
    CREATE INDEX messages_changed ON messages (chat_id, seq) WHERE seq <> id;
    CREATE INDEX messages_comments ON messages (reply_to, id) WHERE reply_to IS NOT NULL;

    CREATE TABLE reactions (
        message_id INTEGER NOT NULL REFERENCES messages, emoji TEXT NOT NULL,
        user_id INTEGER NOT NULL REFERENCES users, seq INTEGER NOT NULL,
        PRIMARY KEY (message_id, emoji, user_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX reactions_user ON reactions (user_id);

    -- The key of a sending command, a digest of the command, and its answer.
    CREATE TABLE keys (
        user_id INTEGER NOT NULL REFERENCES users, key TEXT NOT NULL,
        digest BLOB NOT NULL, answer BLOB NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (user_id, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keys_at ON keys (at_ms);

    -- target_user: the receiver, NULL for main.
    CREATE TABLE delayed (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        user_id INTEGER NOT NULL REFERENCES users, target_user INTEGER REFERENCES users,
        due_ms INTEGER NOT NULL, text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX delayed_due ON delayed (due_ms, id);
    CREATE INDEX delayed_user ON delayed (user_id, id);

    -- counted: whether it counts towards a ban.
    CREATE TABLE reports (
        reporter INTEGER NOT NULL REFERENCES users, target INTEGER NOT NULL REFERENCES users,
        at_ms INTEGER NOT NULL, reason TEXT NOT NULL, address TEXT NOT NULL, counted INTEGER NOT NULL,
        PRIMARY KEY (reporter, target)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX reports_target ON reports (target, at_ms);

    -- Events that are kept until their user is told: JSON of protocol.events.
    -- AUTOINCREMENT here and elsewhere: an id that somebody was told is never given out again.
    CREATE TABLE notices (
        id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users, event BLOB NOT NULL
    ) STRICT;
    CREATE INDEX notices_user ON notices (user_id, id);
    """,
    """
    -- kind 'room': a private chat. name begins with #. A chat that has ended has no folded name any more, so that the
    -- name is free, and its row is deleted after its messages.
    ALTER TABLE chats ADD COLUMN name TEXT;
    ALTER TABLE chats ADD COLUMN folded TEXT;
    ALTER TABLE chats ADD COLUMN lookalike TEXT;
    ALTER TABLE chats ADD COLUMN shape TEXT;
    ALTER TABLE chats ADD COLUMN owner INTEGER REFERENCES users;
    ALTER TABLE chats ADD COLUMN topic TEXT;
    CREATE UNIQUE INDEX chats_folded ON chats (folded) WHERE folded IS NOT NULL;
    CREATE INDEX chats_lookalike ON chats (lookalike) WHERE folded IS NOT NULL;
    CREATE INDEX chats_shape ON chats (shape) WHERE folded IS NOT NULL;
    CREATE INDEX chats_owner ON chats (owner) WHERE owner IS NOT NULL;
    CREATE INDEX chats_ended ON chats (id) WHERE kind = 'ended';

    -- For private chats. room: the folded name, so that a chat is looked up among the user's own alone; joined: the
    -- number of the member, in the order of joining.
    ALTER TABLE members ADD COLUMN room TEXT;
    ALTER TABLE members ADD COLUMN joined INTEGER;
    CREATE UNIQUE INDEX members_room ON members (user_id, room) WHERE room IS NOT NULL;
    CREATE UNIQUE INDEX members_joined ON members (chat_id, joined);

    -- notice: the id of the notice to the user, or for a request to the owner, while it waits.
    CREATE TABLE invitations (
        user_id INTEGER NOT NULL REFERENCES users, room TEXT NOT NULL,
        chat_id INTEGER NOT NULL REFERENCES chats, by_user INTEGER NOT NULL REFERENCES users, notice INTEGER NOT NULL,
        PRIMARY KEY (user_id, chat_id)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX invitations_room ON invitations (user_id, room);
    CREATE INDEX invitations_chat ON invitations (chat_id);
    CREATE INDEX invitations_by ON invitations (by_user);

    CREATE TABLE join_requests (
        id INTEGER PRIMARY KEY, chat_id INTEGER NOT NULL REFERENCES chats, user_id INTEGER NOT NULL REFERENCES users,
        notice INTEGER NOT NULL, UNIQUE (chat_id, user_id)
    ) STRICT;
    CREATE INDEX join_requests_user ON join_requests (user_id);

    -- hash: SHA-256 of the code, which only the maker of the link was told.
    CREATE TABLE links (
        hash BLOB PRIMARY KEY, chat_id INTEGER NOT NULL REFERENCES chats, expires_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX links_chat ON links (chat_id, expires_ms);
    CREATE INDEX links_expires ON links (expires_ms);

    -- For a message to a private chat: the chat's id and name. The chat may be gone when the message is due.
    ALTER TABLE delayed ADD COLUMN room_id INTEGER;
    ALTER TABLE delayed ADD COLUMN room_name TEXT;
    """,
    """
    -- by_option: named by the settings, and replaced at each start; otherwise named by the command, for good.
    CREATE TABLE operators (
        folded TEXT NOT NULL, by_option INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (folded, by_option)
    ) STRICT, WITHOUT ROWID;

    -- The acts of operators, with the names of that time. Nothing is ever removed.
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL,
        who TEXT NOT NULL, act TEXT NOT NULL, whom TEXT, why TEXT
    ) STRICT;

    CREATE INDEX reports_at ON reports (at_ms);
    """,
    """
    -- moved_ms: when the marker moved, or a later time before which nothing was unread; absent: the marker did not move
    -- for so long that no message waits for it any more.
    ALTER TABLE members ADD COLUMN moved_ms INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE members ADD COLUMN absent INTEGER NOT NULL DEFAULT 0;
    UPDATE members SET moved_ms = (SELECT at_ms FROM state);
    CREATE INDEX members_lowest ON members (chat_id, absent, read_id);
    CREATE INDEX members_moved ON members (moved_ms) WHERE NOT absent;

    -- alone: only the author was a member when it was sent, so that all have read it.
    ALTER TABLE messages ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX messages_alone ON messages (at_ms) WHERE alone;

    -- Messages that all had read at read_ms: those of the chat with above < id <= up_to, of one author (0: of all).
    -- There are no references, since the chat may end before its messages are removed.
    CREATE TABLE read_ranges (
        read_ms INTEGER NOT NULL, chat_id INTEGER NOT NULL, user_id INTEGER NOT NULL,
        above INTEGER NOT NULL, up_to INTEGER NOT NULL,
        PRIMARY KEY (read_ms, chat_id, user_id)
    ) STRICT, WITHOUT ROWID;
    WITH ranked AS (
        SELECT chat_id, user_id, read_id,
            lead(read_id, 1, (SELECT seq FROM state)) OVER chat AS next, row_number() OVER chat AS place
        FROM members WINDOW chat AS (PARTITION BY chat_id ORDER BY read_id, user_id)
    )
    INSERT INTO read_ranges SELECT at_ms, chat_id, 0, 0, read_id FROM ranked, state WHERE place = 1 AND read_id > 0
        UNION ALL SELECT at_ms, chat_id, user_id, read_id, next FROM ranked, state WHERE place = 1 AND next > read_id;

    -- A comment outlives what it comments on, and keeps its id: that reference goes, as SQLite's documentation of
    -- ALTER TABLE has it for constraints, without copying the table.
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'reply_to INTEGER REFERENCES messages', 'reply_to INTEGER')
        WHERE type = 'table' AND name = 'messages';
    PRAGMA writable_schema = RESET;
    """,
    """
    -- The search index (see `search`). indexed: the id up to which it has the messages.
    CREATE VIRTUAL TABLE words USING fts5(
        text, scope, content='', contentless_delete=1, prefix='2 3',
        tokenize="unicode61 remove_diacritics 2 categories 'L* M* N* Co'"
    );
    ALTER TABLE state ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;

    -- The users whom the text mentions: names as JSON, for a delayed message folded names with spaces between them.
    ALTER TABLE messages ADD COLUMN mentions TEXT;
    ALTER TABLE delayed ADD COLUMN mentions TEXT;

    CREATE TABLE blocks (
        user_id INTEGER NOT NULL REFERENCES users, blocked_id INTEGER NOT NULL REFERENCES users,
        PRIMARY KEY (user_id, blocked_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX blocks_blocked ON blocks (blocked_id);

    ALTER TABLE members ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;

    -- away: why the user is away, NULL for a user who is not.
    ALTER TABLE users ADD COLUMN away TEXT;
    CREATE INDEX users_away ON users (folded) WHERE away IS NOT NULL;
    """,
    """
    -- An upload under way. target_*: as it was named, since it is looked up again at the end. session: the connection
    -- that holds it; without one it ends at expires_ms. sha256: as announced, or empty.
    CREATE TABLE uploads (
        id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users, session INTEGER,
        target_kind TEXT NOT NULL, target_name TEXT NOT NULL, target_folded TEXT NOT NULL,
        name TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, key TEXT, expires_ms INTEGER
    ) STRICT;
    CREATE INDEX uploads_user ON uploads (user_id, id);
    CREATE INDEX uploads_session ON uploads (session) WHERE session IS NOT NULL;
    CREATE INDEX uploads_expires ON uploads (expires_ms, id) WHERE expires_ms IS NOT NULL;

    -- A file has the number of its upload, and goes with its message (which is written after it).
    CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        message_id INTEGER NOT NULL UNIQUE REFERENCES messages ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
        chat_id INTEGER NOT NULL, user_id INTEGER NOT NULL REFERENCES users,
        name TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL
    ) STRICT;
    CREATE INDEX files_chat ON files (chat_id, message_id);
    CREATE INDEX files_user ON files (user_id);
    CREATE INDEX files_sha256 ON files (sha256);
    -- file_id: only messages that have one look up their file.
    ALTER TABLE messages ADD COLUMN file_id INTEGER;

    -- The bytes of each user's files and uploads together.
    CREATE TABLE file_bytes (user_id INTEGER PRIMARY KEY REFERENCES users, bytes INTEGER NOT NULL) STRICT;

    -- What may be removed from the disk: all that an upload left there, or a blob that no file has any more.
    CREATE TABLE dropped (id INTEGER PRIMARY KEY AUTOINCREMENT, upload INTEGER, sha256 TEXT) STRICT;

    -- These triggers keep the tables above right, whichever statement changes a row.
    CREATE TRIGGER uploads_come AFTER INSERT ON uploads BEGIN
        INSERT INTO file_bytes VALUES (new.user_id, new.size)
            ON CONFLICT (user_id) DO UPDATE SET bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER files_come AFTER INSERT ON files BEGIN
        INSERT INTO file_bytes VALUES (new.user_id, new.size)
            ON CONFLICT (user_id) DO UPDATE SET bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER uploads_go AFTER DELETE ON uploads BEGIN
        UPDATE file_bytes SET bytes = bytes - old.size WHERE user_id = old.user_id;
        INSERT INTO dropped (upload) VALUES (old.id);
    END;
    CREATE TRIGGER files_go AFTER DELETE ON files BEGIN
        UPDATE file_bytes SET bytes = bytes - old.size WHERE user_id = old.user_id;
        INSERT INTO dropped (sha256) VALUES (old.sha256);
    END;
    """,
    """
    -- The search index now has a table for each block of ids, words_N (see `search`). stale: words of removed messages
    -- are still in its pages; merging: its pages are being rewritten.
    DROP TABLE words;
    CREATE TABLE word_blocks (
        id INTEGER PRIMARY KEY, stale INTEGER NOT NULL DEFAULT 0, merging INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX word_blocks_stale ON word_blocks (merging, id) WHERE stale OR merging;
    UPDATE state SET indexed = 0;
    """,
    """
    -- Elapsed time: how long the chat has lived (see `chat_time`). It begins at the time of the wall clock, so that the
    -- times stored until now are on its scale.
    ALTER TABLE state ADD COLUMN elapsed_ms INTEGER NOT NULL DEFAULT 0;
    UPDATE state SET elapsed_ms = at_ms;
    """,
    """
    -- From here on all times are elapsed time, except for at_ms, seen_ms, edited_ms and deleted_ms by the wall clock.
    -- Times in the future are cut to the full length of their duration.
    ALTER TABLE reports RENAME COLUMN at_ms TO elapsed_ms;
    ALTER TABLE keys RENAME COLUMN at_ms TO elapsed_ms;
    UPDATE reports SET elapsed_ms = now.elapsed_ms FROM state AS now WHERE reports.elapsed_ms > now.elapsed_ms;
    UPDATE keys SET elapsed_ms = now.elapsed_ms FROM state AS now WHERE keys.elapsed_ms > now.elapsed_ms;
    UPDATE tokens SET used_ms = elapsed_ms FROM state WHERE used_ms > elapsed_ms;
    UPDATE members SET moved_ms = elapsed_ms FROM state WHERE moved_ms > elapsed_ms;
    UPDATE users SET created_ms = elapsed_ms FROM state WHERE created_ms > elapsed_ms;
    UPDATE users SET rate_start_ms = elapsed_ms FROM state WHERE rate_start_ms > elapsed_ms;
    UPDATE users SET ban_until_ms = elapsed_ms + (limits ->> 'ban_ms') FROM state
        WHERE ban_reason GLOB 'reported by *' AND ban_until_ms > elapsed_ms + (limits ->> 'ban_ms');
    UPDATE links SET expires_ms = elapsed_ms + (limits ->> 'link_ttl_ms') FROM state
        WHERE expires_ms > elapsed_ms + (limits ->> 'link_ttl_ms');
    UPDATE uploads SET expires_ms = elapsed_ms + 600000 FROM state WHERE expires_ms > elapsed_ms + 600000;
    INSERT INTO read_ranges SELECT elapsed_ms, chat_id, user_id, min(above), max(up_to) FROM read_ranges, state
        WHERE read_ms > elapsed_ms + 1000 GROUP BY chat_id, user_id
        ON CONFLICT DO UPDATE SET above = min(above, excluded.above), up_to = max(up_to, excluded.up_to);
    DELETE FROM read_ranges WHERE read_ms > (SELECT elapsed_ms + 1000 FROM state);

    -- When a message was sent, in elapsed time; NULL for older messages, for which both times were the same.
    ALTER TABLE messages ADD COLUMN elapsed_ms INTEGER;
    DROP INDEX messages_alone;
    UPDATE messages SET elapsed_ms = at_ms WHERE alone;
    CREATE INDEX messages_alone ON messages (elapsed_ms) WHERE alone;

    -- by_clock: due_ms is a time of the wall clock that somebody named. Older rows do not say. People name whole
    -- seconds, and one delay in a thousand ends on one.
    ALTER TABLE delayed ADD COLUMN by_clock INTEGER NOT NULL DEFAULT 0;
    UPDATE delayed SET by_clock = 1 WHERE due_ms % 1000 = 0;
    UPDATE delayed SET due_ms = elapsed_ms + (limits ->> 'delayed_ahead_ms') FROM state
        WHERE NOT by_clock AND due_ms > elapsed_ms + (limits ->> 'delayed_ahead_ms');
    DROP INDEX delayed_due;
    CREATE INDEX delayed_due ON delayed (by_clock, due_ms, id);

    -- No message counts as read and no marker as unmoved before this, so that after an upgrade or a restore nothing is
    -- removed within one life. NULL: from the next start on.
    ALTER TABLE state ADD COLUMN spared_ms INTEGER;
    """,
    """
    -- Deleted accounts that are being erased: messages with after_id < id <= up_to and rows elsewhere are left.
    CREATE TABLE erasures (
        user_id INTEGER PRIMARY KEY REFERENCES users, after_id INTEGER NOT NULL, up_to INTEGER NOT NULL
    ) STRICT;
    """,
    """
    -- Networks are what addresses count as; times here are elapsed.
    -- codes: each lets one account be made; hash: SHA-256 of the code, which only its maker has.
    CREATE TABLE codes (
        id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, expires_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX codes_expires ON codes (expires_ms);

    -- How many accounts a network has made since start_ms.
    CREATE TABLE registrations (network TEXT PRIMARY KEY, start_ms INTEGER NOT NULL, count INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE INDEX registrations_start ON registrations (start_ms);

    -- The networks that a user signed in from, and when last.
    CREATE TABLE networks (
        user_id INTEGER NOT NULL REFERENCES users, network TEXT NOT NULL, used_ms INTEGER NOT NULL,
        PRIMARY KEY (user_id, network)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    -- The search index is rebuilt, since words are folded differently (see `search.normalize`). Its new tables are
    -- folded_N; the old ones, words_N, are dropped one after another while the server runs.
    CREATE TABLE old_word_blocks (id INTEGER PRIMARY KEY) STRICT;
    INSERT INTO old_word_blocks SELECT id FROM word_blocks;
    DELETE FROM word_blocks;
    UPDATE state SET indexed = 0;
    """,
    """
    -- Acts are named by the words of the command line.
    UPDATE audit SET act = CASE act
        WHEN 'appoint' THEN 'operator add' WHEN 'dismiss' THEN 'operator remove' ELSE 'invite revoke' END
        WHERE act IN ('appoint', 'dismiss', 'revoke_code');
    """,
    f"""
    -- The bytes of each user's stored texts in UTF-8: messages and comments, delayed messages, reasons of reports, why
    -- the user is away, and topics of the chats that the user owns.
    CREATE TABLE text_bytes (user_id INTEGER PRIMARY KEY REFERENCES users, bytes INTEGER NOT NULL) STRICT;
    -- The texts are added row by row, since GROUP BY would sort all of them in memory.
    INSERT INTO text_bytes SELECT user_id, octet_length(text) FROM (
        SELECT user_id, text FROM messages
        UNION ALL SELECT user_id, text FROM delayed
        UNION ALL SELECT reporter, reason FROM reports
        UNION ALL SELECT id, away FROM users
        UNION ALL SELECT owner, topic FROM chats
    ) WHERE text IS NOT NULL AND user_id IS NOT NULL
        ON CONFLICT (user_id) DO UPDATE SET bytes = bytes + excluded.bytes;
    {_counting_triggers("messages", "user_id", "text", ("come", "change", "go"))}
    {_counting_triggers("delayed", "user_id", "text", ("come", "go"))}
    {_counting_triggers("reports", "reporter", "reason", ("come", "change", "go"))}
    {_counting_triggers("users", "id", "away", ("change",))}
    {_counting_triggers("chats", "owner", "topic", ("change", "go"))}
    """,
    """
    -- The holder of an upload is named by the node, and by a random lease there that means nothing to the next process.
    -- An upload that nobody holds has neither. Uploads of the last process wait for their users, as after any stop.
    DROP INDEX uploads_session;
    UPDATE uploads SET expires_ms = elapsed_ms + 600000 FROM state WHERE session IS NOT NULL;
    ALTER TABLE uploads DROP COLUMN session;
    ALTER TABLE uploads ADD COLUMN node TEXT;
    ALTER TABLE uploads ADD COLUMN lease TEXT;
    CREATE INDEX uploads_held ON uploads (node, lease) WHERE node IS NOT NULL;
    """,
    """
    -- The version of the password: 0 for an account without one, and one more with each that is set.
    ALTER TABLE users ADD COLUMN password_version INTEGER NOT NULL DEFAULT 0;
    UPDATE users SET password_version = 1 WHERE password IS NOT NULL;

    -- How many wrong passwords were given for an account, and when the last one was, in elapsed time; counted_as: the
    -- known network that they came from, or whose else they are. The number is one more than all others.
    CREATE TABLE wrong_passwords (
        number INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, counted_as TEXT NOT NULL,
        count INTEGER NOT NULL, last_ms INTEGER NOT NULL, UNIQUE (user_id, counted_as)
    ) STRICT;
    """,
    """
    -- The position in the log: stream 0 is the log of a single server, and those of a cluster count from 1. digest:
    -- that of the record there.
    ALTER TABLE state RENAME COLUMN applied TO sequence;
    ALTER TABLE state ADD COLUMN stream INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE state ADD COLUMN digest BLOB NOT NULL DEFAULT x'';

    -- The nodes that have written into the log, and the last batch of each: which start of the node it is of, its
    -- number there, the node's wall clock, and how long the chat had lived. For the node that wrote last, `sender`,
    -- the row of the state has what each batch changes, and its own row is behind (see `state`).
    CREATE TABLE nodes (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, incarnation INTEGER NOT NULL,
        nonce BLOB NOT NULL, number INTEGER NOT NULL DEFAULT 0, sent_ms INTEGER NOT NULL DEFAULT 0,
        elapsed_ms INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    ALTER TABLE state ADD COLUMN sender INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE state ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE state ADD COLUMN sent_ms INTEGER NOT NULL DEFAULT 0;
    """,
    INDEX_LEAVES,
    """
    -- outcomes: the running digest of what batches came to (see `digests`).
    ALTER TABLE state ADD COLUMN outcomes BLOB NOT NULL DEFAULT x'';
    """,
    """
    -- replies: how many messages answer it (`reply_to`), so that only those that have any are looked up.
    ALTER TABLE messages ADD COLUMN replies INTEGER NOT NULL DEFAULT 0;
    UPDATE messages SET replies = (SELECT count(*) FROM messages c WHERE c.reply_to = messages.id)
        WHERE id IN (SELECT reply_to FROM messages WHERE reply_to IS NOT NULL);
    CREATE TRIGGER messages_replies_go AFTER DELETE ON messages WHEN old.reply_to IS NOT NULL BEGIN
        UPDATE messages SET replies = replies - 1 WHERE id = old.reply_to;
    END;
    """,
    """
    -- In a cluster the bytes of each file are an object of its own in the object store: its bucket and name (see
    -- `files`). secret: the key to its bytes, which stands here and in the log alone. A lone server has neither.
    ALTER TABLE uploads ADD COLUMN object TEXT;
    ALTER TABLE files ADD COLUMN object TEXT;
    ALTER TABLE files ADD COLUMN secret BLOB;
    CREATE INDEX uploads_object ON uploads (object) WHERE object IS NOT NULL;
    CREATE INDEX files_object ON files (object) WHERE object IS NOT NULL;

    -- The buckets that may hold objects.
    CREATE TABLE buckets (number INTEGER PRIMARY KEY) STRICT;

    -- dropped: also the objects that no upload and no file has any more, and the buckets that are over.
    ALTER TABLE dropped ADD COLUMN object TEXT;
    ALTER TABLE dropped ADD COLUMN bucket INTEGER;
    CREATE TRIGGER uploads_objects_go AFTER DELETE ON uploads WHEN old.object IS NOT NULL BEGIN
        INSERT INTO dropped (object) VALUES (old.object);
    END;
    CREATE TRIGGER files_objects_go AFTER DELETE ON files WHEN old.object IS NOT NULL BEGIN
        INSERT INTO dropped (object) VALUES (old.object);
    END;
    CREATE TRIGGER buckets_go AFTER DELETE ON buckets BEGIN
        INSERT INTO dropped (bucket) VALUES (old.number);
    END;
    """,
    """
    -- version: that of the log (see `log.versions`), 0 before the first batch.
    ALTER TABLE state ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
    """,
    """
    -- What clients keep with an account. Only they know what the names and values mean.
    CREATE TABLE preferences (
        user_id INTEGER NOT NULL REFERENCES users, name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (user_id, name)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    -- Of a token: when it was made, and the program and the network that last signed in by it. NULL: it is older than
    -- these columns.
    ALTER TABLE tokens ADD COLUMN made_ms INTEGER;
    ALTER TABLE tokens ADD COLUMN client TEXT;
    ALTER TABLE tokens ADD COLUMN network TEXT;
    """,
    """
    -- slow_ms: the least time between two messages of one user in main or a private chat; 0: none.
    ALTER TABLE chats ADD COLUMN slow_ms INTEGER NOT NULL DEFAULT 0;

    -- When users whose next message has to wait for that last wrote there, in elapsed time.
    CREATE TABLE slow_posts (
        chat_id INTEGER NOT NULL REFERENCES chats, user_id INTEGER NOT NULL REFERENCES users, sent_ms INTEGER NOT NULL,
        PRIMARY KEY (chat_id, user_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX slow_posts_sent ON slow_posts (chat_id, sent_ms);
    CREATE INDEX slow_posts_user ON slow_posts (user_id);
    """,
    """
    -- Networks from which nobody may connect, in CIDR notation. until_ms: elapsed time; NULL: for good.
    CREATE TABLE address_bans (
        network TEXT PRIMARY KEY, until_ms INTEGER, reason TEXT NOT NULL, banned_by TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)

# The migrations up to that of the first release may do anything. Each node of a cluster runs the later ones at its own
# time, when its program is replaced, and older programs go on executing the same log: so these only add.
ADDING_FROM = 25

# What a version of the log does to rows that are there, and to what the rules see of the tables, such as triggers. In a
# cluster it runs in the batch that raises the version, at the same place on all nodes; otherwise at a start. All
# migrations have run before, those of later versions too.
CHANGES: Mapping[int, str] = {}


def drop_index(connection: apsw.Connection) -> None:
    """Drop the tables of the search index, of which there was one for each block of ids, and what was noted of them."""
    for prefix, blocks in (("folded", "word_blocks"), ("words", "old_word_blocks")):
        for (block,) in connection.execute(f"SELECT id FROM {blocks}").fetchall():
            connection.execute(f"DROP TABLE {prefix}_{block}")
        connection.execute(f"DROP TABLE {blocks}")


VERSION = len(MIGRATIONS)
# "chat" in ASCII, which tells the database from any other SQLite file.
APPLICATION_ID = 0x63686174
