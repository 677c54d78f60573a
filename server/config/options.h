/* The table of options: it makes struct config, the parser, the environment, --help and the checks.
 *
 * Names, environment names and defaults are those of text-embeddings-inference 1.9 where it has the option; ours carry
 * BERTD_ in the environment. Private to the room.
 *
 *   GROUP(title)
 *   STRING(field, flag, environment, word for the value, default or NULL, help)
 *   COUNT(field, flag, environment, default or CONFIG_NONE, least, most, help)
 *   FLAG(field, flag, environment, default, help)
 *   BOARDS(field, flag, environment, kinds joined by '|', help)   given several times, or joined by commas
 *   CHOICE(field, flag, environment, choices joined by '|', default as an index, help)
 *   ABSENT(flag, environment, reaction, what to tell)   an option of text-embeddings-inference that bertd does not have
 */
#ifndef BERTD_CONFIG_OPTIONS_H
#define BERTD_CONFIG_OPTIONS_H

#ifdef BERTD_RTL
#define CONFIG_BOARDS "auto|emu|fp32|ref|xrt:CARD|rtl-sim" /* rtl-sim: accel/rtl, simulated cycle by cycle */
#else
#define CONFIG_BOARDS "auto|emu|fp32|ref|xrt:CARD"
#endif

#define CONFIG_OPTIONS(GROUP, STRING, COUNT, FLAG, CHOICE, BOARDS)                                                     \
    GROUP("Model")                                                                                                     \
    STRING(                                                                                                            \
        model_id, "model-id", "MODEL_ID", "DIR|NAME", NULL,                                                            \
        "Directory in Hugging Face's layout, or a name in $XDG_CACHE_HOME/bertd/models ($HOME/.cache/..). Required.")  \
    STRING(served_model_name, "served-model-name", "SERVED_MODEL_NAME", "NAME", NULL,                                  \
           "Name that clients see. Default: --model-id.")                                                              \
    CHOICE(dtype, "dtype", "DTYPE", "auto|int8|float32", 0,                                                            \
           "Arithmetic of the linear layers; auto: float32 on board fp32, else int8.")                                 \
    CHOICE(pooling, "pooling", "POOLING", "model|cls|mean|max", 0,                                                     \
           "How token vectors become one; model: what the model directory says.")                                      \
    COUNT(max_input_length, "max-input-length", "BERTD_MAX_INPUT_LENGTH", 0, 0, 65536,                                 \
          "Longest input in tokens, special ones included; 0: what the model directory says.")                         \
    FLAG(auto_truncate, "auto-truncate", "AUTO_TRUNCATE", true,                                                        \
         "Cut longer inputs where the request does not say; off: refuse them.")                                        \
    FLAG(auto_chunk, "auto-chunk", "BERTD_AUTO_CHUNK", false,                                                          \
         "Compute longer inputs in overlapping chunks, pooled into one vector, where the request does not say.")       \
    COUNT(chunk_overlap, "chunk-overlap", "BERTD_CHUNK_OVERLAP", 32, 0, 65536,                                         \
          "Tokens that neighbouring chunks share where the request does not say; at most half a chunk is.")            \
    COUNT(max_chunks, "max-chunks", "BERTD_MAX_CHUNKS", 64, 1, 65536,                                                  \
          "Chunks of one input; what goes beyond is truncated or refused.")                                            \
    STRING(default_prompt, "default-prompt", "DEFAULT_PROMPT", "TEXT", NULL,                                           \
           "Text put before every input where the request names no prompt.")                                           \
    STRING(default_prompt_name, "default-prompt-name", "DEFAULT_PROMPT_NAME", "NAME", NULL,                            \
           "The same by its name in config_sentence_transformers.json.")                                               \
    GROUP("Boards")                                                                                                    \
    BOARDS(board, "board", "BERTD_BOARD", CONFIG_BOARDS,                                                               \
           "emu: emulated FPGA, int8. ref: its specification, int8, slow. fp32: floating point. xrt:0, "               \
           "xrt:0000:65:00.1: a card by its index or place on the PCIe bus, int8. auto: by --dtype, fp32 or emu. "     \
           "Several, for a pool of several kinds: --board xrt:0 --board xrt:1 --board emu.")                           \
    STRING(xclbin, "xclbin", "BERTD_XCLBIN", "FILE", NULL,                                                             \
           "What cards load: the engine of accel/rtl, built for their platform (docs/cards.md).")                      \
    STRING(xrt_host, "xrt-host", "BERTD_XRT_HOST", "FILE", NULL,                                                       \
           "The program that opens cards by XRT. Default: bertd-xrt-host beside this program.")                        \
    CHOICE(placement, "placement", "BERTD_PLACEMENT", "auto|replicate|pipeline|split|tensor", 0,                       \
           "How work is laid over boards: a batch a board, layers from board to board, or one batch "                  \
           "over all, by its rows or by the outputs of each layer. auto: what should finish first.")                   \
    COUNT(boards, "boards", "BERTD_BOARDS", 0, 0, 1024,                                                                \
          "Boards of each kind but cards; 0: one a physical core that this process may use.")                          \
    FLAG(verify, "verify", "BERTD_VERIFY", true,                                                                       \
         "Check every product of a board, and what rests between layers, by checksums; off: a few percent faster.")    \
    COUNT(scrub_interval, "scrub-interval-seconds", "BERTD_SCRUB_INTERVAL_SECONDS", 600, 0, 604800,                    \
          "Verify the checksum of the model in memory so often, and build it again where it is damaged; 0: never.")    \
    COUNT(timeout_scale, "board-timeout-scale", "BERTD_BOARD_TIMEOUT_SCALE", 1, 1, 1000,                               \
          "Wait so many times as long before a board counts as hung: for machines that stop for seconds.")             \
    STRING(fault_file, "fault-file", "BERTD_FAULT_FILE", "FILE", NULL,                                                 \
           "For tests of an installation: make emulated boards fail by the schedule in this JSON file.")               \
    FLAG(enable_fault_injection, "enable-fault-injection", "BERTD_ENABLE_FAULT_INJECTION", false,                      \
         "For tests: make emulated boards fail on request (POST /admin/faults).")                                      \
    GROUP("Limits")                                                                                                    \
    COUNT(max_concurrent_requests, "max-concurrent-requests", "MAX_CONCURRENT_REQUESTS", 512, 1, 1000000,              \
          "Requests worked on at once; more are answered 429.")                                                        \
    COUNT(max_batch_tokens, "max-batch-tokens", "MAX_BATCH_TOKENS", 16384, 1, 16777216, "Tokens in one batch.")        \
    COUNT(max_batch_requests, "max-batch-requests", "MAX_BATCH_REQUESTS", 0, 0, 1000000,                               \
          "Inputs in one batch; 0: no limit but the tokens.")                                                          \
    COUNT(max_client_batch_size, "max-client-batch-size", "MAX_CLIENT_BATCH_SIZE", 1024, 1, 65536,                     \
          "Inputs in one request; many are shared out over the boards. (text-embeddings-inference: 32.)")              \
    COUNT(payload_limit, "payload-limit", "PAYLOAD_LIMIT", 2000000, 1, 1073741824, "Bytes in a request's body.")       \
    COUNT(max_memory, "max-request-memory", "BERTD_MAX_REQUEST_MEMORY", 1073741824, 1048576, 1099511627776,            \
          "Bytes that all requests hold at once (bodies, results); more are answered 429.")                            \
    COUNT(cache_bytes, "cache-bytes", "BERTD_CACHE_BYTES", 0, 0, 549755813888,                                         \
          "Bytes for pooled vectors that were computed before: equal texts get the same bits at once; 0: none.")       \
    FLAG(cache_shared, "cache-shared", "BERTD_CACHE_SHARED", false,                                                    \
         "Let each API key profit from what others asked for; their timings then tell that they did.")                 \
    COUNT(max_connections, "max-connections", "BERTD_MAX_CONNECTIONS", 4096, 1, 1000000, "Open connections.")          \
    COUNT(max_connections_per_ip, "max-connections-per-ip", "BERTD_MAX_CONNECTIONS_PER_IP", 0, 0, 1000000,             \
          "Open connections of one address; 0: no limit.")                                                             \
    COUNT(idle_timeout, "idle-timeout-seconds", "BERTD_IDLE_TIMEOUT_SECONDS", 90, 1, 86400,                            \
          "A connection on which nothing moves, or no request arrives, for so long is closed.")                        \
    COUNT(request_timeout, "request-timeout-ms", "BERTD_REQUEST_TIMEOUT_MS", 60000, 0, 86400000,                       \
          "Answer 504 after so long; 0: never. A request may ask for less: x-request-timeout-ms.")                     \
    GROUP("Server")                                                                                                    \
    STRING(hostname, "hostname", "BERTD_HOSTNAME", "ADDRESS", "127.0.0.1",                                             \
           "Address to listen on; 0.0.0.0 or :: for all. (Not HOSTNAME, which shells and containers set.)")            \
    COUNT(port, "port", "PORT", 3000, 0, 65535, "Port to listen on; 0: a free one, which the log names.")              \
    STRING(unix_socket, "unix-socket", "BERTD_UNIX_SOCKET", "PATH", NULL,                                              \
           "Listen on this socket in the file system, too; there without TLS.")                                        \
    COUNT(max_streams, "max-streams", "BERTD_MAX_STREAMS", 128, 1, 65536,                                              \
          "HTTP/2 requests at once on one connection.")                                                                \
    COUNT(keepalive, "keepalive-seconds", "BERTD_KEEPALIVE_SECONDS", 60, 0, 86400,                                     \
          "Ask an HTTP/2 client that has been silent so long whether it is there; end the connection when it is not. " \
          "0: never.")                                                                                                 \
    COUNT(max_age, "max-age-seconds", "BERTD_MAX_AGE_SECONDS", 0, 0, 604800,                                           \
          "Ask HTTP/2 clients to connect anew after so long, so that a balancer shares them out again; 0: never.")     \
    STRING(cors_allow_origin, "cors-allow-origin", "CORS_ALLOW_ORIGIN", "ORIGIN[,..]", NULL,                           \
           "Origins that browsers may call from, or *. Default: none.")                                                \
    COUNT(tokenization_workers, "tokenization-workers", "TOKENIZATION_WORKERS", 0, 0, 1024,                            \
          "Threads that decode, tokenize and encode; 0: one a core.")                                                  \
    COUNT(drain_seconds, "drain-seconds", "BERTD_DRAIN_SECONDS", 5, 0, 3600,                                           \
          "After SIGTERM or SIGINT: go on serving so long, with /health at 503. A second signal ends it.")             \
    GROUP("Access")                                                                                                    \
    STRING(api_key, "api-key", "API_KEY", "KEY", NULL,                                                                 \
           "Clients must send Authorization: Bearer KEY (not for /health, /ping, /metrics).")                          \
    STRING(api_key_file, "api-key-file", "BERTD_API_KEY_FILE", "FILE", NULL,                                           \
           "The key is the first line of FILE. Read again on SIGHUP.")                                                 \
    STRING(api_keys_file, "api-keys-file", "BERTD_API_KEYS_FILE", "FILE", NULL,                                        \
           "Several keys, each a line: NAME KEY [requests_per_second=N] [tokens_per_minute=N] [priority=bulk]. Read "  \
           "again on SIGHUP.")                                                                                         \
    STRING(tls_cert, "tls-cert", "BERTD_TLS_CERT", "FILE", NULL,                                                       \
           "Serve in TLS with this certificate: PEM, with the chain. Read again on SIGHUP.")                           \
    STRING(tls_key, "tls-key", "BERTD_TLS_KEY", "FILE", NULL, "The certificate's key: PEM. Read again on SIGHUP.")     \
    STRING(tls_client_ca, "tls-client-ca", "BERTD_TLS_CLIENT_CA", "FILE", NULL,                                        \
           "Clients must show a certificate that one of these has signed: PEM.")                                       \
    COUNT(admin_port, "admin-port", "BERTD_ADMIN_PORT", CONFIG_NONE, 0, 65535,                                         \
          "Port for /metrics, /boards and /admin/faults, which then answer there alone; 0: a free one, which the log " \
          "names. Never in TLS.")                                                                                      \
    STRING(admin_hostname, "admin-hostname", "BERTD_ADMIN_HOSTNAME", "ADDRESS", "127.0.0.1",                           \
           "Address of --admin-port.")                                                                                 \
    GROUP("Log")                                                                                                       \
    CHOICE(log_level, "log-level", "BERTD_LOG_LEVEL", "error|warn|info|debug", 2, "Least important lines to write.")   \
    FLAG(json_output, "json-output", "JSON_OUTPUT", false, "JSON lines on a terminal too; elsewhere they always are.")

