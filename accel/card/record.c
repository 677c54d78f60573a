#include <string.h>

#include "accel/card/card.h"

void card_clear_record(const struct card *card, void *memory)
{
    memset((char *)memory + card->record, 0, ACCEL_RECORD_BYTES);
}

bool card_get_record(const struct card *card, const void *memory, struct card_record *ret)
{
    uint32_t words[ACCEL_RECORD_BYTES / 4];
    memcpy(words, (const char *)memory + card->record, sizeof words);
    if (words[ACCEL_RECORD_WRITTEN] != (uint32_t)ACCEL_RECORD_MAGIC)
        return false;
    *ret = (struct card_record){.status = words[ACCEL_RECORD_STATUS],
                                .failed = words[ACCEL_RECORD_FAILED],
                                .layer = words[ACCEL_RECORD_LAYER],
                                .seen = words[ACCEL_RECORD_SEEN],
                                .version = words[ACCEL_RECORD_VERSION],
                                .rows = words[ACCEL_RECORD_GEOMETRY] & 0xffff,
                                .slices = words[ACCEL_RECORD_GEOMETRY] >> 16};
    memcpy(&ret->counters, words + ACCEL_RECORD_COUNTERS, sizeof ret->counters);
    return true;
}
