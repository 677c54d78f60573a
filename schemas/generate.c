/* accel.json -> accel_constants.h: every leaf becomes a constant named by its path without the section.
 *
 *     generate accel.json > accel_constants.h
 *
 * {"functions": {"exp": {"log2e": "0x1.7p+0"}}}  ->  #define ACCEL_EXP_LOG2E 0x1.7p+0f
 * A string is a binary32 as a hexadecimal float, a number an integer, an array (of arrays) a table. Other output
 * languages are other `writer`s.
 */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 128 };

struct writer {
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
    "/* Generated from schemas/accel.json; do not edit. */\n#ifndef ACCEL_CONSTANTS_H\n#define ACCEL_CONSTANTS_H\n\n",
    "\n#endif\n", c_scalar, c_table};

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
    json_error_t error;
    json_t *schema = argc == 2 ? json_load_file(argv[1], JSON_REJECT_DUPLICATES, &error) : NULL;
    if (!schema)
        die(argc == 2 ? error.text : "usage: generate accel.json > accel_constants.h",
            argc == 2 ? argv[1] : "arguments");
    const struct writer *writer = &c_writer;
    printf("%s", writer->begin);
    const char *section;
    json_t *contents;
    json_object_foreach(schema, section, contents) if (json_is_object(contents)) walk(writer, "", contents);
    printf("%s", writer->end);
    json_decref(schema);
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
