#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/cli/cache.h"
#include "clients/cli/digest.h"
#include "clients/cli/histogram.h"
#include "clients/cli/metrics.h"
#include "clients/cli/npy.h"
#include "clients/cli/plain.h"
#include "clients/cli/plot.h"
#include "clients/cli/progress.h"
#include "clients/cli/records.h"
#include "clients/cli/terminal.h"
#include "clients/cli/writer.h"

Test(records, end_where_quotes_let_them)
{
    static const struct {
        const char *bytes;
        size_t end; /* 0: there is none */
    } cases[] = {
        {"a,b\nc\n", 4},
        {"\"a\nb\"\nc", 6},
        {"\"a\"\"\n\"\n", 7},
        {"5\" pipe,x\ny", 10},
        {"a,\"\n\",\n", 7},
        {"\"open\n", 0},
        {"", 0},
        {"no end", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].bytes);
        for (size_t step = 1; step <= n + 1; step++) { /* bytes come in pieces of any size */
            struct cli_scan scan = {0};
            bool found = false;
            for (size_t have = 0; have < n && !found;) {
                have = have + step < n ? have + step : n;
                found = cli_records_end(&scan, cases[i].bytes, have, ',');
            }
            cr_assert_eq(found, cases[i].end > 0, "%zu", i);
            cr_assert(!found || scan.at == cases[i].end, "%zu: %zu", i, scan.at);
        }
    }
    struct cli_scan scan = {0};
    cr_assert(cli_records_end(&scan, "\"a\nb", 4, 0) && scan.at == 3);
}

