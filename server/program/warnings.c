/* What the log says at the start of settings that are probably not meant so. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/program/program.h"

static void warn_of_variables(void)
{
    char name[128];
    const char *suggestion;
    for (char **entry = environ; *entry; entry++) {
        if (config_is_unknown_variable(*entry, name, sizeof name, &suggestion))
            log_warn("unknown variable in the environment: it has no effect", log_str("variable", name),
                     log_str("did_you_mean", suggestion));
    }
}

static void warn_of_model(const struct program *program)
{
    const struct config *config = &program->config;
    const struct model_info *info = &program->info;
    const char *note = token_vocab_note(program->vocab);
    if (note)
        log_warn(note, log_str("path", program->model_dir));
    if (info->lowercase && !token_vocab_lowercases(program->vocab))
        log_warn("sentence_bert_config.json has do_lower_case true, the tokenizer keeps the case, which counts",
                 log_str("path", program->model_dir));
    if (config->pooling == CONFIG_POOL_MODEL && !info->pooling_known)
        log_warn("the model directory names no pooling; using cls (see --pooling)");
    if (!config->default_prompt && !config->default_prompt_name && info->default_prompt_name[0])
        log_warn("the model's default prompt goes before inputs whose request names none (see --default-prompt-name)",
                 log_str("default_prompt_name", info->default_prompt_name));
}

void program_warn(const struct program *program)
{
    const struct config *config = &program->config;
    for (uint32_t i = 0; i < config->n_notes; i++)
        log_warn(config->notes[i]);
    warn_of_variables();
    bool local = strncmp(config->hostname, "127.", 4) == 0 || strcmp(config->hostname, "::1") == 0 ||
                 strcmp(config->hostname, "localhost") == 0;
    if (!local && !config->api_key && !config->api_keys_file && !config->tls_client_ca)
        log_warn("anyone who reaches this address may use the server: there is no --api-key",
                 log_str("hostname", config->hostname));
    if (config->enable_fault_injection)
        log_warn("faults are injected on request: whoever may call the server may make its boards fail");
    warn_of_model(program);
}
