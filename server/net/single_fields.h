/* Fields of a head of which two would leave open which one counts. Private to the room. */
#ifndef BERTD_NET_SINGLE_FIELDS_H
#define BERTD_NET_SINGLE_FIELDS_H

#include <stdint.h>

/** Of one head; zeroed at its begin. */
struct net_single_fields {
    uint32_t seen;
    const char *doubled; /* the first that came twice, static; NULL: none did */
};

/** A field of that name, in any case, is there. */
void net_single_fields_see(struct net_single_fields *fields, const char *name);

#endif
