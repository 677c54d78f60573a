#include "accel/xrt/xrt_card.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

struct xrt_card {
    struct xrt_card *next;
    uint32_t references; /* units; guarded by `registry` */
    char address[40];
    char *program; /* NULL: the one beside this program */
    char *xclbin;
    uint32_t patience;
    char bdf[32]; /* its place on the bus; "": not told */
    uint32_t n_units;
    pthread_mutex_t lock; /* guards what follows */
    uint32_t open_units;  /* bits */
    struct xrt_host *host;
    struct xrt_resident *residents;
};

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static struct xrt_card *cards;

/* Models ----------------------------------------------------------------------------------------------------------- */

static void free_resident(struct xrt_resident *resident)
{
    if (resident->memory)
        munmap(resident->memory, resident->size);
    image_release(&resident->image);
    xrt_host_release(&resident->host);
    mem_free(resident);
}

static enum status map_memory(struct xrt_resident *resident, int fd, struct error *err)
{
    void *memory = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)resident->size) == 0)
        memory = mmap(NULL, resident->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a model on a card: %s", strerror(errno));
    resident->memory = memory;
    return STATUS_OK;
}

/* Weights in front, the places to work behind, each with a hole where a whole card has its weights. */
static struct xrt_place layout_of(const struct xrt_resident *resident)
{
    const struct card *card = &resident->card;
    return (struct xrt_place){.memory = resident->size,
                              .weights_size = card->work,
                              .slots_begin = card->size + card->work,
                              .slots_stride = card->size,
                              .slot_size = card->size - card->work,
                              .list = card->list - card->work,
                              .record = card->record - card->work};
}

static enum status place(struct xrt_resident *resident, int fd, struct error *err)
{
    struct xrt_request request = {.kind = XRT_PLACE, .place = resident->place, .layout = layout_of(resident)};
    struct xrt_answer answer;
    enum status status = xrt_host_ask(resident->host, &request, fd, &answer, err);
    if (status)
        return status;
    resident->card.base = answer.weights;
    for (uint32_t i = 0; i < XRT_MAX_UNITS * XRT_SLOTS; i++)
        resident->shifts[i] = answer.slots[i] - resident->card.work - answer.weights;
    card_fill(&resident->card, resident->memory);
    request.kind = XRT_SEND;
    status = xrt_host_ask(resident->host, &request, -1, &answer, err);
    if (status && !xrt_host_is_dead(resident->host)) {
        request.kind = XRT_DROP;
        xrt_host_ask(resident->host, &request, -1, &answer, NULL);
    }
    return status;
}

/* With the lock. A number that no model on this host process has. */
static enum status find_place(const struct xrt_card *card, uint32_t *ret, struct error *err)
{
    uint32_t taken = 0;
    for (const struct xrt_resident *r = card->residents; r; r = r->next)
        if (r->host == card->host)
            taken |= 1u << r->place;
    *ret = (uint32_t)__builtin_ctz(~taken | 1u << (XRT_MAX_PLACES - 1));
    return taken >> *ret & 1 ? error_set(err, STATUS_BACKEND, "card %s: there are already %d models on it",
                                         card->address, XRT_MAX_PLACES)
                             : STATUS_OK;
}

static enum status create_resident(struct xrt_resident **ret, struct xrt_card *card, struct image *image,
                                   struct error *err)
{
    struct xrt_resident *resident = mem_calloc(1, sizeof *resident);
    if (!resident)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a model on a card");
    enum status status = card_init(&resident->card, image, 0, image->shape.layers, err);
    if (!status)
        status = find_place(card, &resident->place, err);
    resident->host = xrt_host_retain(card->host);
    resident->image = image_retain(image);
    resident->size = resident->card.size * (1 + card->n_units * XRT_SLOTS);
    int fd = -1;
    if (!status) {
        fd = memfd_create("bertd-xrt-model", MFD_CLOEXEC);
        status = map_memory(resident, fd, err);
    }
    if (!status)
        status = place(resident, fd, err);
    if (fd >= 0)
        close(fd);
    if (status) {
        free_resident(resident);
        return status;
    }
    *ret = resident;
    return STATUS_OK;
}

