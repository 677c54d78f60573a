/* Several calls at once in an event loop that waits for other things too: here by poll, for the standard input. */
#include <bertd.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static const char *const texts[] = {"first text", "second text", "third text"};

/* Whether the call went well. */
static int report(struct bertd_call *call)
{
    struct bertd_embeddings *found = NULL;
    struct bertd_error err;
    const char *const *text = bertd_call_cookie(call);
    int fine = bertd_call_embeddings(call, &found, &err) == BERTD_OK;
    if (fine)
        printf("%s: %zu values\n", *text, found->width);
    else
        fprintf(stderr, "%s: %s: %s\n", *text, bertd_status_name(err.status), err.message);
    bertd_free(found);
    bertd_call_destroy(&call);
    return fine;
}

static int run(struct bertd_queue *queue)
{
    struct pollfd fds[] = {{.fd = bertd_queue_fd(queue), .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    int fine = 1;
    while (bertd_queue_pending(queue) > 0) {
        struct bertd_call *call = NULL;
        if (poll(fds, 2, bertd_queue_timeout_ms(queue)) > 0 && fds[1].revents)
            fds[1].fd = -1; /* a program would read it */
        while ((call = bertd_queue_poll(queue)))
            fine = report(call) && fine;
    }
    return fine;
}

int main(int argc, char **argv)
{
    struct bertd_options options = bertd_options_default();
    struct bertd_client *client = NULL;
    struct bertd_queue *queue = NULL;
    struct bertd_error err;
    options.endpoints = (const char *const *)&argv[1];
    options.n_endpoints = argc > 1;
    options.retries = 1; /* rather told soon than after all tries of three calls, each longer than the last */
    if (bertd_client_create(&client, &options, &err) || bertd_queue_create(client, &queue, &err))
        return fprintf(stderr, "%s\n", err.message), 1;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bertd_call *call = NULL; /* the queue has it too, until run destroys it */
        if (bertd_submit_embed(queue, &texts[i], NULL, 1, NULL, (void *)&texts[i], &call, &err))
            return fprintf(stderr, "%s\n", err.message), 1;
    }
    int fine = run(queue);
    bertd_queue_destroy(&queue);
    bertd_client_destroy(&client);
    return fine ? 0 : 1;
}
