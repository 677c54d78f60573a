/* The parsers of config.json, modules.json, the pooling's config.json and sentence_bert_config.json: the first byte
 * chooses one. What they accept is within every limit; what they refuse leaves the result alone. */
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "server/model/config.h"
#include "server/model/pooling.h"
#include "server/model/sentence.h"
#include "tests/fuzz/require.h"

enum { UNTOUCHED = 0x5a };

static bool untouched(const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (((const unsigned char *)bytes)[i] != UNTOUCHED)
            return false;
    }
    return true;
}

static void check_shape(const struct image_shape *shape)
{
    REQUIRE(shape->hidden >= 1 && shape->hidden <= IMAGE_MAX_WIDTH);
    REQUIRE(shape->intermediate >= 1 && shape->intermediate <= IMAGE_MAX_WIDTH);
    REQUIRE(shape->layers >= 1 && shape->layers <= IMAGE_MAX_LAYERS);
    REQUIRE(shape->heads >= 1 && shape->hidden % shape->heads == 0);
    REQUIRE(shape->vocab >= 1 && shape->vocab <= IMAGE_MAX_VOCAB);
    REQUIRE(shape->positions >= 1 && shape->positions <= IMAGE_MAX_POSITIONS);
    REQUIRE(shape->types >= 1 && shape->types <= IMAGE_MAX_TYPES);
    REQUIRE(shape->layer_norm_eps > 0 && shape->layer_norm_eps < 1);
}

static enum status parse_config(const uint8_t *data, size_t size, struct error *err)
{
    struct image_shape shape;
    memset(&shape, UNTOUCHED, sizeof shape);
    enum status status = model_config_parse(&shape, data, size, err);
    if (status == STATUS_OK)
        check_shape(&shape);
    else
        REQUIRE(untouched(&shape, sizeof shape));
    return status;
}

static enum status parse_modules(const uint8_t *data, size_t size, struct error *err)
{
    struct model_modules modules;
    memset(&modules, UNTOUCHED, sizeof modules);
    enum status status = model_modules_parse(&modules, data, size, err);
    if (status != STATUS_OK) {
        REQUIRE(untouched(&modules, sizeof modules));
        return status;
    }
    REQUIRE(memchr(modules.pooling_path, '\0', sizeof modules.pooling_path));
    REQUIRE(!strchr(modules.pooling_path, '/') && strcmp(modules.pooling_path, "..") != 0);
    REQUIRE(modules.has_pooling == (modules.pooling_path[0] != '\0'));
    REQUIRE(modules.has_pooling || !modules.normalize);
    return status;
}

static enum status parse_pooling(const uint8_t *data, size_t size, struct error *err)
{
    struct model_pooling_config config;
    memset(&config, UNTOUCHED, sizeof config);
    enum status status = model_pooling_parse(&config, 384, data, size, err);
    if (status == STATUS_OK)
        REQUIRE(config.pooling == MODEL_POOL_CLS || config.pooling == MODEL_POOL_MEAN ||
                config.pooling == MODEL_POOL_MAX);
    else
        REQUIRE(untouched(&config, sizeof config));
    return status;
}

static enum status parse_sequence(const uint8_t *data, size_t size, struct error *err)
{
    struct model_sequence sequence;
    memset(&sequence, UNTOUCHED, sizeof sequence);
    enum status status = model_sequence_parse(&sequence, data, size, err);
    if (status != STATUS_OK)
        REQUIRE(untouched(&sequence, sizeof sequence));
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    typedef enum status parser(const uint8_t *data, size_t size, struct error *err);
    static parser *const parsers[] = {parse_config, parse_modules, parse_pooling, parse_sequence};
    if (size == 0)
        return 0;
    struct error err = {0};
    enum status status = parsers[data[0] % 4](data + 1, size - 1, &err);
    if (status == STATUS_OK)
        return 0;
    REQUIRE(err.status == status && err.message[0]);
    REQUIRE(status == STATUS_FORMAT || status == STATUS_UNSUPPORTED);
    REQUIRE(utf8_valid(err.message, strlen(err.message)) == strlen(err.message));
    return 0;
}
