/* N readers in main and one sender that keeps W messages in flight, all in one process on one core.
 *
 * load PORT N W MESSAGES SIZE: prints "deliveries seconds", from the first message sent until every reader has had the
 * last one. Speaks the text form to chat-server; `bare` speaks just enough of it too.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 18];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_connection(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at))
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Send, then read until `replies` lines that begin with + have come. */
static void ask(int fd, const char *line, int replies)
{
    size_t size = strlen(line);
    if (size && write(fd, line, size) != (ssize_t)size)
        fail("write");
    int at_start = 1;
    while (replies > 0) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got <= 0)
            fail("sign-in");
        for (ssize_t i = 0; i < got; i++) {
            if (at_start && buffer[i] == '+')
                replies--;
            at_start = buffer[i] == '\n';
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    int port = atoi(argv[1]), n = atoi(argv[2]), w = atoi(argv[3]), size = atoi(argv[5]);
    long messages = atol(argv[4]), sent = 0, acked = 0;
    int bare = getenv("BARE") != NULL;
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    int epoll = epoll_create1(0), *fds = calloc((size_t)n + 1, sizeof *fds), *begins = calloc((size_t)n + 1, sizeof *begins);
    char line[256];
    for (int i = 0; i <= n; i++) {
        fds[i] = open_connection(port);
        snprintf(line, sizeof line, "/sign_in load%d\n/presence off\n", i);
        ask(fds[i], bare ? "" : line, bare ? 1 : 2);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
        begins[i] = 1;
    }
    int head = snprintf(buffer, sizeof buffer, "/send_all ");
    static char command[8192];
    memcpy(command, buffer, (size_t)head);
    memset(command + head, 'x', (size_t)size);
    command[head + size] = '\n';
    size_t command_size = (size_t)(head + size + 1);
    char *burst = malloc(command_size * (size_t)w);
    for (int i = 0; i < w; i++)
        memcpy(burst + (size_t)i * command_size, command, command_size);
    long wanted = messages * n, had = 0;
    double start = now();
    struct epoll_event events[1024];
    while (had < wanted) {
        long room = w - (sent - acked), left = messages - sent;
        if (room > left)
            room = left;
        if (room > 0) {
            size_t bytes = command_size * (size_t)room;
            for (size_t done = 0; done < bytes;) {
                ssize_t put = write(fds[n], burst + done, bytes - done);
                if (put > 0)
                    done += (size_t)put;
                else if (errno != EAGAIN)
                    fail("send");
            }
            sent += room;
        }
        int ready = epoll_wait(epoll, events, 1024, 10000);
        if (ready <= 0)
            fail("nothing came for 10 s");
        for (int e = 0; e < ready; e++) {
            int i = (int)events[e].data.u32;
            ssize_t got = read(fds[i], buffer, sizeof buffer);
            if (got <= 0)
                fail("read");
            /* Lines begin with [ (a message) or + (an acknowledgement); other lines are not counted. */
            char *p = buffer, *end = buffer + got;
            while (p < end) {
                if (begins[i]) {
                    if (i == n)
                        acked += *p == '+';
                    else
                        had += *p == '[';
                    begins[i] = 0;
                }
                p = memchr(p, '\n', (size_t)(end - p));
                if (!p)
                    break;
                p++;
                begins[i] = 1;
            }
        }
    }
    printf("%ld %.6f\n", had, now() - start);
    return 0;
}
