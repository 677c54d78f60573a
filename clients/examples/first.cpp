#include <bertd.h>
#include <iostream>
int main(int argc, char **argv)
{
    bertd_options options = bertd_options_default();
    options.endpoints = argv + 1;
    options.n_endpoints = argc > 1;
    bertd_client *client = nullptr;
    bertd_error err;
    float value[4096];
    if (bertd_client_create(&client, &options, &err) || bertd_embed_one(client, "hello", NULL, value, 4096, NULL, &err))
        return std::cerr << err.message << '\n', 1;
    std::cout << "the first value is " << value[0] << '\n';
    bertd_client_destroy(&client);
}
