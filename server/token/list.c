#include "server/token/list.h"

#include "base/mem.h"

enum { FIRST_CAPACITY = 64 };

void token_list_init(struct token_list *list, uint32_t keep, enum token_direction direction)
{
    *list = (struct token_list){.keep = keep, .direction = direction};
}

void token_list_finish(struct token_list *list)
{
    mem_free(list->items);
    *list = (struct token_list){0};
}

bool token_list_grow(struct token_list *list)
{
    if (list->failed)
        return false;
    uint32_t capacity = list->capacity ? 2 * list->capacity : FIRST_CAPACITY;
    if (capacity > list->keep)
        capacity = list->keep;
    struct token_item *items = mem_realloc(list->items, capacity * sizeof *items);
    if (!items) {
        list->failed = true;
        return false;
    }
    list->items = items;
    list->capacity = capacity;
    return true;
}
