/* Loaded before a program (LD_PRELOAD), fails calls that concern files, as the file $FAILING says: lines
   "call errno end-of-path", read anew at each call, so that a test begins and ends a fault while the program runs.
   A call with a number below zero takes so many milliseconds longer instead. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int matches(const char *path, const char *end) {
    size_t length = strlen(path), wanted = strlen(end);
    return wanted <= length && !strcmp(path + length - wanted, end);
}

static int fails(const char *call, int descriptor) {
    char told[1024], path[4096], name[32], which[16], end[256];
    const char *file = getenv("FAILING");
    int number, source = file ? syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC) : -1;
    if (source < 0) return 0;
    ssize_t length = syscall(SYS_read, source, told, sizeof told - 1);
    syscall(SYS_close, source);
    if (length <= 0) return 0;
    told[length] = 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    if ((length = readlink(name, path, sizeof path - 1)) < 0) return 0;
    path[length] = 0;
    char *state, *line = strtok_r(told, "\n", &state);
    for (; line; line = strtok_r(NULL, "\n", &state))
        if (sscanf(line, "%15s %d %255s", which, &number, end) == 3 && !strcmp(which, call) && matches(path, end)) {
            if (number >= 0) {
                errno = number;
                return 1;
            }
            usleep(-1000 * number);
        }
    return 0;
}

#define FAILING(type, name, call, parameters, ...) \
    type name parameters { \
        if (fails(call, descriptor)) return -1; \
        return ((type(*) parameters)dlsym(RTLD_NEXT, #name))(__VA_ARGS__); \
    }

FAILING(ssize_t, read, "read", (int descriptor, void *to, size_t n), descriptor, to, n)
FAILING(ssize_t, pread, "read", (int descriptor, void *to, size_t n, off_t at), descriptor, to, n, at)
FAILING(ssize_t, pread64, "read", (int descriptor, void *to, size_t n, off64_t at), descriptor, to, n, at)
FAILING(ssize_t, write, "write", (int descriptor, const void *from, size_t n), descriptor, from, n)
FAILING(ssize_t, pwrite, "write", (int descriptor, const void *from, size_t n, off_t at), descriptor, from, n, at)
FAILING(ssize_t, pwrite64, "write", (int descriptor, const void *from, size_t n, off64_t at), descriptor, from, n, at)
FAILING(int, fsync, "fsync", (int descriptor), descriptor)
FAILING(int, fdatasync, "fsync", (int descriptor), descriptor)