#define CONFIG_ABSENT_OPTIONS(ABSENT)                                                                                  \
    ABSENT("revision", "REVISION", REFUSE, "models are local directories: fetch the revision you want")                \
    ABSENT("dense-path", "DENSE_PATH", REFUSE, "Dense modules are not supported")                                      \
    ABSENT("otlp-endpoint", "OTLP_ENDPOINT", REFUSE, "set OTEL_EXPORTER_OTLP_ENDPOINT instead (OTLP/HTTP)")            \
    ABSENT("otlp-service-name", "OTLP_SERVICE_NAME", IGNORE, "see the variable OTEL_SERVICE_NAME")                     \
    ABSENT("prometheus-port", "PROMETHEUS_PORT", IGNORE, "metrics are at /metrics on --admin-port, else --port")       \
    ABSENT("hf-token", "HF_TOKEN", IGNORE, "nothing is downloaded")                                                    \
    ABSENT("hf-api-token", "HF_API_TOKEN", IGNORE, "nothing is downloaded")                                            \
    ABSENT("huggingface-hub-cache", "HUGGINGFACE_HUB_CACHE", IGNORE, "nothing is downloaded")                          \
    ABSENT("uds-path", "UDS_PATH", IGNORE, "the boards are in this process")                                           \
    ABSENT("device-id", "DEVICE_ID", IGNORE, "see --board and --boards")                                               \
    ABSENT("disable-spans", "DISABLE_SPANS", IGNORE, "the log has no spans")

#endif
