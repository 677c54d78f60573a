/* Who may use the server: what is read at the start, and again on SIGHUP. */
#include "server/serve/access.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/net/tls.h"
#include "server/program/program.h"

enum status program_read_key(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    char *key = NULL;
    enum status status = STATUS_OK;
    if (config->api_key_file)
        status = config_read_key(&key, config->api_key_file, err);
    else if (config->api_key && !(key = mem_strdup(config->api_key)))
        status = error_set(err, STATUS_NO_MEMORY, "no memory for the key");
    if (status != STATUS_OK)
        return status;
    mem_free(program->key);
    program->key = key;
    return STATUS_OK;
}

static enum status reload_keys(struct program *program, struct error *err)
{
    enum status status = program_read_key(program, err);
    if (status == STATUS_OK)
        status = serve_access_load(program->serve, program->key, program->config.api_keys_file, err);
    return status;
}

void program_reload(struct program *program)
{
    struct error err;
    if (program->tls && net_tls_reload(program->tls, &err) == STATUS_OK)
        log_info("certificate read again", log_str("path", program->config.tls_cert));
    else if (program->tls)
        log_error("certificate not read again: the one from before holds", log_str("error", err.message));
    if (reload_keys(program, &err) == STATUS_OK)
        log_info("API keys read again", log_int("keys", serve_access_keys(program->serve)));
    else
        log_error("API keys not read again: those from before hold", log_str("error", err.message));
}
