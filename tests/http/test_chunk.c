/* Inputs longer than the model: truncated and told, or computed in chunks. Chunks of 32 tokens, 30 of them of the text.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

enum { WIDTH = 384, ROOM = 30, CLS = 101, SEP = 102, FIRST = 1996 /* the ids from here on are plain words */ };

#define OPTIONS "--boards 2 --drain-seconds 0 --max-input-length 32 --chunk-overlap 8 --max-chunks 6"

PROCESS_MAIN
{
    return process_main(argc, argv, OPTIONS);
}

static json_t *rows_of(int port, const char *path, const char *body, size_t n)
{
    struct answer answer = client_post(port, path, body);
    cr_assert_eq(answer.code, 200, "%.300s: %.300s", body, answer.body);
    json_t *rows = client_json(&answer);
    cr_assert_eq(json_array_size(rows), n, "%.100s", body);
    client_free(&answer);
    return rows;
}

/* "101,1996,1997,..,102": the ids of words [begin, end) between special tokens. */
static const char *ids(int begin, int end)
{
    static char texts[4][8192];
    static int next;
    char *text = texts[next++ % 4], *to = text + sprintf(text, "%d", CLS);
    for (int i = begin; i < end; i++)
        to += sprintf(to, ",%d", FIRST + i * 3);
    sprintf(to, ",%d", SEP);
    return text;
}

static const char *request(const char *ids_text, const char *more)
{
    static char body[32768];
    snprintf(body, sizeof body, "{\"inputs\":[[%s]]%s}", ids_text, more);
    return body;
}

static double value(json_t *rows, size_t row, size_t i)
{
    return json_real_value(json_array_get(json_array_get(rows, row), i));
}

/* 70 words with an overlap of 8 are chunks of [0, 28), [20, 49), [41, 70), which own [0, 24), [24, 45), [45, 70). */
static const int chunks[3][4] = {{0, 28, 0, 24}, {20, 49, 24, 45}, {41, 70, 45, 70}};

Test(chunk, token_vectors_are_those_of_the_chunks)
{
    json_t *whole = rows_of(process_shared(), "/embed_all", request(ids(0, 70), ",\"chunk\":true"), 1);
    json_t *tokens = json_array_get(whole, 0);
    cr_assert_eq(json_array_size(tokens), 72u);
    size_t at = 0;
    for (int c = 0; c < 3; c++) {
        json_t *part = rows_of(process_shared(), "/embed_all", request(ids(chunks[c][0], chunks[c][1]), ""), 1);
        json_t *rows = json_array_get(part, 0);
        int begin = c == 0 ? 0 : 1 + chunks[c][2] - chunks[c][0];
        int end = 1 + chunks[c][3] - chunks[c][0] + (c == 2);
        for (int row = begin; row < end; row++, at++)
            cr_assert(json_equal(json_array_get(tokens, at), json_array_get(rows, (size_t)row)), "chunk %d, row %d", c,
                      row);
        json_decref(part);
    }
    cr_expect_eq(at, 72u);
    json_decref(whole);
}

Test(chunk, mean_is_that_of_all_tokens)
{
    json_t *all = rows_of(process_shared(), "/embed_all", request(ids(0, 70), ",\"chunk\":true"), 1);
    json_t *raw = rows_of(process_shared(), "/embed", request(ids(0, 70), ",\"chunk\":true,\"normalize\":false"), 1);
    json_t *unit = rows_of(process_shared(), "/embed", request(ids(0, 70), ",\"chunk\":true"), 1);
    double length = 0, product = 0, raw_length = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        double sum = 0;
        for (size_t t = 0; t < 72; t++)
            sum += value(json_array_get(all, 0), t, i);
        cr_assert_float_eq(value(raw, 0, i), sum / 72, 1e-5);
        length += pow(value(unit, 0, i), 2);
        raw_length += pow(value(raw, 0, i), 2);
        product += value(unit, 0, i) * value(raw, 0, i);
    }
    cr_expect_float_eq(length, 1, 1e-5);
    cr_expect_float_eq(product, sqrt(raw_length), 1e-5);
    json_decref(all);
    json_decref(raw);
    json_decref(unit);
}

Test(chunk, dimensions_are_cut_after_pooling)
{
    json_t *all = rows_of(process_shared(), "/embed", request(ids(0, 70), ",\"chunk\":true"), 1);
    json_t *some = rows_of(process_shared(), "/embed", request(ids(0, 70), ",\"chunk\":true,\"dimensions\":2"), 1);
    cr_assert_eq(json_array_size(json_array_get(some, 0)), 2u);
    cr_expect_float_eq(value(some, 0, 0) / value(some, 0, 1), value(all, 0, 0) / value(all, 0, 1), 1e-4);
    cr_expect_float_eq(pow(value(some, 0, 0), 2) + pow(value(some, 0, 1), 2), 1, 1e-5);
    json_decref(all);
    json_decref(some);
}

