/* The container's parser, on bytes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "server/model/safetensors.h"

/* Header size (or `claimed`, where not 0), header, `data_size` zero bytes. */
static enum status parse(const char *header, size_t header_len, uint64_t claimed, size_t data_size,
                         struct model_safetensors **ret, struct buf *file, struct error *err)
{
    uint64_t size = claimed ? claimed : header_len;
    *file = (struct buf){0};
    buf_append(file, &size, sizeof size);
    buf_append(file, header, header_len);
    memset(buf_reserve(file, data_size + 1), 0, data_size);
    file->len += data_size;
    return model_safetensors_parse(ret, (const unsigned char *)file->data, file->len, err);
}

struct hostile {
    const char *header;
    size_t data_size;
    enum status status;
    const char *message; /* must occur */
};

#define T(name, dtype, shape, offsets)                                                                                 \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct hostile hostiles[] = {
    /* Not this JSON. */
    {"", 0, STATUS_FORMAT, "byte 8: expected '{'"},
    {"[]", 0, STATUS_FORMAT, "expected '{'"},
    {"{", 0, STATUS_FORMAT, "byte 9: expected a tensor's name"},
    {"{} x", 0, STATUS_FORMAT, "expected the header's end"},
    {"{" T("a", "U8", "[1]", "[0,1]"), 1, STATUS_FORMAT, "expected ',' or '}'"},
    {"{" T("a", "U8", "[1]", "[0,1]") ",}", 1, STATUS_FORMAT, "expected a tensor's name"},
    {"{\"a\" 1}", 0, STATUS_FORMAT, "expected a tensor's name"},
    {"{\"a\n\":{}}", 0, STATUS_FORMAT, "expected a tensor's name"},
    {"{\"a", 0, STATUS_FORMAT, "expected a tensor's name"},
    {"{\"\\x\":{}}", 0, STATUS_FORMAT, "expected a tensor's name"},
    {"{\"\\u12g4\":{}}", 0, STATUS_FORMAT, "expected a tensor's name"},
    {"{\"a\xff\":{}}", 0, STATUS_FORMAT, "not UTF-8"},
    {"{\"a\xc0\x80\":{}}", 0, STATUS_FORMAT, "not UTF-8"},
    {"{\"a\xed\xa0\x80\":{}}", 0, STATUS_FORMAT, "not UTF-8"},
    {"{\"a\xf5\x80\x80\x80\":{}}", 0, STATUS_FORMAT, "not UTF-8"},
    {"{\"a\xe2\x82", 0, STATUS_FORMAT, "not UTF-8"},
    {"{\"__metadata__\":1}", 0, STATUS_FORMAT, "__metadata__"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, STATUS_FORMAT, "__metadata__"},
    {"{\"__metadata__\":{\"a\":\"b\"", 0, STATUS_FORMAT, "'}' after __metadata__"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, STATUS_FORMAT, "__metadata__ is there twice"},
    /* Not these fields. */
    {"{\"w.a\":1}", 0, STATUS_FORMAT, "tensor w.a: not an object"},
    {"{\"w.a\":{}}", 0, STATUS_FORMAT, "tensor w.a: not an object"},
    {"{\"w.a\":[[[[[[", 0, STATUS_FORMAT, "tensor w.a: not an object"},
    {"{\"w.a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, STATUS_FORMAT, "tensor w.a: data_offsets is missing"},
    {"{\"w.a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, STATUS_FORMAT, "tensor w.a: shape is missing"},
    {"{\"w.a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, STATUS_FORMAT, "tensor w.a: dtype is missing"},
    {"{\"w.a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 1, STATUS_FORMAT, "tensor w.a: dtype is there twice"},
    {"{\"w.a\":{\"dtype\":\"U8\",\"more\":1}}", 1, STATUS_FORMAT, "tensor w.a: has a field besides"},
    {"{\"w.a\":{\"dtype\":8}}", 1, STATUS_FORMAT, "tensor w.a: dtype is not a string"},
    {"{" T("w.a", "a dtype of many letters", "[1]", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: dtype is not one"},
    {"{" T("w\\u002ea", "U8", "[1]", "[0,1]") "}", 1, STATUS_UNSUPPORTED, "a name with escapes"},
    /* Numbers. */
    {"{" T("w.a", "U8", "1", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: shape is not an array"},
    {"{" T("w.a", "U8", "[-1]", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: shape holds something else"},
    {"{" T("w.a", "U8", "[01]", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: shape holds something else"},
    {"{" T("w.a", "U8", "[1.0]", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: shape does not end"},
    {"{" T("w.a", "U8", "[1e3]", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: shape does not end"},
    {"{" T("w.a", "U8", "[18446744073709551616]", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: shape holds"},
    {"{" T("w.a", "U8", "[[1]]", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: shape holds something else"},
    {"{" T("w.a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: shape has more than 8"},
    {"{" T("w.a", "U8", "[1]", "[0]") "}", 1, STATUS_FORMAT, "tensor w.a: data_offsets is not"},
    {"{" T("w.a", "U8", "[1]", "[0,1,2]") "}", 1, STATUS_FORMAT, "tensor w.a: data_offsets is not"},
    {"{" T("w.a", "U8", "[1]", "[0,99999999999999999999]") "}", 1, STATUS_FORMAT, "tensor w.a: data_offsets is not"},
    {"{" T("w.a", "U8", "[1]", "[1,0]") "}", 1, STATUS_FORMAT, "tensor w.a: data_offsets [1, 0]"},
    {"{" T("w.a", "U8", "[2]", "[0,2]") "}", 1, STATUS_FORMAT, "tensor w.a: data_offsets [0, 2] lie outside"},
    {"{" T("w.a", "U8", "[18446744073709551615]", "[0,18446744073709551615]") "}", 1, STATUS_FORMAT, "lie outside"},
    /* Products. */
    {"{" T("w.a", "F32", "[1]", "[0,1]") "}", 1, STATUS_FORMAT, "tensor w.a: data_offsets span 1 bytes"},
    {"{" T("w.a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0, STATUS_FORMAT, "tensor w.a: shape has more than"},
    {"{" T("w.a", "F32", "[4611686018427387904]", "[0,0]") "}", 0, STATUS_FORMAT, "tensor w.a: shape has more than"},
    {"{" T("w.a", "U8", "[]", "[0,0]") "}", 0, STATUS_FORMAT, "tensor w.a: data_offsets span 0 bytes"},
    /* Places. */
    {"{" T("w.a", "U8", "[2]", "[0,2]") "," T("w.b", "U8", "[2]", "[1,3]") "}", 3, STATUS_FORMAT, "tensor w.b: data"},
    {"{" T("w.a", "U8", "[1]", "[0,1]") "," T("w.b", "U8", "[1]", "[2,3]") "}", 3, STATUS_FORMAT, "tensor w.b: data"},
    {"{" T("w.a", "U8", "[1]", "[1,2]") "}", 2, STATUS_FORMAT, "tensor w.a: data begin at byte 1, a gap"},
    {"{" T("w.a", "U8", "[1]", "[0,1]") "," T("w.b", "U8", "[1]", "[0,1]") "}", 1, STATUS_FORMAT, "an overlap"},
    {"{" T("w.a", "U8", "[1]", "[0,1]") "}", 2, STATUS_FORMAT, "2 bytes of data, of which the tensors cover 1"},
    {"{}", 1, STATUS_FORMAT, "1 bytes of data, of which the tensors cover 0"},
    {"{" T("w.a", "U8", "[1]", "[0,1]") "," T("w.a", "U8", "[1]", "[1,2]") "}", 2, STATUS_FORMAT,
     "tensor w.a: is there twice"},
};

Test(safetensors, hostile_headers_are_named)
{
    for (size_t i = 0; i < sizeof hostiles / sizeof *hostiles; i++) {
        const struct hostile *hostile = &hostiles[i];
        struct model_safetensors *tensors = NULL;
        struct error err = {0};
        struct buf file;
        enum status status =
            parse(hostile->header, strlen(hostile->header), 0, hostile->data_size, &tensors, &file, &err);
        cr_expect_eq(status, hostile->status, "%s: %s: %s", hostile->header, status_name(status), err.message);
        cr_expect(strstr(err.message, hostile->message), "%s: \"%s\"", hostile->header, err.message);
        cr_expect_null(tensors);
        buf_finish(&file);
    }
}

Test(safetensors, every_prefix_of_a_file_is_refused)
{
    static const char header[] = "{" T("w.a", "F16", "[2,1]", "[0,4]") ",\"__metadata__\":{\"k\":\"\\u00e9\"}}";
    struct model_safetensors *tensors = NULL;
    struct error err;
    struct buf file;
    cr_assert_eq(parse(header, strlen(header), 0, 4, &tensors, &file, &err), STATUS_OK, "%s", err.message);
    model_safetensors_destroy(&tensors);
    for (size_t size = 0; size < file.len; size++) {
        unsigned char *cut = memcpy(mem_alloc(size), file.data, size); /* so that reading past it is seen */
        cr_assert_eq(model_safetensors_parse(&tensors, cut, size, &err), STATUS_FORMAT, "%zu bytes", size);
        mem_free(cut);
    }
    buf_finish(&file);
}

Test(safetensors, header_sizes)
{
    static const struct {
        uint64_t claimed;
        const char *message;
    } cases[] = {
        {UINT64_MAX, "the limit is"},
        {UINT64_C(4) << 30, "the limit is"},
        {MODEL_MAX_HEADER + 1, "the limit is"},
        {MODEL_MAX_HEADER, "truncated"},
        {3, "truncated"},
        {1, "expected a tensor's name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_safetensors *tensors = NULL;
        struct error err;
        struct buf file;
        cr_assert_eq(parse("{}", 2, cases[i].claimed, 0, &tensors, &file, &err), STATUS_FORMAT);
        cr_expect(strstr(err.message, cases[i].message), "%s", err.message);
        buf_finish(&file);
    }
}

Test(safetensors, long_names_are_refused)
{
    char header[512];
    for (int len = MODEL_MAX_NAME; len <= MODEL_MAX_NAME + 1; len++) {
        struct model_safetensors *tensors = NULL;
        struct error err;
        struct buf file;
        int n = snprintf(header, sizeof header, "{\"%0*d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
                         len, 0);
        enum status status = parse(header, (size_t)n, 0, 0, &tensors, &file, &err);
        cr_expect_eq(status, len == MODEL_MAX_NAME ? STATUS_OK : STATUS_FORMAT, "%d: %s", len, err.message);
        model_safetensors_destroy(&tensors);
        buf_finish(&file);
    }
}

Test(safetensors, a_nul_in_a_name_is_no_end)
{
    static const char header[] = "{\"a\0b\":{}}";
    struct model_safetensors *tensors;
    struct error err;
    struct buf file;
    cr_assert_eq(parse(header, sizeof header - 1, 0, 0, &tensors, &file, &err), STATUS_FORMAT);
    buf_finish(&file);
}

Test(safetensors, finds_what_is_there)
{
    static const char header[] =
        " { " T("b", "F32", "[2, 3]", "[4, 28]") " , " T("bb", "I64", "[0,5]", "[28,28]") "," T(
            "a", "BF16", "[2]", "[ 0 , 4 ]") "," T("", "F64", "[]", "[28,36]") " }  \n";
    struct model_safetensors *tensors;
    struct error err;
    struct buf file;
    cr_assert_eq(parse(header, strlen(header), 0, 36, &tensors, &file, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(model_safetensors_count(tensors), 4);
    const struct model_tensor *b = model_safetensors_find(tensors, "b");
    cr_assert(b && b->dtype == MODEL_DTYPE_F32 && b->rank == 2 && b->shape[0] == 2 && b->shape[1] == 3);
    cr_assert_eq(b->size, 24);
    cr_assert_eq((const char *)b->data, file.data + 8 + strlen(header) + 4);
    const struct model_tensor *empty = model_safetensors_find(tensors, "bb");
    cr_assert(empty && empty->size == 0 && empty->dtype == MODEL_DTYPE_I64);
    const struct model_tensor *scalar = model_safetensors_find(tensors, "");
    cr_assert(scalar && scalar->rank == 0 && scalar->size == 8);
    cr_assert_str_eq(model_dtype_name(model_safetensors_find(tensors, "a")->dtype), "BF16");
    cr_assert_null(model_safetensors_find(tensors, "c"));
    cr_assert_null(model_safetensors_find(tensors, "bbb"));
    model_safetensors_destroy(&tensors);
    cr_assert_null(tensors);
    model_safetensors_destroy(&tensors);
    buf_finish(&file);
}

Test(safetensors, each_allocation_may_fail)
{
    struct buf header = {0}, file;
    buf_puts(&header, "{");
    for (int i = 0; i < 200; i++)
        buf_printf(&header, "%s\"%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i ? "," : "", i, i,
                   i + 1);
    buf_puts(&header, "}");
    struct model_safetensors *tensors = NULL;
    struct error err;
    cr_assert_eq(parse(header.data, header.len, 0, 200, &tensors, &file, &err), STATUS_OK, "%s", err.message);
    model_safetensors_destroy(&tensors);
    long n = 0;
    for (;; n++) {
        mem_fail_after(n);
        enum status status = model_safetensors_parse(&tensors, (const unsigned char *)file.data, file.len, &err);
        mem_fail_after(-1);
        if (status == STATUS_OK)
            break;
        cr_assert_eq(status, STATUS_NO_MEMORY);
        cr_assert_null(tensors);
    }
    cr_assert_geq(n, 3);
    model_safetensors_destroy(&tensors);
    buf_finish(&header);
    buf_finish(&file);
}
