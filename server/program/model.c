/* The model: where it is, what it is, how long a text may be. */
#include "base/log.h"
#include "server/program/program.h"

static enum status settle_length(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    uint32_t most = program->info.shape.positions;
    uint64_t length = config->max_input_length ? config->max_input_length : program->info.max_seq_length;
    if (most > IMAGE_MAX_SEQUENCE)
        most = IMAGE_MAX_SEQUENCE;
    if (config->max_input_length > most)
        return error_set(err, STATUS_USAGE,
                         "--max-input-length %llu is more than the %u tokens that this model and its "
                         "boards take",
                         (unsigned long long)length, most);
    if (length > most)
        length = most;
    if (length < 3)
        return error_set(err, STATUS_USAGE,
                         "%s: the longest input is %llu tokens; it must be at least 3: [CLS], a token, [SEP] (see "
                         "--max-input-length)",
                         config->max_input_length ? "--max-input-length" : program->model_dir,
                         (unsigned long long)length);
    if (length > config->max_batch_tokens)
        return error_set(err, STATUS_USAGE, "--max-batch-tokens %llu is less than an input may have: %llu tokens",
                         (unsigned long long)config->max_batch_tokens, (unsigned long long)length);
    program->max_input_length = (uint32_t)length;
    return STATUS_OK;
}

/* What boards of one kind read is in nobody else's way. */
static const struct image_sections *sections_of(const struct config *config)
{
    const struct image_sections *sections = NULL;
    for (uint32_t i = 0; i < config->board.n && !sections; i++)
        sections = board_sections(config->board.list[i].kind);
    return sections;
}

enum status program_load_model(struct program *program, struct error *err)
{
    struct config *config = &program->config;
    uint64_t begin = clock_now_ns();
    enum status status =
        config_find_model(program->model_dir, sizeof program->model_dir, config->model_id, program_get_env, err);
    if (status == STATUS_OK)
        status = model_read_info(&program->info, program->model_dir, config->pooling != CONFIG_POOL_MODEL, err);
    if (status == STATUS_OK)
        status = settle_length(program, err);
    if (status == STATUS_OK)
        status = token_vocab_load(&program->vocab, program->model_dir, err);
    if (status == STATUS_OK && token_vocab_size(program->vocab) > program->info.shape.vocab)
        status = error_set(err, STATUS_FORMAT, "%s: the tokenizer has %u entries, the model %u", program->model_dir,
                           token_vocab_size(program->vocab), program->info.shape.vocab);
    enum image_precision precision = config->dtype == CONFIG_FLOAT32 ? IMAGE_FP32 : IMAGE_INT8;
    if (status == STATUS_OK)
        status =
            model_load_image(&program->image, program->model_dir, &program->info, precision, sections_of(config), err);
    if (status != STATUS_OK)
        return status;
    log_info("model loaded", log_str("path", program->model_dir), log_int("layers", program->info.shape.layers),
             log_int("hidden", program->info.shape.hidden), log_str("checkpoint", program->info.checkpoint_dtype),
             log_int("bytes", (int64_t)program->image->size), log_int("max_input_length", program->max_input_length),
             log_real("seconds", program_seconds_since(begin)));
    return STATUS_OK;
}
