/* The floors that the server is measured against: the least that a program has to do for the same work.
 *
 * floor write N PORT          N connections: each line of one is written to all others, and acknowledged to it
 * floor durable N PORT FILE   the same, but what one turn has read is appended to FILE and synced before it is written
 * floor sql N PORT DATABASE   pairs: a line of connection 2n goes to 2n + 1 behind the same SQL as the server's, one
 *                             transaction a turn, and an index for searches that follows as the server's does;
 *                             DATABASE is one of the server's that has done the same already
 *
 * Nothing is parsed, checked or rendered but what the lines of `load` need. What one look at the sockets finds is one
 * turn, as it is one batch of the server. A full socket holds it up, as it would hold up any honest loop.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_MAX 65536
#define TURN_MAX (1 << 22)
#define LINE_MAX 8192
#define HEAD "/send_all " /* of each line */

struct message { int from; size_t at, size; }; /* its line in the block */

static int *fds, n, file;
static char in[READ_MAX], block[TURN_MAX], own[TURN_MAX];
static struct message messages[TURN_MAX / 16];
static size_t block_size, count;
static long id;
static char (*rest)[LINE_MAX]; /* of a line that has not ended yet, for each connection */
static size_t *rest_size;

static void write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, data, size);
        if (done <= 0)
            exit(0);
        data += done;
        size -= (size_t)done;
    }
}

static void take_line(int from, const char *line, size_t size)
{
    const char *text = memchr(line + 1, ' ', size - 1);
    if (line[1] != 's' || !text)
        return;
    if (!strncmp(line, "/send ", 6))
        text = memchr(text + 1, ' ', size - (size_t)(text + 1 - line));
    struct message *message = &messages[count++];
    message->from = from;
    message->at = block_size;
    size_t head = (size_t)sprintf(block + block_size, "[12:00:01] main u%d: ", from);
    size_t length = size - (size_t)(text + 1 - line);
    memcpy(block + block_size + head, text + 1, length);
    message->size = head + length + (size_t)sprintf(block + block_size + head + length, " (#%ld)\n", ++id);
    block_size += message->size;
}

/* Read what has come on a connection; 0 once it has ended. */
static int take(int from)
{
    ssize_t got = read(fds[from], in, sizeof in);
    if (got <= 0)
        return 0;
    char *line = in, *end = in + got, *stop;
    while ((stop = memchr(line, '\n', (size_t)(end - line)))) {
        if (rest_size[from]) {
            memcpy(rest[from] + rest_size[from], line, (size_t)(stop - line));
            take_line(from, rest[from], rest_size[from] + (size_t)(stop - line));
            rest_size[from] = 0;
        } else if (stop > line)
            take_line(from, line, (size_t)(stop - line));
        line = stop + 1;
    }
    memcpy(rest[from] + rest_size[from], line, (size_t)(end - line));
    rest_size[from] += (size_t)(end - line);
    return 1;
}

/* To everybody the block; to who sent some of it, acknowledgements in the places of these. */
static void write_turn(void)
{
    char *sends = calloc((size_t)n, 1);
    for (size_t m = 0; m < count; m++)
        sends[messages[m].from] = 1;
    for (int i = 0; i < n; i++) {
        if (!sends[i]) {
            write_all(fds[i], block, block_size);
            continue;
        }
        size_t size = 0;
        long first = id - (long)count;
        for (size_t m = 0; m < count; m++)
            if (messages[m].from == i)
                size += (size_t)sprintf(own + size, "+ sent #%ld\n", first + (long)m + 1);
            else {
                memcpy(own + size, block + messages[m].at, messages[m].size);
                size += messages[m].size;
            }
        write_all(fds[i], own, size);
    }
    free(sends);
}

/* ---- pairs, behind SQL */

static sqlite3 *db;
static sqlite3_int64 *users, *chats; /* the ids of u0, u1 ..., and of the chats of the pairs */
static sqlite3_stmt *begin, *insert, *advance, *commit;

static sqlite3_stmt *statement(const char *sql)
{
    sqlite3_stmt *made;
    if (sqlite3_prepare_v2(db, sql, -1, &made, NULL) != SQLITE_OK) {
        fprintf(stderr, "floor: %s: %s\n", sql, sqlite3_errmsg(db));
        exit(1);
    }
    return made;
}

