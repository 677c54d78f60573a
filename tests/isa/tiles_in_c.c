/* The model, and a system that permits it or not. */
#include "tests/isa/tiles_in_c.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpu/tiles_permission.h"
#include "tests/isa/tiles_told.h"

struct tiles_told tiles_told;

bool cpu_tiles_offered(uint32_t leaf7_edx, uint64_t saved_state)
{
    (void)leaf7_edx;
    (void)saved_state;
    return true;
}

int cpu_tiles_ask(void)
{
    const char *refused = getenv("BERTD_TEST_TILES_REFUSED");
    tiles_told.asked++;
    return refused ? atoi(refused) : tiles_told.refusal;
}

enum { MODEL_TILES = 8, MODEL_ROWS = 16, MODEL_BYTES = 64, MODEL_GROUP = 4 };

struct model_tile {
    uint32_t rows, bytes; /* 0: without a shape */
    int8_t data[MODEL_ROWS][MODEL_BYTES];
};

static _Thread_local struct model_tile model_tiles[MODEL_TILES];

static void model_expect(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "tiles: a processor would fault: %s\n", what);
    abort();
}

static void model_forget(void)
{
    memset(model_tiles, 0, sizeof model_tiles);
}

void tiles_release(void)
{
    model_forget();
    tiles_told.released++;
}

/* Byte 0 is the palette, 1 the row to resume at; from byte 16 on are the bytes of a row of each of 16 tiles, as 16
 * bits, and from 48 on their rows. All else is 0. */
void tiles_configure(const void *config)
{
    uint8_t bytes[64];
    memcpy(bytes, config, sizeof bytes);
    model_forget();
    tiles_told.configured++;
    model_expect(bytes[0] == 1 && bytes[1] == 0, "palette or row of ldtilecfg");
    for (int i = 2; i < 16; i++)
        model_expect(bytes[i] == 0, "reserved bytes of ldtilecfg");
    for (int t = 0; t < 16; t++) {
        const uint32_t row = bytes[16 + 2 * t] | (uint32_t)bytes[17 + 2 * t] << 8, rows = bytes[48 + t];
        if (t >= MODEL_TILES) {
            model_expect(row == 0 && rows == 0, "ldtilecfg of tiles that are not there");
            continue;
        }
        model_expect(row <= MODEL_BYTES && rows <= MODEL_ROWS && (row == 0) == (rows == 0), "shape of ldtilecfg");
        model_tiles[t].rows = rows;
        model_tiles[t].bytes = row;
    }
}

static struct model_tile *model_tile(int t)
{
    model_expect(model_tiles[t].rows > 0, "a tile without a shape");
    return &model_tiles[t];
}

void model_zero(int t)
{
    memset(model_tile(t)->data, 0, sizeof model_tiles->data);
}

void model_load(int t, const void *from, size_t stride)
{
    struct model_tile *tile = model_tile(t);
    model_zero(t);
    for (size_t r = 0; r < tile->rows; r++)
        memcpy(tile->data[r], (const char *)from + r * stride, tile->bytes);
}

void model_store(int t, void *to, size_t stride)
{
    const struct model_tile *tile = model_tile(t);
    for (size_t r = 0; r < tile->rows; r++)
        memcpy((char *)to + r * stride, tile->data[r], tile->bytes);
}

/* What touches nothing but tiles: sanitizers would only make it slow. */
#define WITHIN_TILES __attribute__((no_sanitize("address", "undefined", "thread")))

/* A row of sums: += the products of a row of a with all of b, 4 bytes at a time. */
WITHIN_TILES static void model_multiply_row(int32_t sums[MODEL_ROWS], const int8_t a[MODEL_BYTES],
                                            const struct model_tile *b, uint32_t columns)
{
    for (uint32_t k = 0; k < b->rows; k++)
        for (uint32_t n = 0; n < columns; n++) {
            int32_t sum = 0;
            for (uint32_t i = 0; i < MODEL_GROUP; i++)
                sum += a[MODEL_GROUP * k + i] * b->data[k][MODEL_GROUP * n + i];
            sums[n] = (int32_t)((uint32_t)sums[n] + (uint32_t)sum);
        }
}

WITHIN_TILES void model_multiply(int acc, int rows, int weights)
{
    struct model_tile *c = model_tile(acc);
    const struct model_tile *a = model_tile(rows), *b = model_tile(weights);
    tiles_told.multiplied++;
    model_expect(acc != rows && acc != weights && rows != weights, "tdpbssd of the same tile twice");
    model_expect(a->rows == c->rows && b->bytes == c->bytes && a->bytes == b->rows * MODEL_GROUP, "shapes of tdpbssd");
    for (uint32_t m = 0; m < c->rows; m++) {
        int32_t sums[MODEL_ROWS];
        memcpy(sums, c->data[m], sizeof sums);
        model_multiply_row(sums, a->data[m], b, c->bytes / MODEL_GROUP);
        memcpy(c->data[m], sums, sizeof sums);
    }
}
