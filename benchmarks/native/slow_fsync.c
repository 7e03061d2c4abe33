/* A preloaded library that makes every fsync and fdatasync take SLOW_FSYNC_US microseconds longer, as on a slower disk.
 *
 * It sleeps after the real call, so durability does not change. SQLite and PostgreSQL call them through the C library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int call_slowly(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(fd);
    const char *us = getenv("SLOW_FSYNC_US");
    usleep(us ? (useconds_t)atoi(us) : 2000);
    return result;
}

int fsync(int fd) { return call_slowly("fsync", fd); }
int fdatasync(int fd) { return call_slowly("fdatasync", fd); }
