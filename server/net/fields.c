#include <string.h>

#include "base/mem.h"
#include "server/net/carrier.h"

enum { FIRST_CAPACITY = 24 };

static bool grow(struct net_fields *fields)
{
    uint32_t capacity = fields->capacity ? 2 * fields->capacity : FIRST_CAPACITY;
    struct net_field *items = mem_realloc(fields->items, capacity * sizeof *items);
    if (!items)
        return false;
    fields->items = items;
    fields->capacity = capacity;
    return true;
}

/* Name and value in one piece. */
static char *copy(const char *name, const char *value)
{
    size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
    char *text = mem_alloc(name_size + value_size);
    if (!text)
        return NULL;
    memcpy(text, name, name_size);
    memcpy(text + name_size, value, value_size);
    return text;
}

void net_fields_add(struct net_fields *fields, const char *name, const char *value)
{
    char *text = NULL;
    bool fits = fields->n < fields->capacity || grow(fields);
    if (!fits || !(text = copy(name, value))) {
        fields->failed = true;
        return;
    }
    fields->items[fields->n++] = (struct net_field){text, text + strlen(name) + 1};
}

void net_fields_finish(struct net_fields *fields)
{
    for (uint32_t i = 0; i < fields->n; i++)
        mem_free((char *)fields->items[i].name);
    mem_free(fields->items);
    *fields = (struct net_fields){0};
}
