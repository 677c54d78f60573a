/* The tables of unicode.h: against unicode.tsv line by line, and against the large golden data. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/token/normalise.h"
#include "server/token/unicode.h"
#include "tests/token/support.h"

enum { CODE_POINTS = 0x110000, MAX_OUTPUT = 8 };

/* A line "first-last<TAB>name<TAB>hexadecimal values". */
struct line {
    uint32_t first, last;
    char name[16];
    uint32_t values[MAX_OUTPUT];
    uint32_t n;
};

static bool is_surrogate(uint32_t cp)
{
    return cp >= 0xD800 && cp <= 0xDFFF;
}

static bool read_line(FILE *file, struct line *line)
{
    char text[256];
    do {
        if (!fgets(text, sizeof text, file))
            return false;
    } while (text[0] == '#');
    char *end;
    *line = (struct line){.first = (uint32_t)strtoul(text, &end, 16)};
    line->last = *end == '-' ? (uint32_t)strtoul(end + 1, &end, 16) : line->first;
    cr_assert_eq(*end, '\t', "%s", text);
    end++;
    char *value = end + strcspn(end, "\t\n");
    snprintf(line->name, sizeof line->name, "%.*s", (int)(value - end), end);
    if (*value == '\t')
        value++;
    while (*value != '\n' && *value && line->n < MAX_OUTPUT) {
        line->values[line->n++] = (uint32_t)strtoul(value, &end, 16);
        value = end + (*end == ' ');
    }
    return true;
}

static FILE *open_table(const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s", path);
    return file;
}

static bool has_property(const struct line *line, uint32_t cp)
{
    static const struct {
        const char *name;
        enum token_char_flag flag;
    } flags[] = {{"drop", TOKEN_CHAR_DROP},   {"space", TOKEN_CHAR_SPACE}, {"white", TOKEN_CHAR_WHITE},
                 {"punct", TOKEN_CHAR_PUNCT}, {"cjk", TOKEN_CHAR_CJK},     {"mark", TOKEN_CHAR_MARK},
                 {"word", TOKEN_CHAR_WORD}};
    const struct token_char *c = token_char_of(cp);
    if (strcmp(line->name, "nfd") == 0)
        return c->nfd_len == line->n && memcmp(token_char_nfd + c->nfd, line->values, line->n * sizeof(uint32_t)) == 0;
    if (strcmp(line->name, "lower") == 0)
        return (uint32_t)((int32_t)cp + c->lower) == line->values[0] + (cp - line->first);
    if (strcmp(line->name, "ccc") == 0) /* a decimal number, read as a hexadecimal one */
        return c->ccc == line->values[0] % 16 + line->values[0] / 16 % 16 * 10 + line->values[0] / 256 * 100;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(line->name, flags[i].name) == 0)
            return (c->flags & flags[i].flag) != 0;
    return false;
}

static bool is_flag(const char *name)
{
    return strcmp(name, "nfd") != 0 && strcmp(name, "lower") != 0 && strcmp(name, "ccc") != 0;
}

Test(unicode, tables_hold_the_file_and_nothing_else)
{
    FILE *file = open_table(SOURCE_DIR "/server/token/unicode/unicode.tsv");
    uint64_t in_file = 0, in_tables = 0;
    struct line line;
    while (read_line(file, &line)) {
        for (uint32_t cp = line.first; cp <= line.last; cp++)
            cr_assert(has_property(&line, cp), "U+%04X %s", (unsigned)cp, line.name);
        if (is_flag(line.name))
            in_file += line.last - line.first + 1;
    }
    fclose(file);
    for (uint32_t cp = 0; cp < CODE_POINTS; cp++)
        in_tables += (uint64_t)__builtin_popcount(token_char_of(cp)->flags & ~(uint32_t)TOKEN_CHAR_ORDERED);
    cr_assert_eq(in_file, in_tables);
}

/* What the normaliser makes of a single character. */
struct recorder {
    struct token_sink sink;
    uint32_t cps[MAX_OUTPUT];
    uint32_t n;
};

static void record(struct token_sink *sink, uint32_t cp, uint32_t start)
{
    struct recorder *r = (struct recorder *)sink;
    cr_assert_eq(start, 0);
    cr_assert_lt(r->n, MAX_OUTPUT);
    r->cps[r->n++] = cp;
}

