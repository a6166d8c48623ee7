/* What goes wrong below a program: it is killed at its k-th call that writes, or that call fails; clocks are wrong; the
 * machine has another name.  Preloaded (LD_PRELOAD) and told by the environment, which is read once in each process:
 *
 *   FAULT_BELOW   count calls that write below this folder (an absolute path); without it nothing else is read
 *   FAULT_AT      the call that fails, from 1; 0: none
 *   FAULT_ERRNO   how it fails; 0: the process is killed.  Of a full disk only calls count that need room.
 *   FAULT_ON      1: all later calls fail as well, as on a full disk
 *   FAULT_TORN    1: half of the bytes of that write reach the disk
 *   FAULT_COUNT   file to add the number of calls to when the process ends, and that of those that need room
 *   FAULT_CLOCK   seconds to add to the time of day, from the FAULT_JUMP-th question for it
 *   FAULT_HASTE   how many times as fast the monotonic clock runs
 *   FAULT_HOST    the name of the machine
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static struct {
    pid_t armed;
    char below[PATH_MAX], host[64], count[PATH_MAX];
    size_t length;
    long at, on, torn, jump;
    int error;
    double clock, haste;
    atomic_long calls, roomy, asked;
} fault;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static long number(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? 0 : atol(text);
}

static void copy(char *to, size_t size, const char *name) {
    const char *text = getenv(name);
    snprintf(to, size, "%s", text == NULL ? "" : text);
}

/* Read what was asked for, once in each process; false where nothing was. */
static int armed(void) {
    pid_t self = getpid();
    if (fault.armed == self) return 1;
    const char *below = getenv("FAULT_BELOW");
    if (below == NULL) return 0;
    copy(fault.below, sizeof fault.below, "FAULT_BELOW");
    copy(fault.host, sizeof fault.host, "FAULT_HOST");
    copy(fault.count, sizeof fault.count, "FAULT_COUNT");
    fault.length = strlen(fault.below);
    fault.at = number("FAULT_AT");
    fault.on = number("FAULT_ON");
    fault.torn = number("FAULT_TORN");
    fault.jump = number("FAULT_JUMP");
    fault.error = (int)number("FAULT_ERRNO");
    const char *clock = getenv("FAULT_CLOCK"), *haste = getenv("FAULT_HASTE");
    fault.clock = clock == NULL ? 0.0 : atof(clock);
    fault.haste = haste == NULL ? 1.0 : atof(haste);
    fault.calls = fault.roomy = fault.asked = 0;
    fault.armed = self;
    return 1;
}

static int below(const char *path) {
    if (path[0] != '/') return 1; /* commands run in that folder */
    return strncmp(path, fault.below, fault.length) == 0;
}

static int open_below(int descriptor) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return path[0] == '/' && below(path);
}

static int needs_room_only(void) { return fault.error == ENOSPC || fault.error == EDQUOT || fault.error == EFBIG; }

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Count a call; true if it must fail (errno is set).  `half` makes the torn part of a write. */
static int strikes(int room) {
    atomic_fetch_add(&fault.roomy, room ? 1 : 0);
    if (needs_room_only() && !room) return 0;
    long call = atomic_fetch_add(&fault.calls, 1) + 1;
    if (fault.at == 0 || call < fault.at || (call > fault.at && !fault.on)) return 0;
    if (fault.error == 0 && !fault.torn) die();
    errno = fault.error;
    return 1;
}

static int path_strikes(const char *path, int room) { return path && armed() && below(path) && strikes(room); }
static int file_strikes(int file, int room) { return armed() && open_below(file) && strikes(room); }

ssize_t write(int file, const void *data, size_t size) {
    if (file_strikes(file, 1)) {
        int error = fault.error;
        if (fault.torn && size > 1) {
            ssize_t done = REAL(write)(file, data, size / 2);
            if (error == 0) die();
            fault.torn = 0; /* the next one fails altogether */
            fault.at = fault.calls + 1;
            return done;
        }
        if (error == 0) die();
        errno = error;
        return -1;
    }
    return REAL(write)(file, data, size);
}