/* What fits is computed as ever, bit for bit, also beside long ones. */
Test(chunk, short_inputs_are_as_without)
{
    char body[8192];
    json_t *plain = rows_of(process_shared(), "/embed", "{\"inputs\":[\"hello world\",\"x\"]}", 2);
    snprintf(body, sizeof body, "{\"chunk\":true,\"inputs\":[\"hello world\",[%s],\"x\",[%s]]}", ids(0, 150),
             ids(0, ROOM));
    json_t *mixed = rows_of(process_shared(), "/embed", body, 4);
    cr_expect(json_equal(json_array_get(mixed, 0), json_array_get(plain, 0)));
    cr_expect(json_equal(json_array_get(mixed, 2), json_array_get(plain, 1)));
    json_t *full = rows_of(process_shared(), "/embed", request(ids(0, ROOM), ""), 1);
    cr_expect(json_equal(json_array_get(mixed, 3), json_array_get(full, 0)));
    json_t *alone = rows_of(process_shared(), "/embed", request(ids(0, 150), ",\"chunk\":true"), 1);
    cr_expect(json_equal(json_array_get(mixed, 1), json_array_get(alone, 0)), "nor on its mates");
    json_decref(plain);
    json_decref(mixed);
    json_decref(full);
    json_decref(alone);
}

Test(chunk, texts_get_special_tokens_in_every_chunk)
{
    char body[1024];
    char *to = body + sprintf(body, "{\"chunk\":true,\"inputs\":\"");
    for (int i = 0; i < 70; i++)
        to += sprintf(to, "%s ", i % 3 ? "river" : "stone");
    sprintf(to, "\"}");
    json_t *text = rows_of(process_shared(), "/embed", body, 1);
    json_t *tokens = rows_of(process_shared(), "/tokenize", body, 1);
    char list[1024] = "";
    for (size_t i = 0; i < json_array_size(json_array_get(tokens, 0)); i++)
        sprintf(list + strlen(list), "%s%d", i ? "," : "",
                (int)json_integer_value(json_object_get(json_array_get(json_array_get(tokens, 0), i), "id")));
    json_t *same = rows_of(process_shared(), "/embed", request(list, ",\"chunk\":true"), 1);
    cr_expect(json_equal(text, same));
    json_decref(text);
    json_decref(tokens);
    json_decref(same);
}

Test(chunk, overlap_is_at_most_half)
{
    json_t *half = rows_of(process_shared(), "/embed", request(ids(0, 70), ",\"chunk\":true,\"chunk_overlap\":15"), 1);
    json_t *more = rows_of(process_shared(), "/embed", request(ids(0, 70), ",\"chunk\":true,\"chunk_overlap\":999"), 1);
    json_t *none = rows_of(process_shared(), "/embed", request(ids(0, 70), ",\"chunk\":true,\"chunk_overlap\":0"), 1);
    cr_expect(json_equal(half, more));
    cr_expect_not(json_equal(half, none));
    json_decref(half);
    json_decref(more);
    json_decref(none);
}

static void expect_told(const char *path, const char *body, const char *count, const char *list)
{
    struct answer answer = client_post(process_shared(), path, body);
    cr_assert_eq(answer.code, 200, "%.300s", answer.body);
    cr_expect_str_eq(client_header(&answer, "x-truncated-count"), count, "%.80s", body);
    cr_expect_str_eq(client_header(&answer, "x-truncated"), list, "%.80s", body);
    client_free(&answer);
}

Test(truncated, is_told_by_input)
{
    char body[16384];
    expect_told("/embed", "{\"inputs\":[\"a\",\"b\"]}", "0", "");
    expect_told("/embed", request(ids(0, ROOM), ""), "0", "");
    expect_told("/embed", request(ids(0, ROOM + 1), ""), "1", "0");
    expect_told("/embed_all", request(ids(0, ROOM + 1), ""), "1", "0");
    snprintf(body, sizeof body, "{\"inputs\":[[%s],\"a\",[%s],[%s]]}", ids(0, 40), ids(0, 50), ids(0, 60));
    expect_told("/embed", body, "3", "0,2-3");
    expect_told("/", body, "3", "0,2-3");
    snprintf(body, sizeof body, "{\"chunk\":true,\"inputs\":[[%s],\"a\",[%s]]}", ids(0, 40), ids(0, 500));
    expect_told("/embed", body, "1", "2");
    struct answer answer = client_post(process_shared(), "/tokenize", "{\"inputs\":\"a\"}");
    cr_expect_str_eq(client_header(&answer, "x-truncated-count"), "");
    client_free(&answer);
}