enum status xrt_resident_verify(struct xrt_resident *resident, struct error *err)
{
    struct xrt_request request = {.kind = XRT_VERIFY, .place = resident->place, .layout = layout_of(resident)};
    struct xrt_answer answer;
    enum status status = xrt_host_ask(resident->host, &request, -1, &answer, err);
    resident->suspect = status != STATUS_OK;
    return status;
}

static bool is_intact(struct xrt_resident *resident)
{
    return !resident->suspect || xrt_resident_verify(resident, NULL) == STATUS_OK;
}

/* With the lock. */
static enum status reopen(struct xrt_card *card, struct error *err)
{
    if (card->host && !xrt_host_is_dead(card->host))
        return STATUS_OK;
    xrt_host_release(&card->host);
    enum status status = xrt_host_start(&card->host, card->program, card->address, card->xclbin, card->patience, err);
    if (status)
        return status;
    uint32_t n = xrt_host_hello(card->host)->n_units;
    if (card->n_units != 0 && n != card->n_units) {
        xrt_host_release(&card->host);
        return error_set(err, STATUS_BACKEND, "card %s has %u compute units now, and had %u: restart bertd",
                         card->address, n, card->n_units);
    }
    card->n_units = n;
    snprintf(card->bdf, sizeof card->bdf, "%s", xrt_host_hello(card->host)->bdf);
    return STATUS_OK;
}

/* With the lock. */
static enum status attach(struct xrt_resident **ret, struct xrt_card *card, struct image *image, struct error *err)
{
    enum status status = reopen(card, err);
    if (status)
        return status;
    for (struct xrt_resident *r = card->residents; r; r = r->next)
        if (r->image == image && r->host == card->host && is_intact(r)) {
            r->references++;
            *ret = r;
            return STATUS_OK;
        }
    status = reopen(card, err); /* looking at it may have ended the host process */
    struct xrt_resident *resident = NULL;
    if (!status)
        status = create_resident(&resident, card, image, err);
    if (status)
        return status;
    resident->references = 1;
    resident->next = card->residents;
    card->residents = resident;
    *ret = resident;
    return STATUS_OK;
}

enum status xrt_card_attach(struct xrt_resident **ret, struct xrt_unit *unit, struct image *image, struct error *err)
{
    pthread_mutex_lock(&unit->card->lock);
    enum status status = attach(ret, unit->card, image, err);
    pthread_mutex_unlock(&unit->card->lock);
    return status;
}

void xrt_card_detach(struct xrt_unit *unit, struct xrt_resident *resident)
{
    struct xrt_card *card = unit->card;
    pthread_mutex_lock(&card->lock);
    bool last = --resident->references == 0;
    if (last) {
        struct xrt_resident **at = &card->residents;
        while (*at != resident)
            at = &(*at)->next;
        *at = resident->next;
        struct xrt_request request = {.kind = XRT_DROP, .place = resident->place};
        struct xrt_answer answer;
        if (!xrt_host_is_dead(resident->host))
            xrt_host_ask(resident->host, &request, -1, &answer, NULL);
    }
    pthread_mutex_unlock(&card->lock);
    if (last)
        free_resident(resident);
}

/* Units ------------------------------------------------------------------------------------------------------------ */

static void free_card(struct xrt_card *card)
{
    xrt_host_release(&card->host);
    mem_free(card->program);
    mem_free(card->xclbin);
    pthread_mutex_destroy(&card->lock);
    mem_free(card);
}

static struct xrt_card *create_card(const struct board_options *options)
{
    struct xrt_card *card = mem_calloc(1, sizeof *card);
    if (!card)
        return NULL;
    pthread_mutex_init(&card->lock, NULL);
    snprintf(card->address, sizeof card->address, "%s", options->card);
    card->xclbin = mem_strdup(options->xclbin);
    card->patience = options->patience ? options->patience : 1;
    card->program = options->xrt_host ? mem_strdup(options->xrt_host) : NULL;
    if (card->xclbin && (card->program || !options->xrt_host))
        return card;
    free_card(card);
    return NULL;
}

