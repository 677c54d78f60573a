/* Build tool: unicode.tsv on stdin, the C source of the tables of unicode.h on stdout. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/token/unicode.h"

enum { CODE_POINTS = 0x110000, MAX_RECORDS = 1 << 14, MAX_NFD = 1 << 14, MAX_BLOCKS = 1 << 12, MAX_VALUES = 4 };

static struct token_char chars[CODE_POINTS];
static uint32_t pool[MAX_NFD];
static unsigned pool_len = 1; /* no decomposition starts at 0 */
static struct token_char records[MAX_RECORDS];
static unsigned n_records = 1; /* the first is that of a code point without properties */
static uint16_t cells[MAX_BLOCKS][TOKEN_CHAR_BLOCK];
static unsigned n_blocks;
static uint16_t blocks[CODE_POINTS / TOKEN_CHAR_BLOCK];

static const struct {
    const char *name;
    enum token_char_flag flag;
} flags[] = {
    {"drop", TOKEN_CHAR_DROP}, {"space", TOKEN_CHAR_SPACE}, {"white", TOKEN_CHAR_WHITE}, {"punct", TOKEN_CHAR_PUNCT},
    {"cjk", TOKEN_CHAR_CJK},   {"mark", TOKEN_CHAR_MARK},   {"word", TOKEN_CHAR_WORD},
};

static void expect(bool held, const char *what, uint32_t cp)
{
    if (held)
        return;
    fprintf(stderr, "unicode.tsv: U+%04X: %s\n", (unsigned)cp, what);
    exit(1);
}

static unsigned read_values(const char *text, uint32_t values[MAX_VALUES])
{
    unsigned n = 0;
    char *end;
    while (n < MAX_VALUES && *text) {
        values[n++] = (uint32_t)strtoul(text, &end, 16);
        text = end + strspn(end, " \n");
    }
    return n;
}

static void read_nfd(uint32_t cp, const char *text)
{
    uint32_t values[MAX_VALUES];
    unsigned n = read_values(text, values);
    expect(n > 0 && pool_len + n <= MAX_NFD, "decomposition", cp);
    chars[cp].nfd = (uint16_t)pool_len;
    chars[cp].nfd_len = (uint8_t)n;
    for (unsigned i = 0; i < n; i++)
        pool[pool_len++] = values[i];
}

static void read_lower(uint32_t first, uint32_t last, const char *text)
{
    uint32_t values[MAX_VALUES];
    unsigned n = read_values(text, values);
    /* Code that lowers knows of the one letter whose lower case is two code points. */
    expect(n == 1 || (n == 2 && first == 0x130 && last == 0x130 && values[1] == 0x307), "lower case", first);
    for (uint32_t cp = first; cp <= last; cp++)
        chars[cp].lower = (int32_t)values[0] - (int32_t)first;
}

static void read_line(char *line)
{
    char *end;
    uint32_t first = (uint32_t)strtoul(line, &end, 16), last = first;
    if (*end == '-')
        last = (uint32_t)strtoul(end + 1, &end, 16);
    expect(*end == '\t' && first <= last && last < CODE_POINTS, "range", first);
    char *name = end + 1, *value = name + strcspn(name, "\t\n");
    if (*value)
        *value++ = '\0';
    if (strcmp(name, "nfd") == 0) {
        read_nfd(first, value);
    } else if (strcmp(name, "lower") == 0) {
        read_lower(first, last, value);
    } else if (strcmp(name, "ccc") == 0) {
        for (uint32_t cp = first; cp <= last; cp++)
            chars[cp].ccc = (uint8_t)strtoul(value, NULL, 10);
    } else {
        unsigned i = 0;
        while (i < sizeof flags / sizeof *flags && strcmp(name, flags[i].name) != 0)
            i++;
        expect(i < sizeof flags / sizeof *flags, "unknown property", first);
        for (uint32_t cp = first; cp <= last; cp++)
            chars[cp].flags |= flags[i].flag;
    }
}

static bool is_ordered(uint32_t cp)
{
    return chars[cp].ccc && !(chars[cp].flags & TOKEN_CHAR_MARK);
}

