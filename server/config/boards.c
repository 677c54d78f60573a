/* --board: kinds of boards, and cards. */
#include <string.h>

#include "server/config/table.h"

static const char *const kinds[] = {"auto",    "emu", "fp32", "ref",
#ifdef BERTD_RTL
                                    "rtl-sim",
#endif
                                    "xrt"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* An index, or a place on the PCIe bus. */
static bool is_card(const char *text, size_t len)
{
    static const char digits[] = "0123456789";
    size_t n = strspn(text, digits);
    if (n == len)
        return len > 0 && len < 10 && (len == 1 || *text != '0');
    bool place = len < CONFIG_MAX_CARD && strspn(text, "0123456789abcdefABCDEF:.") >= len;
    return place && memchr(text, ':', len) && memchr(text, '.', len);
}

static bool read_word(struct config_board *ret, const char *word, size_t len)
{
    const char *colon = memchr(word, ':', len);
    size_t kind_len = colon ? (size_t)(colon - word) : len;
    *ret = (struct config_board){0};
    for (int k = 0; k < N_KINDS; k++)
        if (strlen(kinds[k]) == kind_len && memcmp(kinds[k], word, kind_len) == 0)
            ret->kind = kinds[k];
    if (!ret->kind || (colon != NULL) != (strcmp(ret->kind, "xrt") == 0))
        return false;
    if (!colon)
        return true;
    if (!is_card(colon + 1, len - kind_len - 1))
        return false;
    memcpy(ret->card, colon + 1, len - kind_len - 1);
    return true;
}

static bool is_there(const struct config_boards *boards, const struct config_board *board)
{
    for (uint32_t i = 0; i < boards->n; i++)
        if (strcmp(boards->list[i].kind, board->kind) == 0 && strcmp(boards->list[i].card, board->card) == 0)
            return true;
    return false;
}

bool config_add_boards(struct config_boards *boards, const char *value, bool from_environment)
{
    if (boards->from_environment != from_environment)
        *boards = (struct config_boards){.from_environment = from_environment};
    for (;;) {
        size_t len = strcspn(value, ",");
        struct config_board board;
        if (!read_word(&board, value, len) || boards->n == CONFIG_MAX_BOARDS)
            return false;
        if (!is_there(boards, &board))
            boards->list[boards->n++] = board;
        if (!value[len])
            return true;
        value += len + 1;
    }
}
