/* Loaded before a program: kills it before the n-th of its calls that change files, KILL_AT=n. What it has in the
 * buffers of its own by then is lost. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void count(void)
{
    static long seen;
    const char *at = getenv("KILL_AT");
    if (at && ++seen == atol(at))
        kill(getpid(), SIGKILL);
}

#define WRAP(name, types, names)                                                                                       \
    __attribute__((visibility("default"))) int name types;                                                             \
    int name types                                                                                                     \
    {                                                                                                                  \
        int(*real) types;                                                                                              \
        *(void **)&real = dlsym(RTLD_NEXT, #name);                                                                     \
        count();                                                                                                       \
        return real names;                                                                                             \
    }

WRAP(fsync, (int fd), (fd))
WRAP(fdatasync, (int fd), (fd))
WRAP(fflush, (FILE * file), (file))
WRAP(rename, (const char *from, const char *to), (from, to))
WRAP(unlink, (const char *path), (path))
WRAP(ftruncate, (int fd, off_t size), (fd, size))
