/* The server that the Connect project's conformance runner starts: it reads a ServerCompatRequest from its standard
 * input, serves on a free port, says which, and ends with SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "connectrpc/conformance/v1/server_compat.pb-c.h"
#include "server/net/net.h"
#include "server/net/tls.h"
#include "server/rpc/codec.h"
#include "server/rpc/rpc.h"
#include "tests/rpc/conformance/service.h"

enum { DEFAULT_LIMIT = 4 << 20, MAX_REQUEST = 1 << 20, FILE_NAME = 64 };

typedef Connectrpc__Conformance__V1__ServerCompatRequest Request;
typedef Connectrpc__Conformance__V1__ServerCompatResponse Response;

static void require(bool condition, const char *what, const struct error *err)
{
    if (condition)
        return;
    fprintf(stderr, "conformance-server: %s%s%s\n", what, err ? ": " : "", err ? err->message : "");
    exit(1);
}

static Request *read_request(void)
{
    unsigned char head[4];
    require(fread(head, sizeof head, 1, stdin) == 1, "no request", NULL);
    size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    require(len <= MAX_REQUEST, "a request that is too long", NULL);
    unsigned char *bytes = malloc(len + 1);
    require(bytes && fread(bytes, 1, len, stdin) == len, "half a request", NULL);
    Request *request = connectrpc__conformance__v1__server_compat_request__unpack(NULL, len, bytes);
    require(request, "a request that cannot be read", NULL);
    free(bytes);
    return request;
}

static void write_response(const Response *response)
{
    size_t len = connectrpc__conformance__v1__server_compat_response__get_packed_size(response);
    unsigned char *bytes = malloc(len + 4);
    require(bytes, "no memory", NULL);
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(len >> (24 - 8 * i));
    connectrpc__conformance__v1__server_compat_response__pack(response, bytes + 4);
    require(fwrite(bytes, len + 4, 1, stdout) == 1 && fflush(stdout) == 0, "the response cannot be written", NULL);
    free(bytes);
}

static char *write_file(char name[FILE_NAME], const ProtobufCBinaryData *data)
{
    snprintf(name, FILE_NAME, "/tmp/conformance-XXXXXX");
    int fd = mkstemp(name);
    require(fd >= 0 && write(fd, data->data, data->len) == (ssize_t)data->len, "a file cannot be written", NULL);
    close(fd);
    return name;
}

static struct net_tls *create_tls(const Request *request)
{
    char cert[FILE_NAME], key[FILE_NAME], ca[FILE_NAME];
    struct net_tls *tls = NULL;
    struct error err;
    struct net_tls_options options = {0};
    require(request->server_creds, "TLS without a certificate", NULL);
    options.cert_file = write_file(cert, &request->server_creds->cert);
    options.key_file = write_file(key, &request->server_creds->key);
    if (request->client_tls_cert.len > 0)
        options.client_ca_file = write_file(ca, &request->client_tls_cert);
    require(net_tls_create(&tls, &options, &err) == STATUS_OK, "TLS", &err);
    unlink(cert);
    unlink(key);
    if (options.client_ca_file)
        unlink(ca);
    return tls;
}

static void write_refusal(struct buf *out, char ret_id[NET_ID_SIZE], const char *words)
{
    ret_id[0] = '\0';
    buf_puts(out, words);
}

int main(void)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL); /* before there are threads: sigwait takes it */
    signal(SIGPIPE, SIG_IGN);
    struct error err;
    Request *request = read_request();
    rpc_codec_set_types(conformance_types, conformance_n_types);
    struct rpc_options options = {
        .payload_limit = request->message_receive_limit ? request->message_receive_limit : DEFAULT_LIMIT,
        .services = &conformance_service,
        .n_services = 1};
    struct rpc_server *rpc = NULL;
    require(rpc_server_create(&rpc, NULL, &options, &err) == STATUS_OK, "rpc", &err);
    struct net_handler handler;
    rpc_server_handler(rpc, &handler);
    struct net_tls *tls = request->use_tls ? create_tls(request) : NULL;
    struct net_options net_options = {.handlers = &handler,
                                      .n_handlers = 1,
                                      .max_connections = 1000,
                                      .idle_timeout_s = 60,
                                      .cores = 2,
                                      .write_refusal = write_refusal,
                                      .spare_body = "{}",
                                      .discard_limit = 16 << 20,
                                      .max_streams = 250,
                                      .tls = tls};
    struct net_listener listener = {.side = NET_PUBLIC};
    uint16_t port = 0;
    require(net_listen(&listener.fd, &port, "127.0.0.1", 0, &err) == STATUS_OK, "listen", &err);
    struct net_server *net = NULL;
    require(net_server_create(&net, &net_options, &listener, 1, &err) == STATUS_OK, "serve", &err);
    Response response = CONNECTRPC__CONFORMANCE__V1__SERVER_COMPAT_RESPONSE__INIT;
    char host[] = "127.0.0.1";
    response.host = host;
    response.port = port;
    if (tls)
        response.pem_cert = request->server_creds->cert;
    write_response(&response);
    int signal_number;
    sigwait(&ending, &signal_number);
    net_server_destroy(&net);
    net_tls_destroy(&tls);
    rpc_server_destroy(&rpc);
    connectrpc__conformance__v1__server_compat_request__free_unpacked(request, NULL);
    return 0;
}
