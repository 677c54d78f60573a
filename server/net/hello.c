#include "server/net/hello.h"

#include <gnutls/gnutls.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

enum { RECORD_HEAD = 5, HANDSHAKE_HEAD = 4, RECORD_HANDSHAKE = 22, CLIENT_HELLO = 1, EXTENSION_ALPN = 16 };

static size_t two_bytes(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

/* RFC 7301: a list, two bytes of length before it, of names, a byte of length before each. */
static int on_extension(void *cookie, unsigned id, const unsigned char *data, unsigned len)
{
    bool *found = cookie;
    if (id != EXTENSION_ALPN || len < 2)
        return 0;
    size_t end = 2 + two_bytes(data);
    if (end > len)
        return 0;
    for (size_t at = 2; at < end; at += 1 + (size_t)data[at]) {
        if (end - at >= 3 && data[at] == 2 && memcmp(data + at + 1, "h2", 2) == 0)
            *found = true;
    }
    return 0;
}

static bool offers_h2(const unsigned char *hello, size_t len)
{
    bool found = false;
    const gnutls_datum_t data = {(unsigned char *)hello, (unsigned)len};
    return gnutls_ext_raw_parse(&found, on_extension, &data, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO) >= 0 && found;
}

/* Joins the records' contents, as far as they came, in `joined`. */
static enum net_hello read_tls(const unsigned char *bytes, size_t len)
{
    unsigned char joined[NET_HELLO_MOST];
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        if (bytes[at] != RECORD_HANDSHAKE)
            return NET_HELLO_NEITHER;
        if (len - at < RECORD_HEAD)
            break;
        size_t size = two_bytes(bytes + at + 3);
        size_t here = len - at - RECORD_HEAD < size ? len - at - RECORD_HEAD : size;
        if (bytes[at + 1] != 3 || size == 0)
            return NET_HELLO_NEITHER;
        memcpy(joined + n, bytes + at + RECORD_HEAD, here);
        n += here;
        at += RECORD_HEAD + here;
        if (n > 0 && joined[0] != CLIENT_HELLO)
            return NET_HELLO_NEITHER;
        if (n < HANDSHAKE_HEAD)
            continue;
        size_t whole = (size_t)joined[1] << 16 | two_bytes(joined + 2);
        if (n - HANDSHAKE_HEAD >= whole)
            return offers_h2(joined + HANDSHAKE_HEAD, whole) ? NET_HELLO_H2 : NET_HELLO_H1;
    }
    return len == NET_HELLO_MOST ? NET_HELLO_H1 : NET_HELLO_MORE;
}

enum net_hello net_hello_read(const unsigned char *bytes, size_t len, bool tls)
{
    if (tls)
        return read_tls(bytes, len);
    size_t n = len < NGHTTP2_CLIENT_MAGIC_LEN ? len : NGHTTP2_CLIENT_MAGIC_LEN;
    if (memcmp(bytes, NGHTTP2_CLIENT_MAGIC, n) != 0)
        return NET_HELLO_H1;
    return n == NGHTTP2_CLIENT_MAGIC_LEN ? NET_HELLO_H2 : NET_HELLO_MORE;
}
