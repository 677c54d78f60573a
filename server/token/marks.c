/* The reference library decomposes into pairs (code point, inserted), inserted being all but the first of a
 * character, and sorts each run of combining pairs by class, stably. Then it deals out the original characters anew:
 * the k-th pair that is not inserted gets the span of the k-th character, an inserted one that of the pair before.
 *
 * So the combining characters keep their places while their code points move, and the code point at rank r of the
 * sorted run takes the place of the run's character r. Inserted code points come from the letter before the run
 * alone (those within it are all stripped), so they go before the others of their class and do not count in ranks.
 *
 * Of the classes only six have members that are not stripped. Each of those takes two passes through the run. */
#include "server/token/marks.h"

#include <utf8proc.h>

#include "server/token/unicode.h"

enum { CLASSES = 256 };

/* A place in the run: a combining character. */
struct place {
    size_t start, stop;
    uint32_t cp;
    const struct token_char *c;
};

/* The character at `at`, without looking at what it is. */
static struct place place_at(const struct token_run *run, size_t at)
{
    utf8proc_int32_t cp;
    size_t stop = at + (size_t)utf8proc_iterate(run->text + at, (utf8proc_ssize_t)(run->stop - at), &cp);
    ++*run->steps;
    return (struct place){at, stop, (uint32_t)cp, token_char_of((uint32_t)cp)};
}

static bool is_dropped(const struct token_run *run, const struct token_char *c)
{
    return run->clean_text && (c->flags & TOKEN_CHAR_DROP);
}

/* The next combining character at or behind `at`; false at the run's end, which `ret->start` then is. */
static bool next_place(const struct token_run *run, size_t at, struct place *ret)
{
    *ret = (struct place){.start = at};
    while (at < run->stop) {
        *ret = place_at(run, at);
        if (!is_dropped(run, ret->c))
            return ret->c->ccc != 0;
        at = ret->stop;
    }
    ret->start = run->stop;
    return false;
}

/* Where the run that goes on at `at` starts: behind the last character that neither combines nor is dropped. */
static size_t find_start(const struct token_run *run, size_t at)
{
    while (at > run->begin) {
        size_t before = at;
        while ((run->text[--before] & 0xC0) == 0x80)
            ;
        struct place place = place_at(run, before);
        if (place.c->ccc == 0 && !is_dropped(run, place.c))
            break;
        at = before;
    }
    return at;
}

/* Classes to put, as bits. */
struct classes {
    uint64_t bits[CLASSES / 64];
};

static void add_class(struct classes *classes, uint32_t class)
{
    classes->bits[class / 64] |= (uint64_t)1 << class % 64;
}

/* The first of them from `class` on; CLASSES where there is none. */
static uint32_t next_class(const struct classes *classes, uint32_t class)
{
    while (class < CLASSES) {
        uint64_t bits = classes->bits[class / 64] >> class % 64;
        if (bits)
            return class + (uint32_t)__builtin_ctzll(bits);
        class += 64 - class % 64;
    }
    return CLASSES;
}

/* Add the classes of which the run keeps something; returns the run's end. */
static size_t find_classes(const struct token_run *run, size_t at, struct classes *classes)
{
    struct place place;
    for (; next_place(run, at, &place); at = place.stop)
        if (place.c->flags & TOKEN_CHAR_ORDERED)
            add_class(classes, place.c->ccc);
    return place.start;
}

static uint32_t count_below(const struct token_run *run, size_t at, uint32_t class)
{
    uint32_t n = 0;
    struct place place;
    for (; next_place(run, at, &place); at = place.stop)
        n += place.c->ccc < class;
    return n;
}

/* The run's places by rank: 0 is the letter before it, 1 the first combining character. */
struct dealer {
    const struct token_run *run;
    struct place place;
    uint32_t rank;
};

/* Where the place of this rank starts; ranks asked for do not fall. */
static uint32_t start_of_rank(struct dealer *dealer, uint32_t rank)
{
    for (; dealer->rank < rank; dealer->rank++)
        next_place(dealer->run, dealer->place.stop, &dealer->place);
    return (uint32_t)dealer->place.start;
}

/* Put the run's code points of one class, the first of which has this rank. */
static void put_class(const struct token_run *run, size_t begin, uint32_t class, uint32_t rank, struct dealer *dealer,
                      struct token_sink *sink)
{
    struct place place;
    for (size_t at = begin; next_place(run, at, &place); at = place.stop) {
        if (place.c->ccc != class)
            continue;
        if (place.c->flags & TOKEN_CHAR_ORDERED)
            sink->put(sink, place.cp, start_of_rank(dealer, rank));
        rank++;
    }
}

size_t token_marks_put(const struct token_run *run, size_t at, struct token_sink *sink)
{
    struct place first = place_at(run, at);
    const uint32_t *inserted = token_char_nfd + first.c->nfd;
    uint32_t n_inserted = 0;
    size_t begin = at;
    if (first.c->ccc == 0) {
        sink->put(sink, *inserted++, (uint32_t)at);
        n_inserted = first.c->nfd_len - 1U;
        begin = first.stop;
    } else {
        begin = find_start(run, at);
    }
    struct classes classes = {0};
    for (uint32_t i = 0; i < n_inserted; i++)
        add_class(&classes, token_char_of(inserted[i])->ccc);
    size_t stop = find_classes(run, begin, &classes);

    struct dealer dealer = {run, {.start = at, .stop = begin}, 0};
    for (uint32_t class = next_class(&classes, 1); class < CLASSES; class = next_class(&classes, class + 1)) {
        uint32_t below = count_below(run, begin, class);
        for (uint32_t i = 0; i < n_inserted; i++)
            if (token_char_of(inserted[i])->ccc == class)
                sink->put(sink, inserted[i], start_of_rank(&dealer, below));
        put_class(run, begin, class, below + 1, &dealer, sink);
    }
    return stop;
}
