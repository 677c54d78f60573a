/* A server for the conformance tests of HTTP/2: prints its port and serves until its input ends. */
#include <stdio.h>
#include <unistd.h>

#include "tests/net/place.h"

int main(void)
{
    struct place place;
    struct net_options options = place_options();
    char byte;
    place_open(&place, &options);
    printf("%u\n", place.port);
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {
    }
    place_close(&place);
    return 0;
}
