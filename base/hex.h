/* Hexadecimal digits, and bytes of URLs that are written with them. */
#ifndef BERTD_BASE_HEX_H
#define BERTD_BASE_HEX_H

#include <stddef.h>

/** 0 to 15, of a digit in any case; -1: it is none. */
static inline int base_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/** 0 to 255, where `text` [len] begins with %XX; else -1. */
static inline int base_hex_escape(const char *text, size_t len)
{
    if (len < 3 || text[0] != '%' || base_hex_digit(text[1]) < 0 || base_hex_digit(text[2]) < 0)
        return -1;
    return base_hex_digit(text[1]) << 4 | base_hex_digit(text[2]);
}

#endif
