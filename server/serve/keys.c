#include "server/serve/keys.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

static const char default_name[] = "default", hashed[] = "sha256:";

enum { HEX_DIGITS = 64, MAX_NUMBER = 20 };

/* A word of a line, not NUL-terminated. */
struct word {
    const char *text;
    size_t len;
};

bool serve_digest(struct serve_digest *ret, const void *text, size_t len)
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, text, len, ret->words) == 0;
}

static struct word next_word(struct word *line)
{
    while (line->len > 0 && (*line->text == ' ' || *line->text == '\t'))
        line->text++, line->len--;
    struct word word = {line->text, 0};
    while (word.len < line->len && word.text[word.len] != ' ' && word.text[word.len] != '\t')
        word.len++;
    line->text += word.len;
    line->len -= word.len;
    return word;
}

static enum status read_name(struct serve_key *key, struct word word, struct error *err)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = 0;
    while (n < word.len && word.text[n] && strchr(plain, word.text[n]))
        n++;
    if (n == 0 || n < word.len || n >= SERVE_NAME_SIZE)
        return error_set(err, STATUS_USAGE, "line %u: a name has 1 to %d letters, digits, dots, dashes, underscores",
                         key->line, SERVE_NAME_SIZE - 1);
    memcpy(key->name, word.text, n);
    if (strcmp(key->name, default_name) == 0)
        return error_set(err, STATUS_USAGE, "line %u: the name %s is that of --api-key", key->line, default_name);
    return STATUS_OK;
}

static enum status read_digest(struct serve_key *key, struct word hex, struct error *err)
{
    unsigned char *bytes = (unsigned char *)key->digest.words;
    bool fine = hex.len == HEX_DIGITS;
    for (size_t i = 0; fine && i < HEX_DIGITS; i += 2) {
        int high = base_hex_digit(hex.text[i]), low = base_hex_digit(hex.text[i + 1]);
        fine = high >= 0 && low >= 0;
        if (fine)
            bytes[i / 2] = (unsigned char)(high << 4 | low);
    }
    if (fine)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE, "line %u: behind %s stand the %d hexadecimal digits of the key's SHA-256",
                     key->line, hashed, HEX_DIGITS);
}

static enum status read_key(struct serve_key *key, struct word word, struct error *err)
{
    size_t prefix = sizeof hashed - 1;
    if (word.len == 0)
        return error_set(err, STATUS_USAGE, "line %u: there is no key behind the name", key->line);
    if (word.len >= prefix && memcmp(word.text, hashed, prefix) == 0)
        return read_digest(key, (struct word){word.text + prefix, word.len - prefix}, err);
    for (size_t i = 0; i < word.len; i++) {
        if ((unsigned char)word.text[i] < 0x20 || word.text[i] == 0x7F)
            return error_set(err, STATUS_USAGE, "line %u: the key has a control character", key->line);
    }
    if (!serve_digest(&key->digest, word.text, word.len))
        return error_set(err, STATUS_INTERNAL, "line %u: no SHA-256 of the key could be made", key->line);
    return STATUS_OK;
}

/* Whether the word is `name`=.. ; then `ret` is what stands behind. */
static bool is_setting(struct word word, const char *name, struct word *ret)
{
    size_t len = strlen(name);
    if (word.len <= len || memcmp(word.text, name, len) != 0 || word.text[len] != '=')
        return false;
    *ret = (struct word){word.text + len + 1, word.len - len - 1};
    return true;
}

static bool parse_rate(struct word word, double *ret)
{
    char text[MAX_NUMBER + 1] = "";
    char *end = NULL;
    if (word.len == 0 || word.len > MAX_NUMBER || *ret > 0)
        return false;
    memcpy(text, word.text, word.len);
    if (strspn(text, "0123456789.") != word.len)
        return false;
    double rate = strtod(text, &end);
    if (*end || rate < 1e-3 || rate > 1e12)
        return false;
    *ret = rate;
    return true;
}

