/* SPDX-License-Identifier: PostgreSQL */

/*
 * Encrypted files, from a pipe and at any place; both must say the same.  The
 * first byte says what the rest is: a file, or changes to one that is right.
 * Whatever is changed, what is read then is what was written, or nothing.
 */

#include "formats/age/age.h"
#include "tests/fuzz/fuzz.h"

enum { PLAIN_LEN = 2 * AGE_PIECE + 1000, FILE_MAX = 4 * AGE_PIECE };

static struct age_identities *identities;
static uint8_t plain[PLAIN_LEN];
static uint8_t original[FILE_MAX], file[FILE_MAX], found[FILE_MAX];
static size_t original_len;

static int
reserve(void *to, size_t min, unsigned char **room, struct err *err)
{
    (void)to, (void)err;
    fuzz_assert(min <= sizeof original - original_len);
    *room = original + original_len;
    return 0;
}

static int
advance(void *to, size_t n, struct err *err)
{
    (void)to, (void)err;
    original_len += n;
    return 0;
}

static void
write_original(void)
{
    cleanup_(age_recipients_freep) struct age_recipients *r = NULL;
    cleanup_(age_encoder_freep) struct age_encoder *e = NULL;
    const struct bytes_out out = {NULL, reserve, advance};
    struct err err;

    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 31 >> 3);
    fuzz_assert(age_identities_new(&identities, &err) == 0);
    fuzz_assert(age_recipients_new(&r, &err) == 0);
    fuzz_assert(age_identities_generate(identities, r, &err) == 0);
    fuzz_assert(age_encoder_new(&e, &err) == 0);
    fuzz_assert(age_encoder_begin(e, r, &out, &err) == 0);
    fuzz_assert(
        bytes_out_append(age_encoder_out(e), plain, sizeof plain, &err) == 0);
    fuzz_assert(age_encoder_end(e, &err) == 0);
}

/* Each of six bytes: what, where (two, of the length), whence or how much. */
static size_t
change(const uint8_t *data, size_t len)
{
    size_t n = original_len;

    memcpy(file, original, n);
    for (; len >= 6 && n > 0; data += 6, len -= 6) {
        size_t at = (size_t)(data[1] << 8 | data[2]) * n >> 16;
        size_t from = (size_t)(data[3] << 8 | data[4]) * n >> 16;
        size_t some = n - (at > from ? at : from);

        some = some < (size_t)data[5] << 8 ? some : (size_t)data[5] << 8;
        if (data[0] % 4 == 0)
            file[at] = data[5];
        else if (data[0] % 4 == 1)
            memmove(file + at, file + from, some);
        else if (data[0] % 4 == 2)
            n = at;
        else
            n -= n > data[5] ? data[5] : 0;
    }
    return n;
}

static int
read_view(size_t len, size_t *ret_len)
{
    cleanup_(age_view_freep) struct age_view *v = NULL;
    struct fuzz_memory m = {file, len};
    struct bytes_in in = fuzz_bytes_in(&m);
    const struct bytes_in *p;
    struct err err;
    int r;

    fuzz_assert(age_view_new(&v, &err) == 0);
    r = fuzz_outcome(age_view_begin(v, &in, identities, &err), &err);
    if (r)
        return r;
    p = age_view_in(v);
    fuzz_assert(p->len <= len);
    *ret_len = (size_t)p->len;
    for (size_t at = 0, n; at < p->len && !r; at += n) {
        n = p->len - at < 50000 ? (size_t)p->len - at : 50000;
        r = fuzz_outcome(p->read_at(p->from, at, found + at, n, &err), &err);
    }
    return r;
}

/* All of it fed at once. */
static int
read_stream(size_t len, size_t *ret_len)
{
    cleanup_(age_decoder_freep) struct age_decoder *d = NULL;
    const unsigned char *data;
    struct err err;
    size_t n;
    int r;

    *ret_len = 0;
    fuzz_assert(age_decoder_new(&d, &err) == 0);
    fuzz_assert(age_decoder_begin(d, identities, "fuzzed", &err) == 0);
    age_decoder_feed(d, file, len);
    do {
        while ((r = age_decoder_next(d, &data, &n, &err)) == 0) {
            fuzz_assert(n > 0 && n <= AGE_PIECE);
            *ret_len += n;
        }
        if (r == AGE_DECODER_E_MORE)
            age_decoder_finish(d);
    } while (r == AGE_DECODER_E_MORE);
    return fuzz_outcome(r, &err) == AGE_DECODER_E_END ? 0 : r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t viewed = 0, streamed = 0;
    int r, changes;

    if (!identities)
        write_original();
    if (len < 1)
        return 0;
    changes = data[0] & 1;
    if (changes)
        len = change(data + 1, len - 1);
    else
        memcpy(file, data + 1, --len);
    r = read_stream(len, &streamed);
    fuzz_assert((read_view(len, &viewed) == 0) == (r == 0));
    if (r)
        return 0;
    fuzz_assert(viewed == streamed);
    if (changes)
        fuzz_assert(viewed == sizeof plain &&
                    memcmp(found, plain, sizeof plain) == 0);
    return 0;
}
