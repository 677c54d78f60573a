#include <bertd.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct bertd_options options = {.size = sizeof options, .endpoints = (void *)&argv[1], .n_endpoints = argc > 1};
    struct bertd_client *client = NULL;
    struct bertd_error err;
    float vector[4096];
    size_t n = 0;
    if (bertd_client_create(&client, &options, &err) || bertd_embed_one(client, "hello", NULL, vector, 4096, &n, &err))
        return fprintf(stderr, "%s\n", err.message), 1;
    printf("%zu values, the first is %g\n", n, (double)vector[0]);
    bertd_client_destroy(&client);
}
