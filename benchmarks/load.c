/* The load: all users of a chat in one process, on one core.
 *
 * load WORKLOAD --port N [--option value ...]     prints its figures as lines of a word and a number
 *
 * Workloads:
 *   main      `senders` people write in turn, `window` messages in flight in all; they and `readers` others receive
 *   pairs     `senders` pairs; one of each writes to the other, `window` in flight for each pair. With `partners` each
 *             sender writes to so many of the others in turn: `senders` x `partners` chats, in all of which something
 *             was said before (not with IRC)
 *   chats     `chats` private chats of `senders` people each, who all write in turn, `window` in flight in all
 *   open      as `main`, but `rate` messages a second are sent for `seconds`, whatever comes back
 *   sign_ins  `readers` people come, `window` at once; the time is from the first connection to the last answer
 *   hold      `readers` people come and stay
 *
 * `ready` is said once all are there; what is measured begins with the next line of standard input, and the connections
 * stay until it ends.
 *
 * A message is in flight until its sender has the acknowledgement. An IRC server gives none: there a message is in
 * flight until the first reader, or the other one of the pair, has it. All times of `p50_ms` and `p99_ms` are from
 * just before the write of the sender to just after the read of a receiver, over all receivers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_MAX (1 << 18)
#define HEAD_MAX 256 /* of a line, what is looked at */
#define COMMAND_MAX 8192
#define STAMP 17 /* ~ and 16 hexadecimal digits: when the message was sent, in nanoseconds */
#define EVENTS_MAX 1024
#define WAIT_MS 20000
#define JOINS 64 /* at once */

enum protocol { TEXT, JSON, IRC, BARE };
enum line { OTHER, MESSAGE, ACKNOWLEDGEMENT, REFUSAL, PING };

struct peer {
    int fd;
    int sends;
    int in_flight;
    int partner; /* pairs: how many it has written to */
    int acknowledges; /* IRC: whose message is done when this one has it: a peer, -1 nobody's, -2 anybody's */
    char *command;
    size_t command_size, stamp_at;
    char *out; /* what waits to be written */
    size_t out_size, out_room;
    char head[HEAD_MAX]; /* the beginning of a line that has not ended yet */
    size_t head_size;
    long replies; /* that were asked for while the load is set up, and have not come */
};

static enum protocol protocol = TEXT;
static int port, readers, senders = 1, partners = 1, chats, window = 1, bytes = 64, rate, seconds = 10;
static long messages = 1000;
static const char *prefix = "u";
static struct peer *peers;
static int count, epoll_fd, stamps;
static long sent, done, had, in_flight;
static char buffer[READ_MAX];
static struct epoll_event events[EVENTS_MAX];

static _Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (%s)\n", strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- latencies, in buckets of 1/32 of their size */

#define BUCKETS 2048
static long buckets[BUCKETS], samples;

static void note_latency(int64_t ns)
{
    int64_t us = ns < 1000 ? 1 : ns / 1000;
    int exponent = 63 - __builtin_clzll((unsigned long long)us);
    int bucket = exponent * 32 + (int)(exponent >= 5 ? (us >> (exponent - 5)) & 31 : (us << (5 - exponent)) & 31);
    buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    samples++;
}

static double latency_ms(double share)
{
    long below = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((below += buckets[i]) && (double)below >= share * (double)samples)
            return (double)(1L << (i / 32)) * (1 + (i % 32 + 1) / 32.0) / 1000;
    return 0;
}

/* ---- what a line is */

static enum line kind_of(const char *line, size_t size)
{
    if (size == 0)
        return OTHER;
    if (protocol == JSON && line[0] == '{' && size > 10)
        return line[9] == 'm' && line[10] == 'e' ? MESSAGE : line[9] == 'o' ? ACKNOWLEDGEMENT
               : line[9] == 'e' && line[10] == 'r' ? REFUSAL : OTHER;
    if (protocol == IRC) {
        if (size > 5 && !memcmp(line, "PING ", 5))
            return PING;
        const char *word = memchr(line, ' ', size);
        size_t left = word ? size - (size_t)(word - line) : 0;
        if (left > 9 && !memcmp(word, " PRIVMSG ", 9))
            return MESSAGE;
        return left > 5 && (!memcmp(word, " 001 ", 5) || !memcmp(word, " 366 ", 5)) ? ACKNOWLEDGEMENT : OTHER;
    }
    return line[0] == '[' ? MESSAGE : line[0] == '+' ? ACKNOWLEDGEMENT : line[0] == '-' ? REFUSAL : OTHER;
}

static void put(struct peer *peer, const char *data, size_t size)
{
    if (peer->out_size + size > peer->out_room) {
        peer->out_room = 2 * (peer->out_size + size);
        peer->out = realloc(peer->out, peer->out_room);
    }
    memcpy(peer->out + peer->out_size, data, size);
    peer->out_size += size;
}

