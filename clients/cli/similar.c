/* bertctl similar: which vectors of a file are nearest to a text. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/cli/connection.h"
#include "clients/cli/npy.h"
#include "clients/cli/plain.h"
#include "clients/cli/reader.h"
#include "clients/cli/terminal.h"

#define TOP_MAX 10000

struct settings {
    double top;
    const char *texts;
    unsigned form;
    const char *field;
    const char *column;
    const char *prompt_name;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct cli_option options[] = {
    {"top", 'k', CLI_NUMBER, "N", "How many are shown (10)", FIELD(top), 1, TOP_MAX},
    {"texts", 't', CLI_NAME, "FILE", "The texts that the vectors were made of, to show them beside", FIELD(texts), 0,
     0},
    {"texts-format", 0, CLI_CHOICE, "auto|text|jsonl|csv", "Of --texts, as for embed", FIELD(form), 0, 0},
    {"field", 0, CLI_TEXT, "NAME", "Of JSONL: the field that has the text (text)", FIELD(field), 0, 0},
    {"column", 'c', CLI_TEXT, "NAME", "Of CSV: the column that has the text, by name or number (1)", FIELD(column), 0,
     0},
    {"prompt-name", 0, CLI_TEXT, "NAME", "One of the model's prompts, put before the text", FIELD(prompt_name), 0, 0},
};

struct hit {
    uint64_t row;
    double score;
    char *text;
};

static void defaults(void *into, struct cli_line *line)
{
    (void)line;
    struct settings *settings = into;
    settings->top = 10;
    settings->field = "text";
}

/* The better one first; of equals the earlier row. */
static int compare(const void *a_, const void *b_)
{
    const struct hit *a = a_, *b = b_;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return (a->row > b->row) - (a->row < b->row);
}

static int compare_rows(const void *a_, const void *b_)
{
    const struct hit *a = a_, *b = b_;
    return (a->row > b->row) - (a->row < b->row);
}

static double cosine(const float *a, const float *b, size_t width)
{
    double product = 0, a2 = 0, b2 = 0;
    for (size_t i = 0; i < width; i++) {
        product += (double)a[i] * (double)b[i];
        a2 += (double)a[i] * (double)a[i];
        b2 += (double)b[i] * (double)b[i];
    }
    double score = a2 > 0 && b2 > 0 ? product / sqrt(a2 * b2) : 0;
    return isfinite(score) ? score : 0; /* of vectors with infinite values */
}

/* The best rows, kept in a heap whose root is the worst of them. Returns how many. */
static size_t search(const struct cli_matrix *matrix, const float *vector, struct hit *hits, size_t most)
{
    size_t n = 0;
    for (uint64_t row = 0; row < matrix->rows; row++) {
        struct hit hit = {row, cosine(matrix->values + row * matrix->width, vector, matrix->width), NULL};
        size_t at;
        if (n < most) {
            for (at = n++; at > 0 && compare(&hit, &hits[(at - 1) / 2]) > 0; at = (at - 1) / 2)
                hits[at] = hits[(at - 1) / 2];
        } else if (compare(&hit, &hits[0]) < 0) {
            at = 0;
            for (size_t child = 1; child < n; child = 2 * at + 1) {
                if (child + 1 < n && compare(&hits[child + 1], &hits[child]) > 0)
                    child++;
                if (compare(&hit, &hits[child]) >= 0)
                    break;
                hits[at] = hits[child];
                at = child;
            }
        } else {
            continue;
        }
        hits[at] = hit;
    }
    qsort(hits, n, sizeof *hits, compare);
    return n;
}

