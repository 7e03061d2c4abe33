/* Preloaded, shows a process a clock that is ahead of the machine's by the nanoseconds that the file CHAOS_CLOCK holds.
 *
 * The file is mapped, so that a write to it sets the clock of all processes that have it, at once and while they run.
 * Only the time of day is changed: what measures durations, and what waits, is left alone. libfaketime cannot do that
 * for Python 3.11: with its 0.9.10, time.sleep ends in EINVAL once the clock was set back.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const long SECOND = 1000000000L;
static const volatile long *ahead;
static int (*real_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void open_clock(void) {
    real_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("CHAOS_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) ahead = mapped;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    if (real_gettime == NULL) open_clock(); /* another library's constructor may come first */
    int result = real_gettime(id, now);
    if (result == 0 && ahead != NULL && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        long whole = now->tv_sec * SECOND + now->tv_nsec + *ahead;
        now->tv_sec = whole / SECOND;
        now->tv_nsec = whole % SECOND;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    (void)zone;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *now) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now != NULL) *now = precise.tv_sec;
    return precise.tv_sec;
}
