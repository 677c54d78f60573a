/* What a key may be. Private to the room. */
#ifndef BERTD_CONFIG_KEY_H
#define BERTD_CONFIG_KEY_H

#include "base/status.h"

/** Refuse a key (not empty) that no client could send. `origin`, where it was given, begins the message.
 *  Errors: USAGE */
enum status config_check_key(const char *key, const char *origin, struct error *err);

#endif
