/* How fast the tokenizer encodes, in MB/s of one core, by kind of text.
 *
 *     bench-tokenizer [--model DIR] [--seconds S]
 *
 * Texts are made from the model's vocabulary with a fixed seed, a megabyte each, and encoded in pieces of 2 KB as
 * requests would bring them; the hostile ones also as one text of a megabyte. Time is the thread's on its core.
 * The model is $BERTD_TEST_MODEL, else ~/.cache/bertd/models/all-MiniLM-L6-v2.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "server/token/token.h"

enum { SIZE = 1 << 20, PIECE = 2048 };

static uint64_t random_state = 88172645463325252U;

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 20) % n);
}

static const struct token_vocab *vocab;
static const char **words; /* whole words of the vocabulary, which lists frequent ones first */
static const char **tails; /* continuing pieces without ## */
static uint32_t n_words, n_tails;

static bool is_lower_ascii(const char *text)
{
    return text[0] && text[strspn(text, "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

static void sort_entries(void)
{
    uint32_t size = token_vocab_size(vocab);
    words = malloc(size * sizeof *words);
    tails = malloc(size * sizeof *tails);
    for (uint32_t id = 0; words && tails && id < size; id++) {
        const char *text = token_vocab_text(vocab, id);
        if (text && is_lower_ascii(text) && strlen(text) > 1)
            words[n_words++] = text;
        else if (text && strncmp(text, "##", 2) == 0 && is_lower_ascii(text + 2))
            tails[n_tails++] = text + 2;
    }
    if (n_words == 0 || n_tails == 0) {
        fprintf(stderr, "bench-tokenizer: the vocabulary has no words to make texts from\n");
        exit(1);
    }
}

/* A word by Zipf's law: the n-th is drawn about as often as 1/n. */
static const char *draw_word(void)
{
    double u = random_below(1 << 20) / (double)(1 << 20);
    return words[(uint32_t)exp(u * log(n_words)) - 1];
}

static void put_word(struct buf *out)
{
    size_t at = out->len;
    buf_puts(out, draw_word());
    if (random_below(12) == 0)
        buf_puts(out, tails[random_below(n_tails)]);
    if (random_below(9) == 0 && !out->failed)
        out->data[at] = (char)(out->data[at] - 'a' + 'A');
    buf_puts(out, random_below(12) == 0 ? ", " : random_below(14) == 0 ? ". " : " ");
}

static void put_accented(struct buf *out)
{
    static const char *const from = "aeiouc", *const to[] = {"à", "é", "î", "o\u0302", "ü", "ç"};
    for (const char *word = draw_word(); *word; word++) {
        const char *vowel = strchr(from, *word);
        if (vowel && random_below(3) == 0)
            buf_puts(out, to[vowel - from]);
        else
            buf_append(out, word, 1);
    }
    buf_puts(out, " ");
}

static void put_code_point(struct buf *out, uint32_t cp)
{
    char utf8[3] = {(char)(0xE0 | cp >> 12), (char)(0x80 | (cp >> 6 & 0x3F)), (char)(0x80 | (cp & 0x3F))};
    buf_append(out, utf8, sizeof utf8);
}

static void put_cjk(struct buf *out)
{
    if (random_below(15) == 0)
        buf_puts(out, "。");
    else
        put_code_point(out, 0x4E00 + random_below(3000));
}

static void put_hangul(struct buf *out)
{
    put_code_point(out, 0xAC00 + random_below(11172));
    if (random_below(4) == 0)
        buf_puts(out, " ");
}

static void put_letters(struct buf *out)
{
    char letter = (char)('a' + random_below(26));
    buf_append(out, &letter, 1);
    if (random_below(95) == 0)
        buf_puts(out, " ");
}

static void put_giant(struct buf *out)
{
    buf_puts(out, "a");
}

/* Marks of many classes, some of which accent stripping leaves: one run. */
static void put_marks(struct buf *out)
{
    static const char *const marks[] = {"\u0301", "\u0323", "\u302E", "\uA9C0", "\u0345", "\u0334"};
    buf_puts(out, marks[random_below(6)]);
}

static void put_short_runs(struct buf *out)
{
    buf_puts(out, "a\u0301\u302E");
}

static void put_punctuation(struct buf *out)
{
    buf_append(out, &"!#$%&()*+,-./:;<=>?@"[random_below(20)], 1);
}

static void put_special(struct buf *out)
{
    buf_puts(out, "[MAS[MASK]");
}

static const struct {
    const char *name;
    void (*put)(struct buf *out);
    bool hostile;
} kinds[] = {
    {"english", put_word, false},
    {"accented", put_accented, false},
    {"cjk", put_cjk, false},
    {"hangul", put_hangul, false},
    {"words of 95 letters", put_letters, true},
    {"one giant word", put_giant, true},
    {"a run of marks", put_marks, true},
    {"short runs of marks", put_short_runs, true},
    {"punctuation", put_punctuation, true},
    {"special tokens", put_special, true},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Encode the text in pieces that end between characters; returns the tokens. */
static uint64_t encode_all(const struct buf *text, size_t piece)
{
    uint64_t tokens = 0;
    struct token_options options = {.add_special_tokens = true};
    for (size_t at = 0; at < text->len;) {
        size_t stop = text->len - at < piece ? text->len : at + piece;
        while (stop < text->len && (text->data[stop] & 0xC0) == 0x80)
            stop++;
        struct arena *arena = arena_create((size_t)1 << 30);
        struct token_encoding e;
        struct error err;
        if (!arena || token_encode(vocab, text->data + at, stop - at, &options, arena, &e, &err) != STATUS_OK) {
            fprintf(stderr, "bench-tokenizer: %s\n", arena ? err.message : "no memory");
            exit(1);
        }
        tokens += e.n;
        arena_destroy(&arena);
        at = stop;
    }
    return tokens;
}

static void measure(const char *name, const struct buf *text, size_t piece, double seconds)
{
    double begin = now(), best = 1e9, total;
    uint64_t tokens;
    do {
        double start = now();
        tokens = encode_all(text, piece);
        total = now();
        if (total - start < best)
            best = total - start;
    } while (total - begin < seconds);
    printf("%-22s %6zu KB  %7.1f MB/s  %6.1f M tokens/s  %5.1f ns/token\n", name, piece / 1024,
           (double)text->len / best * 1e-6, (double)tokens / best * 1e-6, best / (double)tokens * 1e9);
}

static void run_all(double seconds)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct buf text = {0};
        while (!text.failed && text.len < SIZE)
            kinds[i].put(&text);
        if (!text.failed) {
            measure(kinds[i].name, &text, PIECE, seconds);
            if (kinds[i].hostile)
                measure(kinds[i].name, &text, SIZE, seconds);
        }
        buf_finish(&text);
    }
}

static const char *default_model(char *path, size_t size)
{
    const char *model = getenv("BERTD_TEST_MODEL"), *home = getenv("HOME");
    if (model)
        return model;
    snprintf(path, size, "%s/.cache/bertd/models/all-MiniLM-L6-v2", home ? home : "");
    return path;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"model", required_argument, NULL, 'm'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    char path[4096];
    const char *model = default_model(path, sizeof path);
    double seconds = 1;
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'm')
            model = optarg;
        else if (option == 's')
            seconds = atof(optarg);
        else {
            fprintf(option == 'h' ? stdout : stderr, "usage: bench-tokenizer [--model DIR] [--seconds S]\n");
            return option == 'h' ? 0 : 2;
        }
    }
    struct token_vocab *loaded;
    struct error err;
    double start = now();
    if (token_vocab_load(&loaded, model, &err) != STATUS_OK) {
        fprintf(stderr, "bench-tokenizer: %s\n", err.message);
        return 1;
    }
    printf("%u entries loaded in %.0f ms\n", token_vocab_size(loaded), (now() - start) * 1e3);
    vocab = loaded;
    sort_entries();
    run_all(seconds);
    free(words);
    free(tails);
    token_vocab_destroy(&loaded);
    return 0;
}