static void say(struct peer *peer, int replies, const char *format, ...)
{
    char line[COMMAND_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    put(peer, line, (size_t)size);
    peer->replies += replies;
}

static void flush(struct peer *peer)
{
    if (!peer->out_size)
        return;
    ssize_t put = write(peer->fd, peer->out, peer->out_size);
    if (put < 0 && errno != EAGAIN)
        fail("write");
    if (put > 0) {
        peer->out_size -= (size_t)put;
        memmove(peer->out, peer->out + put, peer->out_size);
    }
}

static void take_line(struct peer *peer, const char *line, size_t size)
{
    switch (kind_of(line, size)) {
    case MESSAGE:
        had++;
        if (stamps) {
            /* ngIRCd puts a ~ before the name of a user, too. */
            const char *stamp = memrchr(line, '~', size);
            if (stamp && size - (size_t)(stamp - line) >= STAMP)
                note_latency(now_ns() - (int64_t)strtoull(stamp + 1, NULL, 16));
        }
        if (protocol == IRC && peer->acknowledges != -1) {
            done++;
            in_flight--;
            if (peer->acknowledges >= 0)
                peers[peer->acknowledges].in_flight--;
        }
        break;
    case ACKNOWLEDGEMENT:
        if (peer->replies > 0)
            peer->replies--;
        else if (peer->in_flight > 0) {
            peer->in_flight--;
            in_flight--;
            done++;
        }
        break;
    case REFUSAL:
        fail("refused: %.*s", (int)size, line);
    case PING:
        say(peer, 0, "PONG %.*s\r\n", (int)size - 5, line + 5);
        flush(peer);
        break;
    case OTHER:
        break;
    }
}

static void take(struct peer *peer)
{
    ssize_t got = read(peer->fd, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        fail("a connection ended");
    const char *line = buffer, *end = buffer + got;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((stop ? stop : end) - line);
        if (!stop || peer->head_size) {
            size_t room = HEAD_MAX - peer->head_size, more = size < room ? size : room;
            memcpy(peer->head + peer->head_size, line, more);
            peer->head_size += more;
        }
        if (!stop)
            return;
        if (peer->head_size)
            take_line(peer, peer->head, peer->head_size);
        else
            take_line(peer, line, size < HEAD_MAX ? size : HEAD_MAX);
        peer->head_size = 0;
        line = stop + 1;
    }
}

/* Wait for what comes, at most so long; whether anything came. */
static int turn(int timeout_ms)
{
    int ready = epoll_wait(epoll_fd, events, EVENTS_MAX, timeout_ms);
    for (int e = 0; e < ready; e++)
        take(&peers[events[e].data.u32]);
    return ready > 0;
}

/* Whoever started the load looks at the server now. */
static void meet(const char *said)
{
    char go;
    fputs(said, stdout);
    fflush(stdout);
    while (read(0, &go, 1) == 1 && go != '\n')
        ;
}

/* ---- coming in */

static void connect_peer(int i)
{
    struct peer *peer = &peers[i];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, retries = 4;
    if ((peer->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0)
        fail("socket");
    /* A queue that stays full fails after half a minute, not after two. */
    setsockopt(peer->fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof retries);
    if (connect(peer->fd, (struct sockaddr *)&at, sizeof at))
        fail("connect");
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(peer->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)i};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peer->fd, &event);
    peer->acknowledges = -1;
}

static void sign_in(int i)
{
    if (protocol == IRC)
        say(&peers[i], 1, "NICK %s%d\r\nUSER u 0 * :u\r\n", prefix, i);
    else if (protocol == JSON)
        say(&peers[i], 3, "/format json\n{\"cmd\":\"sign_in\",\"username\":\"%s%d\"}\n{\"cmd\":\"presence\",\"presence\":false}\n",
            prefix, i);
    else if (protocol == TEXT)
        say(&peers[i], 2, "/sign_in %s%d\n/presence off\n", prefix, i);
    else
        peers[i].replies++;
    flush(&peers[i]);
}

static void wait_for(struct peer *peer)
{
    while (peer->replies > 0) {
        flush(peer);
        if (!turn(WAIT_MS))
            fail("nothing came for %d s while the load was set up", WAIT_MS / 1000);
    }
}

/* All come in, at most `at_once` at the same time. */
static void come(int at_once)
{
    for (int i = 0, oldest = 0; i < count; i++) {
        connect_peer(i);
        sign_in(i);
        if (i - oldest >= at_once)
            wait_for(&peers[oldest++]);
    }
    for (int i = 0; i < count; i++)
        wait_for(&peers[i]);
}

