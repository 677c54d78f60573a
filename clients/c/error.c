#include "clients/c/error.h"

#include <stdarg.h>
#include <stdio.h>

enum bertd_status bertd_fail(struct bertd_error *err, enum bertd_status status, const char *format, ...)
{
    if (!err)
        return status;
    *err = (struct bertd_error){.status = status, .input = -1};
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    for (char *at = err->message; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
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