static enum status read_setting(struct serve_key *key, struct word word, struct error *err)
{
    struct word value = {0};
    bool fine = false;
    if (is_setting(word, "requests_per_second", &value))
        fine = parse_rate(value, &key->requests_per_second);
    else if (is_setting(word, "tokens_per_minute", &value))
        fine = parse_rate(value, &key->tokens_per_minute);
    else if (is_setting(word, "priority", &value))
        fine = key->bulk = !key->bulk && value.len == 4 && memcmp(value.text, "bulk", 4) == 0;
    else
        return error_set(err, STATUS_USAGE,
                         "line %u: behind name and key there may stand requests_per_second=N, tokens_per_minute=N and "
                         "priority=bulk; a key has no spaces",
                         key->line);
    if (fine)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE,
                     "line %u: a limit is a number above 0, a priority is bulk, and each stands once", key->line);
}

static bool says_anything(const struct serve_key *key)
{
    return key->requests_per_second > 0 || key->tokens_per_minute > 0 || key->bulk;
}

/* Against the keys before: none twice, and only the first of a name says its limits. */
static enum status check_key(const struct serve_keys *keys, struct serve_key *key, struct error *err)
{
    bool first = true;
    for (uint32_t i = 0; i < keys->n; i++) {
        const struct serve_key *other = &keys->items[i];
        if (memcmp(&other->digest, &key->digest, sizeof key->digest) == 0)
            return other->line
                       ? error_set(err, STATUS_USAGE, "line %u: the key is that of line %u", key->line, other->line)
                       : error_set(err, STATUS_USAGE, "line %u: the key is that of --api-key", key->line);
        if (!first || strcmp(other->name, key->name) != 0)
            continue;
        first = false;
        if (says_anything(key))
            return error_set(err, STATUS_USAGE,
                             "line %u: the limits of %s stand on its first line, %u, and hold for all its keys",
                             key->line, key->name, other->line);
        key->requests_per_second = other->requests_per_second;
        key->tokens_per_minute = other->tokens_per_minute;
        key->bulk = other->bulk;
    }
    return STATUS_OK;
}

static enum status add(struct serve_keys *keys, const struct serve_key *key, struct error *err)
{
    if (keys->n == SERVE_MAX_KEYS)
        return error_set(err, STATUS_USAGE, "line %u: there are more than %d keys", key->line, SERVE_MAX_KEYS);
    struct serve_key *items = mem_realloc(keys->items, (keys->n + 1) * sizeof *items);
    if (!items)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the API keys");
    items[keys->n++] = *key;
    keys->items = items;
    return STATUS_OK;
}

static enum status read_line(struct serve_keys *keys, struct word line, uint32_t number, struct error *err)
{
    struct serve_key key = {.line = number};
    struct word word = next_word(&line);
    if (word.len == 0 || *word.text == '#')
        return STATUS_OK;
    enum status status = read_name(&key, word, err);
    if (status == STATUS_OK)
        status = read_key(&key, next_word(&line), err);
    while (status == STATUS_OK && (word = next_word(&line)).len > 0)
        status = read_setting(&key, word, err);
    if (status == STATUS_OK)
        status = check_key(keys, &key, err);
    return status == STATUS_OK ? add(keys, &key, err) : status;
}

enum status serve_keys_read(struct serve_keys *keys, const char *data, size_t size, struct error *err)
{
    enum status status = STATUS_OK;
    uint32_t before = keys->n, number = 0;
    for (size_t begin = 0; begin < size && status == STATUS_OK;) {
        const char *end = memchr(data + begin, '\n', size - begin);
        size_t len = end ? (size_t)(end - data) - begin : size - begin;
        size_t next = begin + len + 1;
        if (len > 0 && data[begin + len - 1] == '\r')
            len--;
        status = read_line(keys, (struct word){data + begin, len}, ++number, err);
        begin = next;
    }
    if (status == STATUS_OK && keys->n == before)
        return error_set(err, STATUS_USAGE, "there is no key in it");
    return status;
}

enum status serve_keys_add_default(struct serve_keys *keys, const char *key, struct error *err)
{
    struct serve_key item = {0};
    memcpy(item.name, default_name, sizeof default_name);
    if (!serve_digest(&item.digest, key, strlen(key)))
        return error_set(err, STATUS_INTERNAL, "no SHA-256 of the key could be made");
    return add(keys, &item, err);
}