static struct recorder normalise(uint32_t cp)
{
    struct recorder r = {.sink = {record, NULL}};
    uint8_t utf8[4];
    size_t len = support_put_utf8(utf8, cp);
    uint64_t steps = 0;
    struct token_switches all = {true, true, true, true};
    token_normalise(&all, utf8, 0, len, &r.sink, &steps);
    return r;
}

/* The classes: D dropped, S a space, C set apart, P punctuation, M a mark, L mapped. */
static void check_fate(uint32_t cp, const struct line *line)
{
    struct recorder r = normalise(cp);
    bool cjk = line->name[0] == 'C', space = line->name[0] == 'S';
    if (strcmp(line->name, "D") == 0 || strcmp(line->name, "M") == 0) {
        cr_assert_eq(r.n, 0, "U+%04X", (unsigned)cp);
        return;
    }
    const uint32_t *out = r.cps + cjk;
    uint32_t n = r.n - 2 * (uint32_t)cjk;
    if (cjk)
        cr_assert(r.n > 2 && r.cps[0] == ' ' && r.cps[r.n - 1] == ' ', "U+%04X", (unsigned)cp);
    cr_assert_eq(n, line->n ? line->n : 1, "U+%04X", (unsigned)cp);
    for (uint32_t i = 0; i < n; i++)
        cr_assert_eq(out[i], line->n ? line->values[i] : cp, "U+%04X", (unsigned)cp);
    bool punct = strchr(line->name, 'P') != NULL;
    cr_assert_eq((token_char_of(out[0])->flags & TOKEN_CHAR_PUNCT) != 0, punct, "U+%04X", (unsigned)cp);
    cr_assert_eq((token_char_of(out[0])->flags & TOKEN_CHAR_WHITE) != 0, space, "U+%04X", (unsigned)cp);
}

Test(unicode, every_code_point_has_its_golden_fate)
{
    FILE *file = open_table(support_shared("unicode.tsv"));
    static bool listed[CODE_POINTS];
    struct line line;
    while (read_line(file, &line)) {
        for (uint32_t cp = line.first; cp <= line.last; cp++) {
            check_fate(cp, &line);
            listed[cp] = true;
        }
    }
    fclose(file);
    /* Not listed: what stays, Hangul syllables, and letters whose case is younger than the golden data. */
    int young = 0;
    struct line stays = {.name = ""};
    for (uint32_t cp = 0; cp < CODE_POINTS; cp++) {
        if (listed[cp] || is_surrogate(cp) || (cp >= 0xAC00 && cp <= 0xD7A3))
            continue;
        if (token_char_of(cp)->lower && !token_char_of(cp)->nfd_len && !(token_char_of(cp)->flags & ~TOKEN_CHAR_WORD))
            young++;
        else
            check_fate(cp, &stays);
    }
    cr_assert_leq(young, 100);
}

Test(unicode, hangul_syllables_decompose_by_arithmetic)
{
    struct recorder ga = normalise(0xAC00), hih = normalise(0xD7A3), han = normalise(0xD55C);
    cr_assert(ga.n == 2 && ga.cps[0] == 0x1100 && ga.cps[1] == 0x1161);
    cr_assert(hih.n == 3 && hih.cps[0] == 0x1112 && hih.cps[1] == 0x1175 && hih.cps[2] == 0x11C2);
    cr_assert(han.n == 3 && han.cps[0] == 0x1112 && han.cps[1] == 0x1161 && han.cps[2] == 0x11AB);
    cr_assert_eq(normalise(0xD7A4).cps[0], 0xD7A4);
}

Test(unicode, every_combining_class_is_the_golden_one)
{
    FILE *file = open_table(support_shared("ccc.tsv"));
    static uint8_t classes[CODE_POINTS];
    struct line line;
    while (read_line(file, &line))
        for (uint32_t cp = line.first; cp <= line.last; cp++)
            classes[cp] = (uint8_t)strtoul(line.name, NULL, 10);
    fclose(file);
    for (uint32_t cp = 0; cp < CODE_POINTS; cp++)
        if (!token_char_of(cp)->nfd_len)
            cr_assert_eq(token_char_of(cp)->ccc, classes[cp], "U+%04X", (unsigned)cp);
}
