#include "accel/xrt/host/host_places.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

enum { PAGE = 4096, PIECE = 1 << 22 };

static enum status create_slot(struct host_slot *slot, struct host_card *card, const struct xrt_place *layout,
                               char *memory, struct error *err)
{
    slot->memory = memory;
    enum status status = host_buffer_create(&slot->whole, card, memory, layout->slot_size, err);
    if (!status)
        status = host_buffer_part(&slot->list, slot->whole, layout->list, PAGE, err);
    if (!status)
        status = host_buffer_part(&slot->record, slot->whole, layout->record, PAGE, err);
    return status;
}

enum status host_place_create(struct host_place *place, struct host_card *card, const struct xrt_place *layout,
                              uint32_t n_units, int fd, struct error *err)
{
    void *memory = mmap(NULL, layout->memory, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return error_set(err, STATUS_IO, "no memory for a model on a card: %s", strerror(errno));
    *place = (struct host_place){.memory = memory, .layout = *layout, .n_slots = n_units * XRT_SLOTS};
    enum status status =
        host_buffer_create(&place->weights, card, place->memory + layout->weights_begin, layout->weights_size, err);
    for (uint32_t i = 0; i < place->n_slots && !status; i++)
        status = create_slot(&place->slots[i], card, layout,
                             place->memory + layout->slots_begin + i * layout->slots_stride, err);
    if (status)
        host_place_free(place);
    return status;
}

void host_place_free(struct host_place *place)
{
    for (uint32_t i = 0; i < place->n_slots; i++) {
        host_buffer_free(&place->slots[i].list);
        host_buffer_free(&place->slots[i].record);
        host_buffer_free(&place->slots[i].whole);
    }
    host_buffer_free(&place->weights);
    if (place->memory)
        munmap(place->memory, place->layout.memory);
    *place = (struct host_place){0};
}

typedef enum status on_piece(struct host_buffer *weights, size_t begin, size_t size, struct error *err);

/* The weights in pieces, so that a transfer is in nobody's way for long: each is fetched (NULL: is not), and summed. */
static enum status sum_up(struct host_place *place, on_piece *function, uint64_t *ret_checksum, struct error *err)
{
    const char *weights = place->memory + place->layout.weights_begin;
    uint64_t size = place->layout.weights_size, sum = 0;
    for (uint64_t at = 0, n; at < size; at += n) {
        n = size - at < PIECE ? size - at : PIECE;
        enum status status = function ? function(place->weights, at, n, err) : STATUS_OK;
        if (status)
            return status;
        sum = XXH3_64bits_withSeed(weights + at, n, sum);
    }
    *ret_checksum = sum;
    return STATUS_OK;
}

static enum status compare(struct host_place *place, const char *what, struct error *err)
{
    uint64_t came = 0;
    enum status status = sum_up(place, host_buffer_fetch, &came, err);
    if (!status && came != place->checksum)
        status = error_set(err, STATUS_BACKEND, "%s", what);
    return status;
}

enum status host_place_send(struct host_place *place, struct error *err)
{
    sum_up(place, NULL, &place->checksum, err);
    enum status status = host_buffer_send(place->weights, 0, place->layout.weights_size, err);
    return status ? status : compare(place, "the model on the card is not what was sent", err);
}

enum status host_place_verify(struct host_place *place, struct error *err)
{
    return compare(place, "the model on the card no longer has its checksum", err);
}