/* With the registry. The same card by its index and by its place on the bus would be opened twice. */
static enum status check_twin(const struct xrt_card *card, struct error *err)
{
    const char *bdf = card->bdf;
    for (const struct xrt_card *other = cards; other; other = other->next)
        if (*bdf && strcmp(other->bdf, bdf) == 0)
            return error_set(err, STATUS_USAGE, "cards %s and %s are the same, %s", other->address, card->address, bdf);
    return STATUS_OK;
}

/* With the registry. A card that no unit has open yet is closed again by whoever finds no unit in it. */
static enum status find_card(struct xrt_card **ret, const struct board_options *options, struct error *err)
{
    for (struct xrt_card *card = cards; card; card = card->next)
        if (strcmp(card->address, options->card) == 0) {
            *ret = card;
            return STATUS_OK;
        }
    struct xrt_card *card = create_card(options);
    if (!card)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a card");
    enum status status = reopen(card, err);
    if (status) {
        free_card(card);
        return status;
    }
    status = check_twin(card, err);
    if (status) {
        free_card(card);
        return status;
    }
    card->next = cards;
    cards = card;
    *ret = card;
    return STATUS_OK;
}

/* With the registry. */
static void release_card(struct xrt_card *card)
{
    if (card->references > 0)
        return;
    struct xrt_card **at = &cards;
    while (*at != card)
        at = &(*at)->next;
    *at = card->next;
    free_card(card);
}

/* With the registry. */
static enum status take_unit(struct xrt_card *card, const struct board_options *options, struct error *err)
{
    if (options->unit >= card->n_units)
        return error_set(err, STATUS_USAGE, "card %s has %u compute units, there is no unit %u", card->address,
                         card->n_units, options->unit);
    if (card->open_units >> options->unit & 1)
        return error_set(err, STATUS_USAGE, "compute unit %u of card %s is a board already", options->unit,
                         card->address);
    card->open_units |= 1u << options->unit;
    card->references++;
    return STATUS_OK;
}

enum status xrt_unit_open(struct xrt_unit **ret, const struct board_options *options, struct error *err)
{
    if (!options->card || !*options->card || strlen(options->card) >= sizeof cards->address)
        return error_set(err, STATUS_USAGE, "a board on a card is named xrt:0, or xrt:0000:65:00.1");
    if (!options->xclbin)
        return error_set(err, STATUS_USAGE, "--xclbin is missing: the file of the engine that the card is to load");
    struct xrt_unit *unit = mem_calloc(1, sizeof *unit);
    if (!unit)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a board");
    unit->unit = options->unit;
    pthread_mutex_lock(&registry);
    enum status status = find_card(&unit->card, options, err);
    if (!status)
        status = take_unit(unit->card, options, err);
    if (status && unit->card)
        release_card(unit->card);
    pthread_mutex_unlock(&registry);
    if (status)
        mem_free(unit);
    else
        *ret = unit;
    return status;
}

void xrt_unit_close(struct xrt_unit **ref)
{
    struct xrt_unit *unit = *ref;
    *ref = NULL;
    if (!unit)
        return;
    pthread_mutex_lock(&registry);
    unit->card->open_units &= ~(1u << unit->unit);
    unit->card->references--;
    release_card(unit->card);
    pthread_mutex_unlock(&registry);
    mem_free(unit);
}

uint32_t xrt_unit_siblings(const struct xrt_unit *unit)
{
    return unit->card->n_units;
}

static void tell(bool *ret_has, double *ret, double value)
{
    *ret_has = !isnan(value);
    *ret = *ret_has ? value : 0;
}

void xrt_unit_sense(const struct xrt_unit *unit, struct board_stats *ret)
{
    struct xrt_sensors now = {NAN, NAN, NAN, NAN};
    if (pthread_mutex_trylock(&unit->card->lock) == 0) { /* it is held for long while a card is opened */
        if (unit->card->host)
            xrt_host_sensors(unit->card->host, &now);
        pthread_mutex_unlock(&unit->card->lock);
    }
    tell(&ret->has_temperature, &ret->temperature, now.temperature);
    tell(&ret->has_power, &ret->power, now.power);
    tell(&ret->has_clock, &ret->clock_mhz, now.clock_mhz);
    tell(&ret->has_ecc, &ret->ecc_errors, now.ecc_errors);
}