/* Read the texts of the hits. Row i is record i: a job with --empty skip has other numbers. */
static bool find_texts(const struct settings *settings, struct hit *hits, size_t n)
{
    struct cli_reader_settings from = {.path = settings->texts,
                                       .form = (enum cli_form)settings->form,
                                       .field = settings->field,
                                       .column = settings->column,
                                       .separator = ','};
    struct cli_reader *reader = cli_reader_open(&from);
    if (!reader)
        return false;
    qsort(hits, n, sizeof *hits, compare_rows);
    int found = 1;
    for (size_t i = 0; found == 1 && i < n;) {
        const char *text;
        size_t length;
        uint64_t record = cli_reader_position(reader).records;
        found = cli_reader_next(reader, &text, &length);
        if (found == 1 && record == hits[i].row)
            hits[i++].text = strndup(text, length);
        else if (found == 0)
            cli_say("%s has fewer texts than there are vectors", settings->texts);
    }
    qsort(hits, n, sizeof *hits, compare);
    cli_reader_close(reader);
    return found == 1;
}

static void show(const struct cli_line *line, const struct hit *hits, size_t n)
{
    json_t *root = json_array();
    for (size_t i = 0; i < n; i++) {
        if (!line->common.json) {
            printf("%9.6f  %10llu%s", hits[i].score, (unsigned long long)hits[i].row, hits[i].text ? "  " : "");
            if (hits[i].text)
                cli_plain_print(hits[i].text, strlen(hits[i].text));
            printf("\n");
            continue;
        }
        json_t *hit = json_pack("{s:I, s:f}", "row", (json_int_t)hits[i].row, "score", hits[i].score);
        if (hits[i].text)
            json_object_set_new(hit, "text", cli_plain_json(hits[i].text));
        json_array_append_new(root, hit);
    }
    if (line->common.json) {
        json_dumpf(root, stdout, JSON_REAL_PRECISION(9));
        printf("\n");
    }
    json_decref(root);
}

static int run_on(const struct settings *settings, const struct cli_line *line, struct bertd_client *client,
                  const struct cli_matrix *matrix)
{
    struct bertd_call_options call = cli_call_options(&line->connection);
    struct bertd_embeddings *found = NULL;
    struct bertd_error error = {0};
    call.prompt_name = settings->prompt_name;
    if (bertd_embed(client, line->arguments + 1, NULL, 1, &call, &found, &error) != BERTD_OK)
        return cli_failed(NULL, &error);
    int code = CLI_FILE;
    size_t most = settings->top < (double)matrix->rows ? (size_t)settings->top : (size_t)matrix->rows;
    struct hit *hits = calloc(most + 1, sizeof *hits);
    if (!hits) {
        cli_say("no memory");
    } else if (matrix->rows > 0 && matrix->width != found->width) {
        cli_say("%s has vectors of %llu values, the server's model of %zu", line->arguments[0],
                (unsigned long long)matrix->width, found->width);
    } else {
        size_t n = search(matrix, found->vectors, hits, most);
        if (!settings->texts || find_texts(settings, hits, n)) {
            show(line, hits, n);
            code = CLI_OK;
        }
        for (size_t i = 0; i < n; i++)
            free(hits[i].text);
    }
    free(hits);
    bertd_free(found);
    return code;
}

static int run(const void *settings, const struct cli_line *line)
{
    struct cli_matrix matrix;
    struct bertd_client *client = NULL;
    if (!cli_npy_open(line->arguments[0], &matrix))
        return CLI_FILE;
    int code = cli_connect(&line->connection, &client);
    if (code < 0)
        code = run_on(settings, line, client, &matrix);
    bertd_client_destroy(&client);
    cli_npy_close(&matrix);
    return code;
}

const struct cli_command cli_command_similar = {
    .name = "similar",
    .arguments = "FILE.npy TEXT",
    .summary = "The vectors of a .npy file that are nearest to a text",
    .about = "Embeds a text and shows the rows of a .npy file whose vectors are nearest to its own: cosine, row, and "
             "with --texts the text. All rows are looked at; the file is mapped, so it may be larger than memory. The "
             "file must be of the same model. Of equal cosines the earlier row goes first.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(struct settings),
    .defaults = defaults,
    .run = run,
    .least_arguments = 2,
    .most_arguments = 2,
    .connects = true,
};
