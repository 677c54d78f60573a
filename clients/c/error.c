#include "clients/c/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Bytes of the character at `text`, which ends with NUL; 0: it is not UTF-8, or rules terminals (C0, DEL, C1). */
static size_t character(const unsigned char *text)
{
    if (text[0] < 0x80)
        return text[0] >= ' ' && text[0] != 0x7f;
    size_t len = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    uint32_t code = text[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    static const uint32_t least[] = {[2] = 0xa0, [3] = 0x800, [4] = 0x10000};
    bool fine = text[0] >= 0xc2 && text[0] < 0xf5 && code >= least[len] && code < 0x110000 && code >> 11 != 0x1b;
    return fine ? len : 0;
}

enum bertd_status bertd_fail(struct bertd_error *err, enum bertd_status status, const char *format, ...)
{
    if (!err)
        return status;
    *err = (struct bertd_error){.status = status, .input = -1};
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    for (char *at = err->message; *at;) {
        size_t len = character((const unsigned char *)at);
        if (len == 0)
            *at = ' ';
        at += len > 0 ? len : 1;
    }
    return status;
}

enum bertd_status bertd_fail_memory(struct bertd_error *err)
{
    return bertd_fail(err, BERTD_NO_MEMORY, "no memory: embed fewer texts at once, or give the process more");
}

enum bertd_status bertd_fail_as(struct bertd_error *err, const struct bertd_error *cause)
{
    if (err)
        *err = *cause;
    return cause->status;
}

const char *bertd_status_name(enum bertd_status status)
{
    static const char *const names[] = {
        [BERTD_OK] = "OK",
        [BERTD_INVALID] = "INVALID",
        [BERTD_NO_MEMORY] = "NO_MEMORY",
        [BERTD_CANCELLED] = "CANCELLED",
        [BERTD_DEADLINE] = "DEADLINE",
        [BERTD_CONNECT] = "CONNECT",
        [BERTD_TLS] = "TLS",
        [BERTD_LOST] = "LOST",
        [BERTD_PROTOCOL] = "PROTOCOL",
        [BERTD_UNAUTHENTICATED] = "UNAUTHENTICATED",
        [BERTD_REFUSED] = "REFUSED",
        [BERTD_OVERLOADED] = "OVERLOADED",
        [BERTD_UNAVAILABLE] = "UNAVAILABLE",
        [BERTD_SERVER] = "SERVER",
        [BERTD_UNSUPPORTED] = "UNSUPPORTED",
        [BERTD_BUFFER] = "BUFFER",
        [BERTD_SYSTEM] = "SYSTEM",
    };
    unsigned number = (unsigned)status;
    return number < sizeof names / sizeof names[0] ? names[number] : "UNKNOWN";
}

const char *bertd_version(void)
{
    return BERTD_VERSION;
}
