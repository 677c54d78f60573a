#include "server/http/truncated.h"

#include <stdio.h>

void http_write_truncated(const struct serve_infer_input *inputs, uint32_t n, char *text, size_t size)
{
    size_t len = 0;
    bool full = false;
    *text = '\0';
    for (uint32_t i = 0, end; i < n && !full; i = end) {
        for (end = i; end < n && inputs[end].truncated;)
            end++;
        char run[32];
        int run_len = end - i > 1 ? snprintf(run, sizeof run, "%s%u-%u", len ? "," : "", i, end - 1)
                                  : snprintf(run, sizeof run, "%s%u", len ? "," : "", i);
        bool any = end > i;
        end += !any;
        if (!any)
            continue;
        full = len + (size_t)run_len + sizeof ",..." > size;
        len += (size_t)snprintf(text + len, size - len, "%s", full ? len ? ",..." : "..." : run);
    }
}
