#include "server/serve/request_id.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

static bool is_plain(const char *text)
{
    size_t len = 0;
    while (text[len] > ' ' && text[len] <= '~')
        len++;
    return len > 0 && len < SERVE_ID_SIZE && text[len] == '\0';
}

void serve_request_id(char ret[SERVE_ID_SIZE], const char *given)
{
    if (given && is_plain(given)) {
        memcpy(ret, given, strlen(given) + 1);
        return;
    }
    uint64_t bits[2];
    if (getrandom(bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
        bits[0] = clock_now_ns();
        bits[1] = (uintptr_t)ret;
    }
    snprintf(ret, SERVE_ID_SIZE, "%016llx%016llx", (unsigned long long)bits[0], (unsigned long long)bits[1]);
}
