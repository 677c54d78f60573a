#include "server/net/single_fields.h"

#include <strings.h>

static const char *const names[] = {"Authorization",    "Content-Type",         "Content-Encoding", "Expect",
                                    "x-bertd-priority", "x-request-timeout-ms", "x-request-id"};

void net_single_fields_see(struct net_single_fields *fields, const char *name)
{
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcasecmp(name, names[i]) != 0)
            continue;
        if (fields->seen & 1u << i && !fields->doubled)
            fields->doubled = names[i];
        fields->seen |= 1u << i;
    }
}