static void run(sqlite3_stmt *made)
{
    int result;
    while ((result = sqlite3_step(made)) == SQLITE_ROW)
        ;
    if (result != SQLITE_DONE) {
        fprintf(stderr, "floor: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_reset(made);
}

/* The bundled SQLite of the server has this function; that of a system may be older than 3.43. */
static void octet_length(sqlite3_context *context, int arguments, sqlite3_value **values)
{
    (void)arguments;
    sqlite3_result_int(context, sqlite3_value_bytes(values[0]));
}

/* The first column of the first row, 0 without any. */
static sqlite3_int64 first_of(sqlite3_stmt *made)
{
    sqlite3_int64 found = sqlite3_step(made) == SQLITE_ROW ? sqlite3_column_int64(made, 0) : 0;
    sqlite3_reset(made);
    return found;
}

/* The statements of the server for messages between two people, who and whose chat it keeps in memory. */
static void open_database(const char *path)
{
    if (sqlite3_open(path, &db) != SQLITE_OK)
        exit(1);
    sqlite3_create_function(db, "octet_length", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                            octet_length, NULL, NULL);
    sqlite3_exec(db, "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON", 0, 0, 0);
    begin = statement("BEGIN IMMEDIATE");
    insert = statement("INSERT INTO messages (id, seq, chat_id, user_id, at_ms, elapsed_ms, text, delayed, reply_to,"
                       " mentions, alone) VALUES (?1, ?1, ?2, ?3, ?4, ?4, ?5, 0, NULL, NULL, NOT EXISTS (SELECT 1 FROM"
                       " members WHERE chat_id = ?2 AND absent = 0 AND user_id <> ?3))");
    advance = statement("UPDATE state SET seq = ?, sequence = sequence + 1");
    commit = statement("COMMIT");
    sqlite3_stmt *by_name = statement("SELECT id FROM users WHERE folded = ?");
    users = calloc((size_t)n, sizeof *users);
    for (int i = 0; i < n; i++) {
        char name[32];
        sqlite3_bind_text(by_name, 1, name, snprintf(name, sizeof name, "u%d", i), SQLITE_STATIC);
        users[i] = first_of(by_name);
    }
    sqlite3_finalize(by_name);
    sqlite3_stmt *chat_of = statement("SELECT id FROM chats WHERE low_user = ?1 AND high_user = ?2");
    chats = calloc((size_t)n, sizeof *chats);
    for (int i = 0; i + 1 < n; i += 2) {
        int low = users[i] < users[i + 1] ? i : i + 1;
        sqlite3_bind_int64(chat_of, 1, users[low]);
        sqlite3_bind_int64(chat_of, 2, users[low == i ? i + 1 : i]);
        if (!(chats[i] = first_of(chat_of))) {
            fprintf(stderr, "floor: u%d and u%d have no chat\n", i, i + 1);
            exit(1);
        }
    }
    sqlite3_finalize(chat_of);
    sqlite3_stmt *seq = statement("SELECT seq FROM state");
    id = (long)first_of(seq);
    sqlite3_finalize(seq);
}

static void store(const struct message *message, long number)
{
    sqlite3_bind_int64(insert, 1, number);
    sqlite3_bind_int64(insert, 2, chats[message->from]);
    sqlite3_bind_int64(insert, 3, users[message->from]);
    sqlite3_bind_int64(insert, 4, 1);
    sqlite3_bind_text(insert, 5, block + message->at, (int)message->size, SQLITE_STATIC);
    run(insert);
}

static void store_turn(void)
{
    long first = id - (long)count;
    run(begin);
    for (size_t m = 0; m < count; m++)
        store(&messages[m], first + (long)m + 1);
    sqlite3_bind_int64(advance, 1, id);
    run(advance);
    run(commit);
}

/* The search index, as `store/search.py` writes it: a file of its own that is not synced, a table for each block of
 * ids, at most 1,000 messages every quarter of a second, and more where it is more than 32,768 behind. */
#define STEP 1000
#define STEP_SECONDS 0.25
#define BEHIND 32768
#define BLOCK 16384

static sqlite3 *words;
static sqlite3_stmt *wanted, *add;
static long indexed, block_of_add = -1;

static sqlite3_stmt *of_words(const char *sql)
{
    sqlite3_stmt *made;
    if (sqlite3_prepare_v2(words, sql, -1, &made, NULL) != SQLITE_OK) {
        fprintf(stderr, "floor: %s: %s\n", sql, sqlite3_errmsg(words));
        exit(1);
    }
    return made;
}

static void open_index(const char *database)
{
    char path[4096], sql[8192];
    snprintf(path, sizeof path, "%s-words", database);
    snprintf(sql, sizeof sql, "ATTACH '%s' AS chat; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                              " PRAGMA secure_delete = ON", database);
    if (sqlite3_open(path, &words) != SQLITE_OK || sqlite3_exec(words, sql, 0, 0, 0) != SQLITE_OK)
        exit(1);
    wanted = of_words("SELECT m.id, lower(m.text), 'c' || m.chat_id || ' u' || m.user_id || coalesce(' s' || c.low_user"
                      " || ' s' || c.high_user, '') FROM messages m JOIN chats c ON c.id = m.chat_id WHERE m.text IS NOT"
                      " NULL AND m.id > ? AND m.id <= ? ORDER BY m.id LIMIT ?");
    indexed = id;
}

static void take_block(long number)
{
    static const char *const SQL = "CREATE VIRTUAL TABLE words_%ld USING fts5(text, scope, content='', prefix='2 3',"
                                   " tokenize=\"unicode61 remove_diacritics 2 categories 'L* M* N* Co'\");"
                                   " INSERT INTO words_%ld (words_%ld, rank) VALUES ('automerge', 0);"
                                   " INSERT INTO words_%ld (words_%ld, rank) VALUES ('crisismerge', 64)";
    char sql[1024];
    if (number == block_of_add)
        return;
    sqlite3_finalize(add);
    snprintf(sql, sizeof sql, SQL, number, number, number, number, number);
    sqlite3_exec(words, sql, 0, 0, 0);
    snprintf(sql, sizeof sql, "INSERT INTO words_%ld (rowid, text, scope) VALUES (?, ?, ?)", number);
    add = of_words(sql);
    block_of_add = number;
}

static void index_step(void)
{
    long number = (indexed + 1) / BLOCK, end = (number + 1) * BLOCK - 1;
    sqlite3_exec(words, "BEGIN IMMEDIATE", 0, 0, 0);
    take_block(number);
    sqlite3_bind_int64(wanted, 1, indexed);
    sqlite3_bind_int64(wanted, 2, end < id ? end : id);
    sqlite3_bind_int64(wanted, 3, STEP);
    while (sqlite3_step(wanted) == SQLITE_ROW) {
        indexed = (long)sqlite3_column_int64(wanted, 0);
        for (int column = 0; column < 3; column++)
            sqlite3_bind_value(add, column + 1, sqlite3_column_value(wanted, column));
        if (sqlite3_step(add) != SQLITE_DONE) {
            fprintf(stderr, "floor: %s\n", sqlite3_errmsg(words));
            exit(1);
        }
        sqlite3_reset(add);
    }
    sqlite3_reset(wanted);
    sqlite3_exec(words, "COMMIT", 0, 0, 0);
}

static void index_turn(void)
{
    static double last;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double now = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    if (now - last >= STEP_SECONDS) {
        index_step();
        last = now;
    }
    while (id - indexed > BEHIND)
        index_step();
}

static void write_pairs(void)
{
    long first = id - (long)count;
    char said[64];
    for (size_t m = 0; m < count;) {
        int from = messages[m].from;
        size_t at = messages[m].at, size = 0, acknowledged = 0;
        for (; m < count && messages[m].from == from; m++) {
            size += messages[m].size;
            acknowledged += (size_t)sprintf(own + acknowledged, "%.*s",
                                            sprintf(said, "+ sent #%ld\n", first + (long)m + 1), said);
        }
        write_all(fds[from], own, acknowledged);
        write_all(fds[from + 1], block + at, size);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    int one = 1, is_durable = !strcmp(argv[1], "durable"), is_sql = !strcmp(argv[1], "sql");
    n = atoi(argv[2]);
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    if (is_durable)
        file = open(argv[4], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (is_sql) {
        open_database(argv[4]);
        open_index(argv[4]);
    }
    fds = calloc((size_t)n, sizeof *fds);
    rest = calloc((size_t)n, sizeof *rest);
    rest_size = calloc((size_t)n, sizeof *rest_size);
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[3]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024))
        return 1;
    puts("listening");
    fflush(stdout);
    for (int i = 0; i < n; i++) {
        fds[i] = accept(listener, NULL, NULL);
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        write_all(fds[i], "+ signed in\n", 12);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
    }
    struct epoll_event events[1024];
    for (;;) {
        int ready = epoll_wait(epoll, events, 1024, -1);
        block_size = count = 0;
        for (int e = 0; e < ready; e++)
            if (!take((int)events[e].data.u32))
                return 0;
        if (!count)
            continue;
        if (is_durable) {
            write_all(file, block, block_size);
            fdatasync(file);
        }
        if (is_sql) {
            store_turn();
            write_pairs();
            index_turn();
        } else
            write_turn();
    }
}
