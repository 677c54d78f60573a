/* Many texts in one call: the library divides them among requests and connections, and puts vectors together in order.
 * Bulk work lets others go first; a time limit is for all of it. */
#include <bertd.h>
#include <stdio.h>

enum { N = 1000, LENGTH = 32 };

int main(int argc, char **argv)
{
    static char lines[N][LENGTH];
    static const char *texts[N];
    struct bertd_options options = bertd_options_default();
    struct bertd_call_options call = bertd_call_options_default();
    struct bertd_client *client = NULL;
    struct bertd_embeddings *found = NULL;
    struct bertd_error err;
    for (int i = 0; i < N; i++) {
        snprintf(lines[i], LENGTH, "text number %d", i);
        texts[i] = lines[i];
    }
    options.endpoints = (const char *const *)&argv[1]; /* several: they share the work, and stand in for each other */
    options.n_endpoints = (size_t)(argc - 1);
    call.priority = BERTD_PRIORITY_BULK;
    call.timeout_ms = 10 * 60 * 1000;
    if (bertd_client_create(&client, &options, &err) || bertd_embed(client, texts, NULL, N, &call, &found, &err)) {
        fprintf(stderr, "%s: %s\n", bertd_status_name(err.status), err.message);
        bertd_client_destroy(&client);
        return 1;
    }
    printf("%zu vectors of %zu values, %llu tokens\n", found->rows, found->width,
           (unsigned long long)found->total_tokens);
    bertd_free(found);
    bertd_client_destroy(&client);
}
