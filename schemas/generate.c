/* accel.json -> accel_constants.h and accel_constants.svh: every leaf becomes a constant named by its path without the
 * section.
 *
 *     generate c accel.json > accel_constants.h
 *     generate sv accel.json > accel_constants.svh
 *
 * {"functions": {"exp": {"log2e": "0x1.7p+0"}}}  ->  #define ACCEL_EXP_LOG2E 0x1.7p+0f
 *                                                ->  localparam ACCEL_EXP_LOG2E, the 32 bits of the same
 * A string is a binary32 as a hexadecimal float, a number an integer, an array (of arrays) a table. A table is one flat
 * vector in SystemVerilog, since Yosys reads no parameter arrays: element i, j of a table with n columns lies at bit
 * 32 * (n * i + j).
 */
#include <ctype.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 128 };

struct writer {
    const char *language;
    const char *begin, *end;
    void (*scalar)(const char *name, const json_t *value);
    void (*table)(const char *name, const json_t *rows);
};

static void die(const char *what, const char *name)
{
    fprintf(stderr, "generate: %s: %s\n", name, what);
    exit(1);
}

static float number(const json_t *value, const char *name)
{
    char *end = NULL;
    const char *text = json_string_value(value);
    float result = text ? strtof(text, &end) : 0;
    if (!text || !strstr(text, "0x") || *end != 0)
        die("not a hexadecimal float in a string", name);
    return result;
}

/* C --------------------------------------------------------------------------------------------------------------- */

static void c_scalar(const char *name, const json_t *value)
{
    if (json_is_integer(value))
        printf("#define ACCEL_%s (%" JSON_INTEGER_FORMAT ")\n", name, json_integer_value(value));
    else
        printf("#define ACCEL_%s (%af)\n", name, (double)number(value, name));
}

static void c_row(const char *name, const json_t *row)
{
    size_t i;
    json_t *value;
    printf("{");
    json_array_foreach(row, i, value) printf("%s%af", i ? ", " : "", (double)number(value, name));
    printf("}");
}

static void c_table(const char *name, const json_t *rows)
{
    const json_t *first = json_array_get(rows, 0);
    printf("static const _Alignas(64) float ACCEL_%s[%zu]", name, json_array_size(rows));
    if (!json_is_array(first)) {
        printf(" = ");
        c_row(name, rows);
        printf(";\n");
        return;
    }
    printf("[%zu] = {\n", json_array_size(first));
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (json_array_size(row) != json_array_size(first))
            die("rows of different lengths", name);
        printf("    ");
        c_row(name, row);
        printf(",\n");
    }
    printf("};\n");
}

static const struct writer c_writer = {
    "c",
    "/* Generated from schemas/accel.json; do not edit. */\n#ifndef ACCEL_CONSTANTS_H\n#define ACCEL_CONSTANTS_H\n\n",
    "\n#endif\n", c_scalar, c_table};

/* SystemVerilog --------------------------------------------------------------------------------------------------- */

static unsigned bits(const json_t *value, const char *name)
{
    float x = number(value, name);
    unsigned result;
    memcpy(&result, &x, sizeof result);
    return result;
}

static void sv_scalar(const char *name, const json_t *value)
{
    if (!json_is_integer(value))
        printf("localparam logic [31:0] ACCEL_%s = 32'h%08x;\n", name, bits(value, name));
    else if (json_integer_value(value) <= INT32_MAX)
        printf("localparam int ACCEL_%s = %" JSON_INTEGER_FORMAT ";\n", name, json_integer_value(value));
    else
        printf("localparam logic [31:0] ACCEL_%s = 32'd%" JSON_INTEGER_FORMAT ";\n", name, json_integer_value(value));
}

/* A concatenation begins with the highest bits, so with the last element. */
static void sv_row(const char *name, const json_t *row)
{
    for (size_t i = json_array_size(row); i-- > 0;)
        printf("32'h%08x%s", bits(json_array_get(row, i), name), i ? ", " : "");
}

static void sv_table(const char *name, const json_t *rows)
{
    const json_t *first = json_array_get(rows, 0);
    size_t n = json_array_size(rows), columns = json_is_array(first) ? json_array_size(first) : 1;
    printf("localparam logic [%zu:0] ACCEL_%s = {\n    ", 32 * n * columns - 1, name);
    if (!json_is_array(first))
        sv_row(name, rows);
    for (size_t i = n; json_is_array(first) && i-- > 0;) {
        if (json_array_size(json_array_get(rows, i)) != columns)
            die("rows of different lengths", name);
        sv_row(name, json_array_get(rows, i));
        printf("%s", i ? ",\n    " : "");
    }
    printf("};\n");
}

static const struct writer sv_writer = {
    "sv", "// Generated from schemas/accel.json; do not edit. For the inside of a package.\n", "", sv_scalar, sv_table};

/* ----------------------------------------------------------------------------------------------------------------- */

static void walk(const struct writer *writer, const char *prefix, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        char name[MAX_NAME];
        int length = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "_" : "", key);
        if (length < 0 || length >= MAX_NAME)
            die("name too long", key);
        for (char *c = name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        if (json_is_object(value))
            walk(writer, name, value);
        else if (json_is_array(value))
            writer->table(name, value);
        else
            writer->scalar(name, value);
    }
}

int main(int argc, char **argv)
{
    const struct writer *const writers[] = {&c_writer, &sv_writer}, *writer = NULL;
    for (size_t i = 0; argc == 3 && i < sizeof writers / sizeof *writers; i++)
        writer = strcmp(argv[1], writers[i]->language) == 0 ? writers[i] : writer;
    if (!writer)
        die("usage: generate c|sv accel.json > accel_constants.h|svh", "arguments");
    json_error_t error;
    json_t *schema = json_load_file(argv[2], JSON_REJECT_DUPLICATES, &error);
    if (!schema)
        die(error.text, argv[2]);
    printf("%s", writer->begin);
    const char *section;
    json_t *contents;
    json_object_foreach(schema, section, contents) if (json_is_object(contents)) walk(writer, "", contents);
    printf("%s", writer->end);
    json_decref(schema);
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
