/* Embeddings as PyTorch computed them (golden/embed.jsonl), through the whole server. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

enum { WIDTH = 384 };

static const char *golden(void)
{
    static char path[512];
    const char *given = getenv("BERTD_GOLDEN_DIR");
    snprintf(path, sizeof path, "%s/embed.jsonl", given ? given : SOURCE_DIR "/../shared/golden");
    return path;
}

PROCESS_MAIN
{
    FILE *file = fopen(golden(), "r");
    if (!file) {
        fprintf(stderr, "skipped: no golden data at %s\n", golden());
        return 77;
    }
    fclose(file);
    return process_main(argc, argv, "--drain-seconds 0 --max-input-length 512");
}

/* The differences of all cases from what the server at `port` says. */
struct differences {
    int cases;
    double mean_cosine;
    double least_cosine;
    double largest; /* of a value */
};

static void compare(struct differences *differences, json_t *got, json_t *want)
{
    double dot = 0;
    double got_square = 0;
    double want_square = 0;
    cr_assert_eq(json_array_size(got), (size_t)WIDTH);
    for (size_t i = 0; i < WIDTH; i++) {
        double a = json_real_value(json_array_get(got, i));
        double b = json_number_value(json_array_get(want, i));
        dot += a * b;
        got_square += a * a;
        want_square += b * b;
        differences->largest = fmax(differences->largest, fabs(a - b));
    }
    double cosine = dot / sqrt(got_square * want_square);
    differences->least_cosine = fmin(differences->least_cosine, cosine);
    differences->mean_cosine += cosine;
    differences->cases++;
}

static struct differences measure(int port)
{
    struct differences differences = {.least_cosine = 1};
    FILE *file = fopen(golden(), "r");
    json_t *wanted;
    while ((wanted = json_loadf(file, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL))) {
        json_t *request = json_pack("{s:O}", "inputs", json_object_get(wanted, "text"));
        char *body = json_dumps(request, 0);
        struct answer answer = client_post(port, "/embed", body);
        cr_assert_eq(answer.code, 200, "%.200s: %.200s", body, answer.body);
        cr_expect_eq(atoll(client_header(&answer, "x-compute-tokens")),
                     json_integer_value(json_object_get(wanted, "n_tokens")), "%.100s", body);
        json_t *rows = client_json(&answer);
        compare(&differences, json_array_get(rows, 0), json_object_get(wanted, "embedding"));
        json_decref(rows);
        json_decref(wanted);
        json_decref(request);
        client_free(&answer);
        free(body);
    }
    fclose(file);
    cr_assert_geq(differences.cases, 1);
    differences.mean_cosine /= differences.cases;
    printf("%d cases: cosine mean %.7f, least %.7f; largest difference of a value %.2g\n", differences.cases,
           differences.mean_cosine, differences.least_cosine, differences.largest);
    return differences;
}

Test(golden, int8_boards)
{
    struct differences differences = measure(process_shared());
    cr_expect_geq(differences.mean_cosine, 0.9995);
    cr_expect_geq(differences.least_cosine, 0.998);
}

Test(golden, floating_point_boards)
{
    struct process process = process_start("--board fp32 --drain-seconds 0 --max-input-length 512");
    struct differences differences = measure(process.port);
    cr_expect_leq(differences.largest, 1e-4);
    process_stop(&process);
}

/* The model's own limit of 256 tokens, where the text is longer. */
Test(golden, cut_at_the_models_limit)
{
    struct process process = process_start("--board fp32 --drain-seconds 0");
    struct differences differences = {.least_cosine = 1};
    FILE *file = fopen(golden(), "r");
    json_t *wanted;
    while ((wanted = json_loadf(file, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL))) {
        json_t *cut = json_object_get(wanted, "embedding_256");
        if (cut) {
            json_t *request = json_pack("{s:O}", "inputs", json_object_get(wanted, "text"));
            char *body = json_dumps(request, 0);
            struct answer answer = client_post(process.port, "/embed", body);
            json_t *rows = client_json(&answer);
            compare(&differences, json_array_get(rows, 0), cut);
            json_decref(rows);
            json_decref(request);
            client_free(&answer);
            free(body);
        }
        json_decref(wanted);
    }
    fclose(file);
    cr_expect_geq(differences.cases, 1);
    cr_expect_leq(differences.largest, 1e-4);
    process_stop(&process);
}