static void make_chats(void)
{
    for (int c = 0; c < chats; c++) {
        struct peer *owner = &peers[c * senders];
        if (protocol != IRC) {
            say(owner, 1, protocol == JSON ? "/create_chat #%s-%d\n" : "/create_chat #%s-%d\n", prefix, c);
            for (int m = 1; m < senders; m++)
                say(owner, 1, "/invite #%s-%d %s%d\n", prefix, c, prefix, c * senders + m);
            wait_for(owner);
        }
        for (int m = protocol == IRC ? 0 : 1; m < senders; m++)
            say(owner + m, 1, protocol == IRC ? "JOIN #%s-%d\r\n" : "/join #%s-%d\n", prefix, c);
        for (int m = 0; m < senders; m++)
            wait_for(owner + m);
    }
}

static void prepare(int i, const char *target)
{
    struct peer *peer = &peers[i];
    char head[256];
    int size;
    if (protocol == IRC)
        size = snprintf(head, sizeof head, "PRIVMSG %s :", *target ? target : "#main");
    else if (protocol == JSON && *target)
        size = snprintf(head, sizeof head, "{\"cmd\":\"send\",\"target\":\"%s\",\"text\":\"", target);
    else if (protocol == JSON)
        size = snprintf(head, sizeof head, "{\"cmd\":\"send_all\",\"text\":\"");
    else if (*target)
        size = snprintf(head, sizeof head, "/send %s ", target);
    else
        size = snprintf(head, sizeof head, "/send_all ");
    const char *tail = protocol == IRC ? "\r\n" : protocol == JSON ? "\"}\n" : "\n";
    free(peer->command);
    peer->sends = 1;
    peer->stamp_at = (size_t)size;
    peer->command_size = (size_t)size + (size_t)bytes + strlen(tail);
    peer->command = malloc(peer->command_size + 1);
    memcpy(peer->command, head, (size_t)size);
    memset(peer->command + size, 'x', (size_t)bytes);
    memcpy(peer->command + size + bytes, tail, strlen(tail) + 1);
}

/* The sender of a pair writes to the next of its partners. */
static void aim(struct peer *peer)
{
    char target[256];
    int sender = (int)(peer - peers);
    snprintf(target, sizeof target, "%s%d", prefix, (sender + 2 * (peer->partner++ % partners)) % count + 1);
    prepare(sender, target);
}

/* ---- sending */

static void send_one(struct peer *peer)
{
    if (partners > 1)
        aim(peer);
    if (stamps) {
        char stamp[STAMP + 1];
        snprintf(stamp, sizeof stamp, "~%016llx", (unsigned long long)now_ns());
        memcpy(peer->command + peer->stamp_at, stamp, STAMP);
    }
    put(peer, peer->command, peer->command_size);
    peer->in_flight++;
    in_flight++;
    sent++;
}

static int next_sender;

static struct peer *take_turn(void)
{
    do
        next_sender = (next_sender + 1) % count;
    while (!peers[next_sender].sends);
    return &peers[next_sender];
}

/* Something is said in each chat of the pairs. */
static void begin_chats(void)
{
    had = 0;
    for (int k = 0; k < partners; k++) {
        for (int i = 0; i < count; i += 2) {
            aim(&peers[i]);
            put(&peers[i], peers[i].command, peers[i].command_size);
            peers[i].replies++;
        }
        for (int i = 0; i < count; i += 2)
            wait_for(&peers[i]);
    }
    while (had < (long)senders * partners)
        if (!turn(WAIT_MS))
            fail("only %ld of %d chats began", had, senders * partners);
}

/* Send as much as the window allows. */
static void fill(int pairs)
{
    static int *touched;
    int touches = 0;
    if (!touched)
        touched = calloc((size_t)count + 1, sizeof *touched);
    if (pairs) {
        for (int i = 0; i < count; i += 2) {
            while (peers[i].in_flight < window && sent < messages)
                send_one(&peers[i]);
            flush(&peers[i]);
        }
        return;
    }
    while (in_flight < window && sent < messages) {
        struct peer *peer = take_turn();
        if (!peer->out_size)
            touched[touches++] = (int)(peer - peers);
        send_one(peer);
        if (touches == count)
            break;
    }
    for (int i = 0; i < touches; i++)
        flush(&peers[touched[i]]);
    for (int i = 0; i < count && touches == 0; i++)
        flush(&peers[i]); /* what a full socket did not take */
}

static void send_at_rate(long wanted)
{
    int64_t start = now_ns(), last = start;
    while (had < wanted) {
        int64_t now = now_ns();
        while (sent < messages && now - start >= sent * 1000000000 / rate) {
            struct peer *peer = take_turn();
            send_one(peer);
            flush(peer);
        }
        int64_t next = start + sent * 1000000000 / rate;
        if (turn(sent < messages ? (int)((next - now) / 1000000 + 1) : 1000))
            last = now;
        else if (now - last > (int64_t)WAIT_MS * 1000000)
            fail("only %ld of %ld messages came", had, wanted);
    }
}