/* Six chunks reach 6 * 22 + 8 tokens. */
Test(chunk, at_most_so_many)
{
    cr_assert_eq(6 * 22 + 8, 140);
    json_t *most = rows_of(process_shared(), "/embed", request(ids(0, 140), ",\"chunk\":true,\"truncate\":false"), 1);
    client_expect_error(
        client_post(process_shared(), "/embed", request(ids(0, 141), ",\"chunk\":true,\"truncate\":false")), 422,
        "Validation", "`inputs[0]` must have at most 142 tokens to fit into 6 chunks. Given: 143");
    json_t *right = rows_of(process_shared(), "/embed", request(ids(0, 300), ",\"chunk\":true"), 1);
    cr_expect(json_equal(most, right));
    json_t *left = rows_of(process_shared(), "/embed",
                           request(ids(0, 300), ",\"chunk\":true,\"truncation_direction\":\"Left\""), 1);
    json_t *end = rows_of(process_shared(), "/embed", request(ids(160, 300), ",\"chunk\":true"), 1);
    cr_expect(json_equal(left, end));
    json_decref(most);
    json_decref(right);
    json_decref(left);
    json_decref(end);
}

Test(chunk, far_too_long_texts)
{
    size_t chars = 32 * 250 * 6 + 1;
    char *body = malloc(chars + 100);
    char *to = body + sprintf(body, "{\"chunk\":true,\"inputs\":\"a ");
    memset(to, ' ', chars);
    sprintf(to + chars - 2, "\",\"truncate\":false}");
    client_expect_error(client_post(process_shared(), "/embed", body), 422, "Validation", "less than 48000 characters");
    sprintf(to + chars - 2, "\"}");
    expect_told("/embed", body, "1", "0");
    sprintf(to + 32 * 250, "\"}");
    expect_told("/embed", body, "0", "");
    free(body);
}

/* Every chunk begins with the prompt, whose own vectors count once. */
Test(chunk, prompt)
{
    struct process process = process_start_with(OPTIONS, "DEFAULT_PROMPT", "query: ");
    char words[1024] = "", body[2048];
    for (int i = 0; i < 40; i++)
        sprintf(words + strlen(words), "%s ", i % 3 ? "river" : "stone");
    snprintf(body, sizeof body, "{\"chunk\":true,\"chunk_overlap\":0,\"inputs\":\"%s\"}", words);
    json_t *all = rows_of(process.port, "/embed_all", body, 1);
    cr_assert_eq(json_array_size(json_array_get(all, 0)), 44u);
    snprintf(body, sizeof body, "{\"inputs\":\"%.*s\"}", 20 * 6, words + 20 * 6);
    json_t *second = rows_of(process.port, "/embed_all", body, 1);
    cr_assert_eq(json_array_size(json_array_get(second, 0)), 24u);
    for (size_t t = 0; t < 21; t++)
        cr_assert(json_equal(json_array_get(json_array_get(all, 0), 23 + t),
                             json_array_get(json_array_get(second, 0), 3 + t)),
                  "%zu", t);
    json_decref(all);
    json_decref(second);
    process_stop(&process);
    char prompt[256] = "";
    for (int i = 0; i < 31; i++)
        strcat(prompt, "query ");
    process = process_start_with(OPTIONS, "DEFAULT_PROMPT", prompt);
    snprintf(body, sizeof body, "{\"chunk\":true,\"inputs\":\"%s\"}", words);
    client_expect_error(client_post(process.port, "/embed", body), 422, "Validation",
                        "a prompt of 33 tokens leaves no");
    process_stop(&process);
}

Test(chunk, other_poolings_and_default)
{
    struct process cls = process_start(OPTIONS " --pooling cls --auto-chunk");
    struct process max = process_start(OPTIONS " --pooling max --auto-chunk");
    json_t *all = rows_of(max.port, "/embed_all", request(ids(0, 70), ""), 1);
    json_t *most = rows_of(max.port, "/embed", request(ids(0, 70), ",\"normalize\":false"), 1);
    json_t *first = rows_of(cls.port, "/embed", request(ids(0, 70), ",\"normalize\":false"), 1);
    json_t *off = rows_of(max.port, "/embed_all", request(ids(0, 70), ",\"chunk\":false"), 1);
    cr_expect_eq(json_array_size(json_array_get(off, 0)), 32u);
    json_t *parts[3];
    for (int c = 0; c < 3; c++)
        parts[c] = rows_of(cls.port, "/embed", request(ids(chunks[c][0], chunks[c][1]), ",\"normalize\":false"), 1);
    for (size_t i = 0; i < WIDTH; i++) {
        double highest = -INFINITY;
        for (size_t t = 0; t < 72; t++)
            highest = fmax(highest, value(json_array_get(all, 0), t, i));
        cr_assert_float_eq(value(most, 0, i), highest, 0);
        double mean = (value(parts[0], 0, i) * 25 + value(parts[1], 0, i) * 21 + value(parts[2], 0, i) * 26) / 72;
        cr_assert_float_eq(value(first, 0, i), mean, 1e-5);
    }
    for (int c = 0; c < 3; c++)
        json_decref(parts[c]);
    json_decref(all);
    json_decref(most);
    json_decref(first);
    json_decref(off);
    process_stop(&cls);
    process_stop(&max);
}
