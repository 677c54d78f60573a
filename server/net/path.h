/* The path of a request's target. Private to the room. */
#ifndef BERTD_NET_PATH_H
#define BERTD_NET_PATH_H

#include <stddef.h>

/** Decode %XX in place. A path with %00 is left as it is: none has one. Returns its length. */
size_t net_path_decode(char *path);

#endif