static void send_in_windows(long wanted, int pairs)
{
    while (had < wanted || done < messages) {
        fill(pairs);
        if (!turn(WAIT_MS))
            fail("only %ld of %ld messages came", had, wanted);
    }
}

static const struct option OPTIONS[] = {
    {"port", 1, 0, 'p'}, {"readers", 1, 0, 'r'}, {"senders", 1, 0, 's'}, {"partners", 1, 0, 'a'}, {"chats", 1, 0, 'c'},
    {"window", 1, 0, 'w'}, {"messages", 1, 0, 'm'}, {"bytes", 1, 0, 'b'}, {"rate", 1, 0, 'R'}, {"seconds", 1, 0, 'S'},
    {"protocol", 1, 0, 'P'}, {"prefix", 1, 0, 'x'}, {0, 0, 0, 0},
};

int main(int argc, char **argv)
{
    const char *workload = argc > 1 ? argv[1] : "";
    optind = 2;
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'r': readers = atoi(optarg); break;
        case 's': senders = atoi(optarg); break;
        case 'a': partners = atoi(optarg); break;
        case 'c': chats = atoi(optarg); break;
        case 'w': window = atoi(optarg); break;
        case 'm': messages = atol(optarg); break;
        case 'b': bytes = atoi(optarg); break;
        case 'R': rate = atoi(optarg); break;
        case 'S': seconds = atoi(optarg); break;
        case 'x': prefix = optarg; break;
        case 'P':
            protocol = !strcmp(optarg, "json") ? JSON : !strcmp(optarg, "irc") ? IRC : !strcmp(optarg, "bare") ? BARE : TEXT;
            break;
        default: return 2;
        }
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(0);
    int pairs = !strcmp(workload, "pairs"), rooms = !strcmp(workload, "chats"), open = !strcmp(workload, "open");
    int main = open || !strcmp(workload, "main"), holds = !strcmp(workload, "hold");
    int comes_only = holds || !strcmp(workload, "sign_ins");
    count = pairs ? 2 * senders : rooms ? chats * senders : comes_only ? readers : readers + senders;
    peers = calloc((size_t)count, sizeof *peers);
    int64_t start = now_ns();
    come(comes_only ? window : 64);
    if (comes_only) {
        if (!holds)
            printf("sign_ins %d\nlines %ld\nseconds %.6f\n", count, had, (double)(now_ns() - start) / 1e9);
        meet("ready\n");
        return 0;
    }
    if (main) {
        /* Not one by one: ngIRCd leaves Nagle's algorithm on, and each answer would wait for 40 ms and more. */
        for (int i = 0; protocol == IRC && i < count + JOINS; i++) {
            if (i < count) {
                say(&peers[i], 1, "JOIN #main\r\n");
                flush(&peers[i]);
            }
            if (i >= JOINS)
                wait_for(&peers[i - JOINS]);
        }
        for (int i = readers; i < count; i++)
            prepare(i, "");
        peers[0].acknowledges = -2;
    } else if (rooms) {
        if (protocol != BARE) /* a floor sends to all */
            make_chats();
        for (int i = 0; i < count; i++) {
            char target[256];
            snprintf(target, sizeof target, "#%s-%d", prefix, i / senders);
            /* With IRC the first of a chat only reads, and so says when a message has come. */
            if (protocol != IRC || i % senders)
                prepare(i, target);
            peers[i].acknowledges = i % senders ? -1 : -2;
        }
    } else
        for (int i = 0; i < count; i += 2) {
            aim(&peers[i]);
            peers[i + 1].acknowledges = i;
        }
    if (partners > 1)
        begin_chats();
    stamps = bytes >= STAMP;
    if (open)
        messages = (long)rate * seconds;
    long receivers = pairs ? 1 : rooms ? senders - 1 : readers + senders - 1;
    had = 0;
    meet("ready\n");
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    start = now_ns();
    if (open)
        send_at_rate(messages * receivers);
    else
        send_in_windows(messages * receivers, pairs);
    double took = (double)(now_ns() - start) / 1e9;
    getrusage(RUSAGE_SELF, &after);
#define SECONDS(t) ((double)after.t.tv_sec - (double)before.t.tv_sec + ((double)after.t.tv_usec - (double)before.t.tv_usec) / 1e6)
    printf("messages %ld\ndeliveries %ld\nseconds %.6f\nload_cpu %.6f\np50_ms %.3f\np99_ms %.3f\n", messages, had, took,
           SECONDS(ru_utime) + SECONDS(ru_stime), latency_ms(0.5), latency_ms(0.99));
    meet("done\n");
    return 0;
}
