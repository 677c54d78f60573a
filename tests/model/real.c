#include "tests/model/real.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *real_model(void)
{
    static char dir[1024];
    char config[1100];
    const char *given = getenv("BERTD_TEST_MODEL"), *home = getenv("HOME");
    if (given)
        snprintf(dir, sizeof dir, "%s", given);
    else
        snprintf(dir, sizeof dir, "%s/.cache/bertd/models/all-MiniLM-L6-v2", home ? home : "");
    snprintf(config, sizeof config, "%s/config.json", dir);
    if (access(config, R_OK) != 0) {
        fprintf(stderr, "skipped: no model at %s, run ./deploy/run --once\n", dir);
        cr_skip("no model at %s, run ./deploy/run --once", dir);
    }
    return dir;
}