Test(records, fields)
{
    static const struct {
        const char *record;
        size_t index;
        const char *field; /* NULL: there is none */
    } cases[] = {
        {"a,b", 0, "a"},
        {"a,b", 1, "b"},
        {"a,b", 2, NULL},
        {"a,", 1, ""},
        {"", 0, ""},
        {"", 1, NULL},
        {"\"a,b\",c", 0, "a,b"},
        {"\"a,b\",c", 1, "c"},
        {"\"a\"\"b\"", 0, "a\"b"},
        {"\"\"", 0, ""},
        {"5\" x,\"\"\"\"", 0, "5\" x"},
        {"5\" x,\"\"\"\"", 1, "\""},
        {"\"a\"b,c", 0, "ab"},
        {"\"a\"b,c", 1, "c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char record[64];
        const char *field;
        size_t length;
        strcpy(record, cases[i].record);
        bool found = cli_records_field(record, strlen(record), ',', cases[i].index, &field, &length);
        cr_assert_eq(found, cases[i].field != NULL, "%zu", i);
        cr_assert(!found || (length == strlen(cases[i].field) && memcmp(field, cases[i].field, length) == 0), "%zu", i);
    }
    cr_assert_eq(cli_records_column("\xef\xbb\xbfid,\"the text\"\r\n", 18, ',', "the text"), 1);
    cr_assert_eq(cli_records_column("\xef\xbb\xbfid,\"the text\"\r\n", 18, ',', "id"), 0);
    cr_assert_eq(cli_records_column("id,x", 4, ',', "y"), -1);
    cr_assert_eq(cli_records_column("id,x", 4, ',', NULL), -1);
}

Test(histogram, quantiles_are_within_a_percent)
{
    struct cli_histogram *histogram = calloc(1, sizeof *histogram);
    cr_assert_eq(cli_histogram_quantile(histogram, 0.5), 0);
    cr_assert_eq(cli_histogram_mean(histogram), 0);
    for (int i = 1; i <= 10000; i++)
        cli_histogram_add(histogram, i * 37e-6);
    static const double shares[] = {0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double exact = ceil(shares[i] * 10000 - 1e-9) * 37e-6;
        double found = cli_histogram_quantile(histogram, shares[i]);
        cr_assert(fabs(found - exact) <= exact * 0.01, "%g: %g, not %g", shares[i], found, exact);
    }
    cr_assert_eq(cli_histogram_quantile(histogram, 1), histogram->most);
    cr_assert_float_eq(cli_histogram_mean(histogram), 5000.5 * 37e-6, 1e-9);
    cli_histogram_add(histogram, 0);
    cli_histogram_add(histogram, -1);
    cli_histogram_add(histogram, 1e30);
    cr_assert_eq(histogram->n, 10003);
    cr_assert_eq(cli_histogram_quantile(histogram, 0), 1e-9);
    free(histogram);
}

static const char metrics[] =
    "# HELP a_b b\n# TYPE a_b counter\na_b 1\na 2\na{x=\"1\"} 3\na{x=\"2\",y=\"z\"} 4.5e1\nab 9\n"
    "h_bucket{c=\"i\",le=\"0.1\"} 5\nh_bucket{c=\"i\",le=\"1\"} 9\n"
    "h_bucket{c=\"i\",le=\"+Inf\"} 10\nh_bucket{c=\"j\",le=\"0.1\"} 1\n";
static const char before[] =
    "h_bucket{c=\"i\",le=\"0.1\"} 5\nh_bucket{c=\"i\",le=\"1\"} 5\nh_bucket{c=\"i\",le=\"+Inf\"} 5\n";

Test(metrics, sums_and_quantiles)
{
    cr_assert_eq(cli_metrics_sum(metrics, "a", NULL), 50);
    cr_assert_eq(cli_metrics_sum(metrics, "a", "x=\"2\""), 45);
    cr_assert_eq(cli_metrics_sum(metrics, "a", "x=\"3\""), 0);
    cr_assert_eq(cli_metrics_sum(metrics, "a_b", NULL), 1);
    cr_assert_eq(cli_metrics_sum("", "a", NULL), 0);
    cr_assert_eq(cli_metrics_sum("a{x=\"1", "a", NULL), 0);
    cr_assert_eq(cli_metrics_quantile(metrics, NULL, "h", "c=\"i\"", 0.5), 0.1);
    cr_assert_eq(cli_metrics_quantile(metrics, NULL, "h", "c=\"i\"", 0.9), 1);
    cr_assert_eq(cli_metrics_quantile(metrics, NULL, "h", "c=\"i\"", 1), 1); /* the last bucket has no end */
    cr_assert_eq(cli_metrics_sum("a nan\na -inf\na 2\n", "a", NULL), 2);
    cr_assert_eq(cli_metrics_quantile(metrics, before, "h", "c=\"i\"", 0.5), 1);
    cr_assert_eq(cli_metrics_quantile(before, before, "h", "c=\"i\"", 0.5), 0);
    cr_assert_eq(cli_metrics_quantile(metrics, NULL, "none", NULL, 0.5), 0);
}

Test(npy, head_is_as_long_whatever_it_says)
{
    char head[CLI_NPY_HEAD];
    cli_npy_head(head, UINT64_MAX, UINT64_MAX);
    cr_assert_eq(memcmp(head, "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4'", 25), 0);
    cr_assert_eq(head[CLI_NPY_HEAD - 1], '\n');
    cr_assert_null(memchr(head + 10, 0, CLI_NPY_HEAD - 10));
}

/* What a file of `size` bytes with this shape in its head is, with `rest` of them behind the head. */
static bool opens(const char *shape, size_t rest)
{
    char path[] = "/tmp/bertd-npy-XXXXXX", head[CLI_NPY_HEAD] = "\x93NUMPY\x01\x00\x76\x00";
    static const char values[64];
    struct cli_matrix matrix;
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    snprintf(head + 10, sizeof head - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
    cr_assert_eq(write(fd, head, sizeof head), (ssize_t)sizeof head);
    cr_assert_eq(write(fd, values, rest), (ssize_t)rest);
    close(fd);
    bool opened = cli_npy_open(path, &matrix);
    unlink(path);
    if (opened)
        cli_npy_close(&matrix);
    return opened;
}

Test(npy, shapes_are_those_of_the_bytes)
{
    cr_assert(opens("(3, 2)", 24) && opens("(0, 2)", 0) && opens("(0, 0)", 0));
    static const char *const wrong[] = {"(3, 3)",
                                        "(2, 2)",
                                        "(0, 2)",
                                        "(3,)",
                                        "(-3, -2)",
                                        "(1, 0)",
                                        "(0, 4611686018427387904)",
                                        "(4611686018427387904, 4)",
                                        "(18446744073709551615, 18446744073709551615)"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert(!opens(wrong[i], 24), "%s", wrong[i]);
    cr_assert(!opens("(3, 2)", 23) && !opens("(3, 2)", 25));
}

Test(plain, texts_of_others_rule_no_terminal)
{
    static const struct {
        const char *text, *plain, *utf8; /* the latter NULL: as it was */
    } cases[] = {
        {"", "", NULL},
        {"word \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "word \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", NULL},
        {"\033[2Ja\nb\r\x7f", "?[2Ja?b??", NULL},
        {"\xc2\x9b"
         "31m\xc2\xa0",
         "??31m\xc2\xa0", NULL},
        {"\x9b"
         "31m",
         "?31m", "?31m"},
        {"\xc0\x8a\xed\xa0\x80\xf4\x90\x80\x80", "?????????", "?????????"},
        {"a\xe2\x82", "a??", "a??"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char plain[64], utf8[64];
        strcpy(plain, cases[i].text);
        strcpy(utf8, cases[i].text);
        cli_plain(plain);
        cli_plain_utf8(utf8);
        cr_assert_str_eq(plain, cases[i].plain, "%zu", i);
        cr_assert_str_eq(utf8, cases[i].utf8 ? cases[i].utf8 : cases[i].text, "%zu", i);
        json_t *json = cli_plain_json(cases[i].text);
        cr_assert_str_eq(json_string_value(json), utf8, "%zu", i);
        json_decref(json);
    }
}

Test(progress, fits_into_any_width)
{
    for (size_t columns = 1; columns <= 160; columns++) {
        char line[400];
        memset(line, 'x', sizeof line);
        cli_progress_line(line, columns, "texts", 1234567, 61, 5e8, 1e8, columns % 3 ? 1e9 : 0);
        cr_assert_leq(strlen(line), columns, "%zu: %s", columns, line);
    }
    char line[400];
    cli_progress_line(line, 79, "texts", 1234567, 61, 5e8, 1e8, 1e9);
    cr_assert_str_eq(line, "[#################.................] 1,234,567 texts  20,239/s   50%  ETA 1:16");
    cli_progress_line(line, 79, "B", 1.5e6, 2, 5, 5, 0);
    cr_assert_str_eq(line, "1.5 MB  0.8 MB/s");
}

Test(words, for_people)
{
    char text[32];
    cr_assert_str_eq(cli_count(text, 0), "0");
    cr_assert_str_eq(cli_count(text, 999), "999");
    cr_assert_str_eq(cli_count(text, 1234567.2), "1,234,567");
    cr_assert_str_eq(cli_count(text, 1e300), "1,000,000,000,000,000");
    cr_assert_str_eq(cli_time(text, 59.6), "1:00");
    cr_assert_str_eq(cli_time(text, 3661), "1:01:01");
    cr_assert_str_eq(cli_plot_time(text, 0.0123), "12.3 ms");
    cr_assert_str_eq(cli_plot_time(text, 5e-6), "5.00 us");
    cr_assert_str_eq(cli_plot_time(text, 1e300), "99999 s");
}

Test(names, of_files_in_a_cache)
{
    static const char *const good[] = {"a", "a/b", "..a", "a..", ".a", "a/...", "1_Pooling/config.json"};
    static const char *const bad[] = {"",     "/a",     "a/",    "a//b", ".",       "..",   "../a",
                                      "a/..", "a/../b", "a/./b", "a\nb", "\033[2J", "a\x7f"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(cli_cache_is_name(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert(!cli_cache_is_name(bad[i]), "%s", bad[i]);
    cr_assert_eq(cli_digest_kind("0123456789abcdef0123456789abcdef01234567"), CLI_DIGEST_GIT);
    cr_assert_eq(cli_digest_kind("0123456789abcdef0123456789abcdef0123456G"), CLI_DIGEST_NONE);
    cr_assert_eq(cli_digest_kind(""), CLI_DIGEST_NONE);
}

Test(names, tell_the_format)
{
    cr_assert_eq(cli_writer_format("-"), CLI_FILE_JSONL);
    cr_assert_eq(cli_writer_format("a.b/c.npy"), CLI_FILE_NPY);
    cr_assert_eq(cli_writer_format("x.fvecs"), CLI_FILE_FVECS);
    cr_assert_eq(cli_writer_format("npy"), CLI_FILE_AUTO);
}
