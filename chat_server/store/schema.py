"""The tables. Migrations are only ever appended: number N turns a database of version N - 1 into one of version N."""

MIGRATIONS = (
    """
    -- One row. seq: the last id or change given out; at_ms: the last batch's time; applied: its number in the log;
    -- limits: the last Configure entry as JSON; history: the random id of this database.
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, applied INTEGER NOT NULL,
        limits TEXT, history TEXT
    ) STRICT;
    INSERT INTO state VALUES (1, 0, 0, 0, NULL, NULL);

    -- password: an argon2id hash, NULL without one. ban_*: the last ban by reports; ban_open until its end was told.
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
    -- The author stands in it so that unread messages are counted without reading them.
    CREATE INDEX messages_chat ON messages (chat_id, id, user_id);
    CREATE INDEX messages_changed ON messages (chat_id, seq) WHERE seq <> id;
    CREATE INDEX messages_comments ON messages (reply_to, id) WHERE reply_to IS NOT NULL;

    CREATE TABLE reactions (
        message_id INTEGER NOT NULL REFERENCES messages, emoji TEXT NOT NULL,
        user_id INTEGER NOT NULL REFERENCES users, seq INTEGER NOT NULL,
        PRIMARY KEY (message_id, emoji, user_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX reactions_user ON reactions (user_id);

    -- A sending command's key, what was asked (a digest) and what was answered.
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
    -- AUTOINCREMENT here and elsewhere: an id that was told to somebody is never another one's.
    CREATE TABLE notices (
        id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users, event BLOB NOT NULL
    ) STRICT;
    CREATE INDEX notices_user ON notices (user_id, id);
    """,
)

VERSION = len(MIGRATIONS)
# "chat" in ASCII: tells our database from any other SQLite file.
APPLICATION_ID = 0x63686174
