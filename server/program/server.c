/* The request core. */
#include "server/program/program.h"

/* The option, else what the model directory says. */
static const char *default_prompt_name(const struct program *program)
{
    const struct config *config = &program->config;
    const char *models_own = program->info.default_prompt_name;
    if (config->default_prompt_name || config->default_prompt || !models_own[0])
        return config->default_prompt_name;
    return models_own;
}

static enum batch_pooling pooling_of(const struct program *program)
{
    static const enum batch_pooling poolings[] = {BATCH_POOL_CLS, BATCH_POOL_MEAN, BATCH_POOL_MAX};
    int pooling = program->config.pooling;
    return poolings[pooling == CONFIG_POOL_MODEL ? (int)program->info.pooling : pooling - CONFIG_POOL_CLS];
}

enum status program_start_server(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    program->metrics = metrics_registry_create();
    if (!program->metrics)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the metrics");
    struct serve_options options = {
        .model_dir = program->model_dir,
        .model_id = config->model_id,
        .served_model_name = config->served_model_name ? config->served_model_name : config->model_id,
        .model_dtype = config->dtype == CONFIG_FLOAT32 ? "float32" : "int8",
        .compute_type = board_compute_type(program->boards[0]),
        .instruction_set = board_instruction_set(program->boards[0]),
        .version = CONFIG_VERSION,
        .vocab = program->vocab,
        .batch = program->batch,
        .n_boards = program->n_boards,
        .inject_faults = config->enable_fault_injection,
        .width = program->info.shape.hidden,
        .pooling = pooling_of(program),
        .unpooled_prompt = !program->info.include_prompt,
        .max_input_length = program->max_input_length,
        .auto_truncate = config->auto_truncate,
        .auto_chunk = config->auto_chunk,
        .chunk_overlap = (uint32_t)config->chunk_overlap,
        .max_chunks = (uint32_t)config->max_chunks,
        .default_prompt = config->default_prompt,
        .default_prompt_name = default_prompt_name(program),
        .api_key = program->key,
        .api_keys_file = config->api_keys_file,
        .max_concurrent_requests = (uint32_t)config->max_concurrent_requests,
        .max_client_batch_size = (uint32_t)config->max_client_batch_size,
        .max_batch_tokens = (uint32_t)config->max_batch_tokens,
        .max_batch_requests = (uint32_t)config->max_batch_requests,
        .max_memory = config->max_memory,
        .cache_bytes = config->cache_bytes,
        .cache_shared = config->cache_shared,
        .request_timeout_ms = (uint32_t)config->request_timeout,
        .workers = config->tokenization_workers ? (uint32_t)config->tokenization_workers : program->cores,
        .metrics = program->metrics,
        .traces = program->traces,
    };
    return serve_server_create(&program->serve, &options, err);
}
