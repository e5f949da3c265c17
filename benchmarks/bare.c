/* The floor that the server is measured against: a C loop over write() to the same sockets, and nothing else.
 *
 * bare PORT N: accepts N + 1 connections; whatever lines the last one sends are written, as blocks of one text line
 * each, to the N others, and acknowledged to it. No parsing, no order, no disk: what one read() returns is one batch,
 * as it is one turn of the server. Blocking writes, so a full socket holds it up, as it would any honest loop.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MAX 65536
#define LINE_MAX 4096

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

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int port = atoi(argv[1]), n = atoi(argv[2]), one = 1;
    int *fds = calloc((size_t)n + 1, sizeof *fds);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024))
        return 1;
    puts("listening");
    fflush(stdout);
    for (int i = 0; i <= n; i++) {
        fds[i] = accept(listener, NULL, NULL);
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        write_all(fds[i], "+ signed in\n", 12);
    }
    static char in[READ_MAX], block[READ_MAX * 2], acks[READ_MAX * 2], text[LINE_MAX];
    size_t text_size = 0;
    long id = 0;
    int sender = fds[n];
    ssize_t got;
    while ((got = read(sender, in, sizeof in)) > 0) {
        size_t block_size = 0, acks_size = 0;
        for (ssize_t i = 0; i < got; i++) {
            if (in[i] != '\n') {
                if (text_size < LINE_MAX)
                    text[text_size++] = in[i];
                continue;
            }
            /* "/send_all " is 10 bytes */
            if (text_size > 10)
                block_size += (size_t)sprintf(block + block_size, "[12:00:01] main sender: %.*s (#%ld)\n",
                                              (int)(text_size - 10), text + 10, ++id);
            acks_size += (size_t)sprintf(acks + acks_size, "+ sent #%ld\n", id);
            text_size = 0;
        }
        write_all(sender, acks, acks_size);
        if (block_size)
            for (int i = 0; i < n; i++)
                write_all(fds[i], block, block_size);
    }
    return 0;
}