/* What follows from the rest, and what the code takes for granted. */
static void derive(void)
{
    for (uint32_t cp = 0; cp < CODE_POINTS; cp++) {
        struct token_char *c = &chars[cp];
        const uint32_t *nfd = pool + c->nfd;
        bool ordered = !c->nfd_len && is_ordered(cp);
        for (unsigned i = 0; i < c->nfd_len; i++) {
            expect(!chars[nfd[i]].nfd_len, "the decomposition is not full", cp);
            ordered = ordered || is_ordered(nfd[i]);
        }
        if (ordered)
            c->flags |= TOKEN_CHAR_ORDERED;
        if (c->nfd_len)
            c->ccc = chars[nfd[0]].ccc;
        expect(!ordered || !c->nfd_len || c->ccc == 0, "an ordered mark that decomposes", cp);
        expect(!ordered || !(c->flags & (TOKEN_CHAR_DROP | TOKEN_CHAR_SPACE | TOKEN_CHAR_CJK)), "an ordered mark", cp);
        expect(!ordered || !chars[c->nfd_len ? nfd[0] : cp].lower, "an ordered mark with case", cp);
        unsigned splits = TOKEN_CHAR_WHITE | TOKEN_CHAR_PUNCT;
        expect(!c->lower || !((c->flags | chars[(int32_t)cp + c->lower].flags) & splits), "a split with case", cp);
    }
}

static unsigned record_of(const struct token_char *c)
{
    unsigned i = 0;
    while (i < n_records && memcmp(&records[i], c, sizeof *c) != 0)
        i++;
    expect(i < MAX_RECORDS, "too many kinds", 0);
    if (i == n_records)
        records[n_records++] = *c;
    return i;
}

static void pack(void)
{
    for (unsigned b = 0; b < CODE_POINTS / TOKEN_CHAR_BLOCK; b++) {
        uint16_t row[TOKEN_CHAR_BLOCK];
        for (unsigned i = 0; i < TOKEN_CHAR_BLOCK; i++) {
            const struct token_char *c = &chars[b * TOKEN_CHAR_BLOCK + i];
            row[i] = i > 0 && memcmp(c, c - 1, sizeof *c) == 0 ? row[i - 1] : (uint16_t)record_of(c);
        }
        unsigned at = 0;
        while (at < n_blocks && memcmp(cells[at], row, sizeof row) != 0)
            at++;
        expect(at < MAX_BLOCKS, "too many blocks", b * TOKEN_CHAR_BLOCK);
        if (at == n_blocks)
            memcpy(cells[n_blocks++], row, sizeof row);
        blocks[b] = (uint16_t)at;
    }
}

static void write_tables(void)
{
    printf("/* Made from server/token/unicode/unicode.tsv. */\n#include \"server/token/unicode.h\"\n\n");
    printf("const struct token_char token_char_records[] = {\n");
    for (unsigned i = 0; i < n_records; i++)
        printf("{%d, %u, %u, %u, %u},\n", (int)records[i].lower, (unsigned)records[i].nfd, (unsigned)records[i].nfd_len,
               (unsigned)records[i].ccc, (unsigned)records[i].flags);
    printf("};\n\nconst uint32_t token_char_nfd[] = {\n");
    for (unsigned i = 0; i < pool_len; i++)
        printf("0x%X,%s", (unsigned)pool[i], i % 12 == 11 ? "\n" : " ");
    printf("\n};\n\nconst uint16_t token_char_cells[][TOKEN_CHAR_BLOCK] = {\n");
    for (unsigned b = 0; b < n_blocks; b++) {
        printf("{");
        for (unsigned i = 0; i < TOKEN_CHAR_BLOCK; i++)
            printf("%u,%s", (unsigned)cells[b][i], i % 16 == 15 ? "\n" : " ");
        printf("},\n");
    }
    printf("};\n\nconst uint16_t token_char_blocks[] = {\n");
    for (unsigned b = 0; b < CODE_POINTS / TOKEN_CHAR_BLOCK; b++)
        printf("%u,%s", (unsigned)blocks[b], b % 16 == 15 ? "\n" : " ");
    printf("};\n");
}

int main(void)
{
    char line[256];
    while (fgets(line, sizeof line, stdin))
        if (line[0] != '#')
            read_line(line);
    derive();
    pack();
    write_tables();
    return fflush(stdout) == 0 ? 0 : 1;
}