#define PWRITE(name, offset_type)                                                    \
    ssize_t name(int file, const void *data, size_t size, offset_type offset) {      \
        if (file_strikes(file, 1)) {                                                 \
            if (fault.error == 0) {                                                  \
                REAL(name)(file, data, size / 2, offset);                            \
                die();                                                               \
            }                                                                        \
            return -1;                                                               \
        }                                                                            \
        return REAL(name)(file, data, size, offset);                                 \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* A call that fails, or kills: nothing of it is done. */
#define FAILS(struck)                  \
    if (struck) {                      \
        if (fault.error == 0) die();   \
        return -1;                     \
    }

ssize_t writev(int file, const struct iovec *parts, int count) {
    FAILS(file_strikes(file, 1))
    return REAL(writev)(file, parts, count);
}

static int writes(int flags) { return (flags & O_CREAT) || (flags & O_ACCMODE) != O_RDONLY; }

#define OPEN(name)                                                       \
    int name(const char *path, int flags, ...) {                         \
        va_list words;                                                   \
        va_start(words, flags);                                          \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(words, mode_t) : 0; \
        va_end(words);                                                   \
        FAILS(writes(flags) && path_strikes(path, flags & O_CREAT))      \
        return REAL(name)(path, flags, mode);                            \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                     \
    int name(int folder, const char *path, int flags, ...) {             \
        va_list words;                                                   \
        va_start(words, flags);                                          \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(words, mode_t) : 0; \
        va_end(words);                                                   \
        FAILS(writes(flags) && path_strikes(path, flags & O_CREAT))      \
        return REAL(name)(folder, path, flags, mode);                    \
    }
OPENAT(openat)
OPENAT(openat64)

#define ON_PATH(name, room, parameters, arguments, path) \
    int name parameters {                                \
        FAILS(path_strikes(path, room))                  \
        return REAL(name) arguments;                     \
    }
ON_PATH(rename, 0, (const char *from, const char *to), (from, to), to)
ON_PATH(renameat, 0, (int a, const char *from, int b, const char *to), (a, from, b, to), to)
ON_PATH(renameat2, 0, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags), to)
ON_PATH(link, 1, (const char *from, const char *to), (from, to), to)
ON_PATH(linkat, 1, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags), to)
ON_PATH(symlink, 1, (const char *from, const char *to), (from, to), to)
ON_PATH(unlink, 0, (const char *path), (path), path)
ON_PATH(unlinkat, 0, (int folder, const char *path, int flags), (folder, path, flags), path)
ON_PATH(rmdir, 0, (const char *path), (path), path)
ON_PATH(mkdir, 1, (const char *path, mode_t mode), (path, mode), path)
ON_PATH(mkdirat, 1, (int folder, const char *path, mode_t mode), (folder, path, mode), path)
ON_PATH(truncate, 0, (const char *path, off_t size), (path, size), path)

#define ON_FILE(name, room, parameters, arguments) \
    int name parameters {                          \
        FAILS(file_strikes(file, room))            \
        return REAL(name) arguments;               \
    }
ON_FILE(fsync, 1, (int file), (file))
ON_FILE(fdatasync, 1, (int file), (file))
ON_FILE(ftruncate, 0, (int file, off_t size), (file, size))
ON_FILE(ftruncate64, 0, (int file, off64_t size), (file, size))

static void shift(struct timespec *now, double seconds) {
    double whole = (double)now->tv_sec + seconds;
    now->tv_sec = (time_t)whole;
}

static int jumps(void) {
    return armed() && fault.clock != 0.0 && atomic_fetch_add(&fault.asked, 1) + 1 >= fault.jump;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int code = REAL(clock_gettime)(clock, now);
    if (code != 0) return code;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        if (jumps()) shift(now, fault.clock);
    } else if (clock == CLOCK_MONOTONIC && armed() && fault.haste != 1.0) {
        double fast = fault.haste * ((double)now->tv_sec + 1e-9 * (double)now->tv_nsec);
        now->tv_sec = (time_t)fast;
        now->tv_nsec = (long)(1e9 * (fast - (double)now->tv_sec));
    }
    return code;
}

/* Moments of the fast clock, which a program waits for, in the system's. */
static const struct timespec *slowed(clockid_t clock, const struct timespec *moment, struct timespec *place) {
    if (clock != CLOCK_MONOTONIC || !armed() || fault.haste == 1.0) return moment;
    double slow = ((double)moment->tv_sec + 1e-9 * (double)moment->tv_nsec) / fault.haste;
    place->tv_sec = (time_t)slow;
    place->tv_nsec = (long)(1e9 * (slow - (double)place->tv_sec));
    return place;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *moment, struct timespec *rest) {
    struct timespec place;
    if (flags & TIMER_ABSTIME) moment = slowed(clock, moment, &place);
    return REAL(clock_nanosleep)(clock, flags, moment, rest);
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *moment) {
    struct timespec place;
    return REAL(sem_clockwait)(semaphore, clock, slowed(clock, moment, &place));
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *moment) {
    struct timespec place;
    return REAL(pthread_cond_clockwait)(condition, mutex, clock, slowed(clock, moment, &place));
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int code = REAL(gettimeofday)(now, zone);
    if (code == 0 && jumps()) now->tv_sec += (time_t)fault.clock;
    return code;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where != NULL) *where = now.tv_sec;
    return now.tv_sec;
}

int gethostname(char *name, size_t size) {
    int code = REAL(gethostname)(name, size);
    if (code == 0 && armed() && fault.host[0]) snprintf(name, size, "%s", fault.host);
    return code;
}

int uname(struct utsname *about) {
    int code = REAL(uname)(about);
    if (code == 0 && armed() && fault.host[0]) snprintf(about->nodename, sizeof about->nodename, "%s", fault.host);
    return code;
}

/* Tell how many calls there were, before the process ends by itself. */
void fault_tell(void) {
    if (!armed() || !fault.count[0]) return;
    int file = REAL(open)(fault.count, O_WRONLY | O_CREAT | O_APPEND, 0644);
    char line[64];
    int length = snprintf(line, sizeof line, "%ld %ld\n", (long)fault.calls, (long)fault.roomy);
    if (file >= 0 && REAL(write)(file, line, (size_t)length) == length) close(file);
}
