/* SPDX-License-Identifier: PostgreSQL */

/* What is written is read by "age", and what "age" writes is read; and no bit
   of a file can be changed without a word. */

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/age/age.h"
#include "formats/age/base64.h"
#include "formats/age/bech32.h"
#include "tests/memory.h"
#include "tests/scratch.h"

TestSuite(age, .init = scratch_begin, .fini = scratch_end);

enum { LARGE = 5 * 1000 * 1000 + 7, SEALED = AGE_PIECE + AGE_TAG };

static const size_t lengths[] = {
    0, 1, AGE_PIECE - 1, AGE_PIECE, AGE_PIECE + 1, 3 * AGE_PIECE, LARGE};

#define EACH_LENGTH(n)                                                         \
    for (const size_t *n = lengths;                                            \
         n < lengths + sizeof lengths / sizeof *lengths; n++)

/* ---- helpers ---- */

static unsigned char *
content_of(size_t len)
{
    unsigned char *data = malloc(len + 1);
    uint32_t noise = 1;

    for (size_t i = 0; i < len; i++) {
        noise = noise * 1664525 + 1013904223;
        data[i] = (unsigned char)(noise >> 24);
    }
    return data;
}

/* A pair of this process. */
struct pair {
    struct age_recipients *to;
    struct age_identities *with;
};

static struct pair
make_pair(void)
{
    struct pair p;
    struct err err;

    cr_assert_eq(age_recipients_new(&p.to, &err), 0);
    cr_assert_eq(age_identities_new(&p.with, &err), 0);
    return p;
}

static struct pair
generate(void)
{
    struct pair p = make_pair();
    struct err err;

    cr_assert_eq(age_identities_generate(p.with, p.to, &err), 0);
    return p;
}

static struct pair
passphrase(const char *text, unsigned work)
{
    struct pair p = make_pair();
    struct err err;

    cr_assert_eq(
        age_recipients_passphrase(p.to, text, strlen(text), work, &err), 0);
    cr_assert_eq(
        age_identities_passphrase(p.with, text, strlen(text), "here", &err), 0);
    return p;
}

static void
free_pair(struct pair *p)
{
    p->to = age_recipients_free(p->to);
    p->with = age_identities_free(p->with);
}

/* Fed in pieces of at most step bytes. */
static void
encrypt(struct memory *m, const struct age_recipients *to, const void *data,
        size_t len, size_t step)
{
    cleanup_(age_encoder_freep) struct age_encoder *e = NULL;
    struct bytes_out out = memory_out(m);
    struct err err;

    cr_assert_eq(age_encoder_new(&e, &err), 0);
    cr_assert_eq(age_encoder_begin(e, to, &out, &err), 0, "%s", err.message);
    for (size_t at = 0; at < len; at += step)
        cr_assert_eq(bytes_out_append(age_encoder_out(e),
                                      (const char *)data + at,
                                      len - at < step ? len - at : step, &err),
                     0);
    cr_assert_eq(age_encoder_end(e, &err), 0);
}

/* By the view; 0, and ret is all of it, or <0. */
static int
view(struct memory *ret, struct memory *m, const struct age_identities *with,
     struct err *err)
{
    cleanup_(age_view_freep) struct age_view *v = NULL;
    struct bytes_in in = memory_in(m, "file");
    const struct bytes_in *plain;
    int r;

    cr_assert_eq(age_view_new(&v, err), 0);
    r = age_view_begin(v, &in, with, err);
    if (r)
        return r;
    plain = age_view_in(v);
    ret->len = plain->len;
    ret->data = malloc(plain->len + 1);
    r = plain->read_at(plain->from, 0, ret->data, plain->len, err);
    return r;
}

static int
pull(struct memory *ret, struct age_decoder *d, struct err *err)
{
    const unsigned char *data;
    size_t len;
    int r;

    while ((r = age_decoder_next(d, &data, &len, err)) == 0) {
        ret->data = realloc(ret->data, ret->len + len + 1);
        memcpy(ret->data + ret->len, data, len);
        ret->len += len;
    }
    return r;
}

/* As from a pipe that gives at most step bytes. */
static int
stream(struct memory *ret, struct memory *m, const struct age_identities *with,
       size_t step, struct err *err)
{
    cleanup_(age_decoder_freep) struct age_decoder *d = NULL;
    int r = AGE_DECODER_E_MORE;

    cr_assert_eq(age_decoder_new(&d, err), 0);
    cr_assert_eq(age_decoder_begin(d, with, "file", err), 0);
    for (size_t at = 0; at < m->len && r == AGE_DECODER_E_MORE; at += step) {
        age_decoder_feed(d, m->data + at,
                         m->len - at < step ? m->len - at : step);
        r = pull(ret, d, err);
    }
    if (r != AGE_DECODER_E_MORE)
        return r;
    age_decoder_finish(d);
    r = pull(ret, d, err);
    cr_assert_neq(r, AGE_DECODER_E_MORE);
    return r == AGE_DECODER_E_END ? 0 : r;
}

static void
assert_opens(struct memory *m, const struct age_identities *with,
             const void *data, size_t len)
{
    static const size_t steps[] = {1 << 20, SEALED, 1000};
    struct err err;

    for (unsigned i = 0; i < 3; i++) {
        struct memory found = {0};

        cr_assert_eq(stream(&found, m, with, steps[i], &err), 0, "%s %s",
                     err.message, err.detail);
        cr_assert_eq(found.len, len);
        cr_assert(len == 0 || memcmp(found.data, data, len) == 0);
        memory_free(&found);
    }
    struct memory found = {0};

    cr_assert_eq(view(&found, m, with, &err), 0, "%s %s", err.message,
                 err.detail);
    cr_assert_eq(found.len, len);
    cr_assert(len == 0 || memcmp(found.data, data, len) == 0);
    memory_free(&found);
}

/* Neither way reads it, and both say the same; *ret is the view's error. */
static void
assert_fails_somehow(struct memory *m, const struct age_identities *with,
                     struct err *ret)
{
    struct memory found = {0};
    struct err streamed;

    cr_assert_lt(stream(&found, m, with, 1 << 20, &streamed), 0);
    memory_free(&found);
    cr_assert_lt(view(&found, m, with, ret), 0);
    memory_free(&found);
    cr_assert_eq(ret->class, streamed.class, "%s %s", ret->message,
                 streamed.message);
}

static void
assert_fails(struct memory *m, const struct age_identities *with,
             enum err_class class, struct err *ret)
{
    assert_fails_somehow(m, with, ret);
    cr_assert_eq(ret->class, class, "%s", ret->message);
}

static size_t
header_len(const struct memory *m)
{
    const char *mac = memmem(m->data, m->len, "\n--- ", 5);

    return (size_t)((unsigned char *)memchr(mac + 1, '\n', 64) - m->data) + 1;
}

/* ---- the tool ---- */

static int
shell(const char *command)
{
    char line[1000];

    snprintf(line, sizeof line, "cd %s && { %s; } 2>said", scratch_path,
             command);
    return system(line);
}

static void
read_file(struct memory *ret, const char *name)
{
    struct stat st;
    int fd = openat(scratch_fd, name, O_RDONLY);

    cr_assert_geq(fd, 0, "%s", name);
    cr_assert_eq(fstat(fd, &st), 0);
    ret->len = (size_t)st.st_size;
    ret->data = malloc(ret->len + 1);
    cr_assert_eq(read(fd, ret->data, ret->len), st.st_size);
    ret->data[ret->len] = '\0';
    close(fd);
}

/* Both of what "age-keygen" makes. */
static struct pair
keygen(const char *name)
{
    struct pair p = make_pair();
    struct memory text = {0};
    char command[200];
    struct err err;

    snprintf(command, sizeof command,
             "age-keygen -o %s && age-keygen -y %s >%s.pub", name, name, name);
    cr_assert_eq(shell(command), 0);
    read_file(&text, name);
    cr_assert_eq(age_identities_add_file(p.with, (char *)text.data, text.len,
                                         name, &err),
                 0, "%s", err.message);
    memory_free(&text);
    snprintf(command, sizeof command, "%s.pub", name);
    read_file(&text, command);
    cr_assert_eq(
        age_recipients_add_file(p.to, (char *)text.data, text.len, name, &err),
        0, "%s", err.message);
    memory_free(&text);
    return p;
}

Test(age, the_tool_reads_what_is_written)
{
    struct pair p = keygen("key");

    EACH_LENGTH(n)
    {
        unsigned char *data = content_of(*n);
        struct memory m = {0};

        encrypt(&m, p.to, data, *n, 100000);
        scratch_put("plain", data, *n);
        scratch_put("sealed", m.data, m.len);
        cr_assert_eq(shell("age -d -i key sealed >opened && cmp opened plain"),
                     0);
        memory_free(&m);
        free(data);
    }
    free_pair(&p);
}

Test(age, what_the_tool_writes_is_read)
{
    struct pair p = keygen("key");

    EACH_LENGTH(n)
    {
        unsigned char *data = content_of(*n);
        struct memory m = {0};

        scratch_put("plain", data, *n);
        cr_assert_eq(shell("age -R key.pub -o sealed plain"), 0);
        read_file(&m, "sealed");
        assert_opens(&m, p.with, data, *n);
        memory_free(&m);
        free(data);
    }
    free_pair(&p);
}

Test(age, each_of_several_recipients_reads_it)
{
    struct pair a = keygen("a"), b = keygen("b"), stranger = keygen("c");
    struct memory m = {0}, theirs = {0};
    struct err err;
    char *text = age_recipients_text(b.to);

    cr_assert_eq(age_recipients_add(a.to, text, &err), 0);
    encrypt(&m, a.to, "secret", 6, 6);
    scratch_put("sealed", m.data, m.len);
    cr_assert_eq(shell("test $(age -d -i a sealed) = secret"), 0);
    cr_assert_eq(shell("test $(age -d -i b sealed) = secret"), 0);
    assert_opens(&m, a.with, "secret", 6);
    assert_opens(&m, b.with, "secret", 6);
    assert_fails(&m, stranger.with, ERR_REFUSED, &err);
    cr_assert_str_eq(err.message, "\"file\" is encrypted to other keys");
    cr_assert_str_eq(err.detail, "What was tried is of c.");

    cr_assert_eq(
        shell("printf secret | age -R a.pub -R b.pub -R c.pub >theirs"), 0);
    read_file(&theirs, "theirs");
    assert_opens(&theirs, stranger.with, "secret", 6);
    assert_opens(&theirs, b.with, "secret", 6);
    free(text);
    free_pair(&a);
    free_pair(&b);
    free_pair(&stranger);
}

/* age asks for it at the terminal; script gives it one. */
static int
ask(const char *command, unsigned times)
{
    char line[600];

    snprintf(line, sizeof line,
             "for i in $(seq %u); do sleep 0.5; echo 'correct horse'; done |"
             " script -qec '%s' /dev/null >asked",
             times, command);
    return shell(line);
}

Test(age, a_passphrase_is_the_same_for_both)
{
    struct pair p = passphrase("correct horse", 12);
    unsigned char *data = content_of(100000);
    struct memory m = {0}, theirs = {0}, found = {0};
    struct err err;

    scratch_put("plain", data, 100000);
    encrypt(&m, p.to, data, 100000, 100000);
    scratch_put("sealed", m.data, m.len);
    cr_assert_eq(ask("age -d -o opened sealed", 1), 0);
    cr_assert_eq(shell("cmp opened plain"), 0);
    cr_assert_eq(ask("age -p -o theirs plain", 2), 0);
    read_file(&theirs, "theirs");
    /* Once: age asks for a second of work. */
    cr_assert_eq(view(&found, &theirs, p.with, &err), 0);
    cr_assert_eq(found.len, 100000);
    cr_assert_eq(memcmp(found.data, data, 100000), 0);
    memory_free(&found);
    memory_free(&m);
    memory_free(&theirs);
    free(data);
    free_pair(&p);
}

/* ---- reading at any place ---- */

Test(age, a_view_reads_the_pieces_that_are_asked_for)
{
    cleanup_(age_view_freep) struct age_view *v = NULL;
    unsigned char *data = content_of(LARGE), got[200];
    struct pair p = generate();
    struct memory m = {0};
    struct bytes_in in;
    struct err err;

    encrypt(&m, p.to, data, LARGE, LARGE);
    in = memory_in(&m, "file");
    cr_assert_eq(age_view_new(&v, &err), 0);
    cr_assert_eq(age_view_begin(v, &in, p.with, &err), 0);
    cr_assert_eq(age_view_in(v)->len, LARGE);
    for (uint64_t at = 0; at + sizeof got <= LARGE; at += 1234567) {
        uint64_t before = m.n_read;

        cr_assert_eq(age_view_in(v)->read_at(age_view_in(v)->from, at, got,
                                             sizeof got, &err),
                     0);
        cr_assert_eq(memcmp(got, data + at, sizeof got), 0);
        cr_assert_leq(m.n_read - before, 2 * SEALED);
    }
    cr_assert_lt(
        age_view_in(v)->read_at(age_view_in(v)->from, LARGE - 1, got, 2, &err),
        0);
    cr_assert_eq(err.class, ERR_CORRUPT);
    memory_free(&m);
    free(data);
    free_pair(&p);
}

Test(age, a_view_is_read_once_when_it_is_read_in_order)
{
    cleanup_(age_view_freep) struct age_view *v = NULL;
    unsigned char *data = content_of(LARGE), *got = malloc(LARGE);
    struct pair p = generate();
    struct memory m = {0};
    struct bytes_in in;
    struct err err;

    encrypt(&m, p.to, data, LARGE, 77777);
    in = memory_in(&m, "file");
    cr_assert_eq(age_view_new(&v, &err), 0);
    cr_assert_eq(age_view_begin(v, &in, p.with, &err), 0);
    m.n_read = 0;
    for (size_t at = 0, n; at < LARGE; at += n) {
        n = at % 2 ? 15 : 100000;
        n = LARGE - at < n ? LARGE - at : n;
        cr_assert_eq(age_view_in(v)->read_at(age_view_in(v)->from, at, got + at,
                                             n, &err),
                     0);
    }
    cr_assert_eq(memcmp(got, data, LARGE), 0);
    cr_assert_leq(m.n_read, m.len);
    memory_free(&m);
    free(data);
    free(got);
    free_pair(&p);
}

/* ---- damage ---- */

Test(age, no_byte_can_be_changed)
{
    enum { LEN = 2 * AGE_PIECE + 100 };
    unsigned char *data = content_of(LEN);
    struct pair p = generate();
    struct memory m = {0};
    struct err err;
    size_t header;

    encrypt(&m, p.to, data, LEN, LEN);
    header = header_len(&m);
    /* All of the header and the nonce, and some of each piece. */
    for (size_t at = 0; at < m.len; at += at < header + 40 ? 1 : 4099) {
        m.data[at] ^= 1;
        assert_fails_somehow(&m, p.with, &err);
        /* A stanza that becomes another's is nobody's. */
        cr_assert(err.class == ERR_CORRUPT ||
                  (err.class == ERR_REFUSED && at < header));
        m.data[at] ^= 1;
    }
    for (size_t at = m.len - AGE_TAG; at < m.len; at++) {
        m.data[at] ^= 0x80;
        assert_fails(&m, p.with, ERR_CORRUPT, &err);
        m.data[at] ^= 0x80;
    }
    assert_opens(&m, p.with, data, LEN);
    memory_free(&m);
    free(data);
    free_pair(&p);
}

Test(age, a_file_that_was_cut_is_noticed_wherever_it_was)
{
    enum { LEN = 3 * AGE_PIECE };
    unsigned char *data = content_of(LEN);
    struct pair p = generate();
    struct memory m = {0};
    size_t header, whole;
    struct err err;

    encrypt(&m, p.to, data, LEN, LEN);
    header = header_len(&m);
    whole = m.len;
    for (m.len = 0; m.len < header + 16 + AGE_TAG + 2; m.len++)
        assert_fails(&m, p.with, ERR_CORRUPT, &err);
    for (unsigned i = 1; i < 3; i++)
        for (int around = -17; around <= 17; around++) {
            m.len = header + 16 + i * SEALED + (size_t)around;
            assert_fails(&m, p.with, ERR_CORRUPT, &err);
        }
    m.len = header + 16 + SEALED;
    assert_fails(&m, p.with, ERR_CORRUPT, &err);
    cr_assert_str_eq(err.message, "\"file\" is not a whole encrypted file");
    cr_assert_str_eq(err.detail, "It was cut.");
    m.len = whole - 1;
    assert_fails(&m, p.with, ERR_CORRUPT, &err);
    m.len = whole;
    assert_opens(&m, p.with, data, LEN);
    memory_free(&m);
    free(data);
    free_pair(&p);
}

Test(age, pieces_cannot_change_places_or_be_appended)
{
    enum { LEN = 3 * AGE_PIECE };
    unsigned char *data = content_of(LEN), *other = malloc(SEALED);
    struct pair p = generate();
    struct memory m = {0};
    unsigned char *first;
    struct err err;

    encrypt(&m, p.to, data, LEN, LEN);
    first = m.data + header_len(&m) + 16;
    memcpy(other, first, SEALED);
    memmove(first, first + SEALED, SEALED);
    memcpy(first + SEALED, other, SEALED);
    assert_fails(&m, p.with, ERR_CORRUPT, &err);
    memcpy(first + SEALED, first, SEALED);
    memcpy(first, other, SEALED);
    m.data = realloc(m.data, m.len + SEALED);
    memcpy(m.data + m.len, other, SEALED);
    m.len += SEALED;
    assert_fails(&m, p.with, ERR_CORRUPT, &err);
    memory_free(&m);
    free(data);
    free(other);
    free_pair(&p);
}

/* ---- hostile headers ---- */

#define BODY "qcK0N7nxYVQFCAUhCLZGmQzYKE0UFiSHYlLbSKbl5WQ"
#define MAC "--- " BODY "\n"
#define V1 "age-encryption.org/v1\n"
#define LOW "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const struct {
    const char *header;
    const char *detail;
    enum err_class class;
} hostile[] = {
    {"", "It was cut.", ERR_CORRUPT},
    {"PGDMP", "It does not begin as a file of age does.", ERR_CORRUPT},
    {"age-encryption.org/v2\n" MAC, "It does not begin as a file of age does.",
     ERR_CORRUPT},
    {"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n",
     "It is armored: \"age -d\" reads it.", ERR_CORRUPT},
    {V1 MAC, "Its header is for nobody.", ERR_CORRUPT},
    {V1 "-> X25519 " LOW "\n" BODY "\n" MAC, "A share in its header is no key.",
     ERR_CORRUPT},
    {V1 "-> X25519\n" BODY "\n" MAC, "A stanza of its header is malformed.",
     ERR_CORRUPT},
    {V1 "-> X25519 " LOW " more\n" BODY "\n" MAC,
     "A stanza of its header is malformed.", ERR_CORRUPT},
    {V1 "-> X25519 " LOW "\n\n" MAC, "A stanza of its header is malformed.",
     ERR_CORRUPT},
    {V1 "-> X25519 " LOW "=\n" BODY "\n" MAC,
     "A stanza of its header is malformed.", ERR_CORRUPT},
    /* The last character has two bits too many. */
    {V1 "-> X25519 " LOW "\nqcK0N7nxYVQFCAUhCLZGmQzYKE0UFiSHYlLbSKbl5WR\n" MAC,
     "A stanza of its header is not base64.", ERR_CORRUPT},
    {V1 "-> X25519  " LOW "\n" BODY "\n" MAC,
     "A stanza of its header has an empty word.", ERR_CORRUPT},
    {V1 "-> \n" BODY "\n" MAC, "A stanza of its header has an empty word.",
     ERR_CORRUPT},
    {V1 "-> X25519 \a\n" BODY "\n" MAC,
     "A stanza of its header has strange characters.", ERR_CORRUPT},
    {V1 "junk\n" MAC, "Its header has a line that belongs to nothing.",
     ERR_CORRUPT},
    {V1 "-> x\nAAAA\n--- short\n", "Its header does not end as one does.",
     ERR_CORRUPT},
    {V1 "-> x\n\n" MAC "sixteen bytes...sixteen bytes...",
     "There is no identity to open it with.", ERR_REFUSED},
    {V1 "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 23\n" BODY "\n" MAC
        "sixteen bytes...sixteen bytes...",
     "It asks for 2^23, the limit is 2^22.", ERR_REFUSED},
    {V1 "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\n" BODY "\n" MAC
        "sixteen bytes...sixteen bytes...",
     "There is no passphrase to open it with.", ERR_REFUSED},
    {V1 "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 010\n" BODY "\n" MAC,
     "A stanza of its header is malformed.", ERR_CORRUPT},
    {V1 "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 0\n" BODY "\n" MAC,
     "A stanza of its header is malformed.", ERR_CORRUPT},
    {V1 "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\n" BODY "\n-> x\n\n" MAC,
     "A passphrase is not the only way into it.", ERR_CORRUPT},
};

/* By the decoder, which judges a header before it knows what follows. */
Test(age, a_hostile_header_is_refused_and_the_error_says_why)
{
    struct pair none = make_pair(), one = generate();

    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct memory m = {.data = (unsigned char *)hostile[i].header,
                           .len = strlen(hostile[i].header)};
        struct memory found = {0};
        int needs_key = strstr(hostile[i].detail, "no key") != NULL;
        struct err err;

        cr_assert_lt(
            stream(&found, &m, needs_key ? one.with : none.with, 7, &err), 0,
            "%zu", i);
        cr_assert_str_eq(err.detail, hostile[i].detail, "%zu: %s", i,
                         err.detail);
        cr_assert_eq(err.class, hostile[i].class);
    }
    free_pair(&none);
    free_pair(&one);
}

Test(age, stanzas_that_are_not_known_are_passed_over)
{
    struct pair p = generate();
    struct memory m = {0}, greased = {0};
    static const char grease[] =
        V1 "-> joint-grease 1 2 3 4 5 6\n"
           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
           "AAAAAAAAAAAAAAAAAAAA\n\n";
    struct err err;

    encrypt(&m, p.to, "secret", 6, 6);
    greased.len = m.len + sizeof grease - 1 - strlen(V1);
    greased.data = malloc(greased.len);
    memcpy(greased.data, grease, sizeof grease - 1);
    memcpy(greased.data + sizeof grease - 1, m.data + strlen(V1),
           m.len - strlen(V1));
    /* Our key is found behind it; then the MAC tells that it was put in. */
    assert_fails(&greased, p.with, ERR_CORRUPT, &err);
    cr_assert_str_eq(err.detail, "Its header has been changed.");
    memory_free(&m);
    memory_free(&greased);
    free_pair(&p);
}

Test(age, a_header_without_end_takes_no_more_memory)
{
    struct pair p = generate();
    struct memory m = {0};
    struct err err;

    m.len = 2 * AGE_HEADER_MAX;
    m.data = malloc(m.len);
    memset(m.data, 'A', m.len);
    memcpy(m.data, V1 "-> x ", strlen(V1 "-> x "));
    assert_fails(&m, p.with, ERR_CORRUPT, &err);
    cr_assert_str_eq(err.detail, "Its header is too long.");

    m.len = (size_t)sprintf((char *)m.data, "%s", V1);
    for (unsigned i = 0; i <= AGE_STANZAS_MAX; i++)
        m.len += (size_t)sprintf((char *)m.data + m.len, "-> x\n\n");
    m.len += (size_t)sprintf((char *)m.data + m.len, MAC);
    assert_fails(&m, p.with, ERR_CORRUPT, &err);
    cr_assert_str_eq(err.detail, "Its header has too many stanzas.");
    memory_free(&m);
    free_pair(&p);
}

Test(age, a_wrong_passphrase_is_no_passphrase)
{
    struct pair right = passphrase("correct horse", 4);
    struct pair wrong = passphrase("battery staple", 4), key = generate();
    struct memory m = {0};
    struct err err;

    encrypt(&m, right.to, "secret", 6, 6);
    assert_opens(&m, right.with, "secret", 6);
    assert_fails(&m, wrong.with, ERR_REFUSED, &err);
    cr_assert_str_eq(err.message, "\"file\" is encrypted with a passphrase");
    assert_fails(&m, key.with, ERR_REFUSED, &err);
    cr_assert_eq(age_identities_generate(right.with, right.to, &err), -1);
    memory_free(&m);
    free_pair(&right);
    free_pair(&wrong);
    free_pair(&key);
}

/* ---- keys ---- */

Test(age, recipients_are_the_same_in_any_order)
{
    struct pair a = keygen("a"), b = keygen("b"), ours = generate();
    char *of_a = age_recipients_text(a.to), *of_b = age_recipients_text(b.to);
    char *one, *other;
    struct err err;

    cr_assert_eq(age_recipients_add(a.to, of_b, &err), 0);
    cr_assert_eq(age_recipients_add(a.to, of_b, &err), 0);
    cr_assert_eq(age_recipients_count(a.to), 2);
    cr_assert_eq(age_recipients_add(b.to, of_a, &err), 0);
    cr_assert_eq(age_recipients_add(ours.to, of_b, &err), 0);
    cr_assert_eq(age_recipients_add(ours.to, of_a, &err), 0);
    one = age_recipients_text(a.to);
    other = age_recipients_text(b.to);
    cr_assert_str_eq(one, other);
    free(other);
    other = age_recipients_text(ours.to);
    cr_assert_str_eq(one, other);
    cr_assert_eq(age_recipients_count(ours.to), 2);
    cr_assert(age_identities_match(a.with, b.to));
    cr_assert(age_identities_match(b.with, ours.to));
    cr_assert_not(age_identities_match(ours.with, ours.to));
    free(one);
    free(other);
    free(of_a);
    free(of_b);
    free_pair(&a);
    free_pair(&b);
    free_pair(&ours);
}

static const char *const not_recipients[] = {
    "",
    "age1",
    "age1nrrpf0vlpgwd08l6p60zmy9ed3ajr96qc6veqfhp0rdtet0tlveq9p7npq",
    "AGE1NRRPF0VLPGWD08L6P60ZMY9ED3AJR96QC6VEQFHP0RDTET0TLVEQ9P7NPN",
    "age1nrrpf0vlpgwd08l6p60zmy9ed3ajr96qc6veqfhp0rdtet0tlveq9p7npnk",
    "age1nrrpf0vlpgwd08l6p60zmy9ed3ajr96qc6veqfhp0rdtet0tlveq9p7npN",
    "ssh-ed25519 AAAA",
};

Test(age, what_is_no_recipient_is_said_to_be_none)
{
    struct pair p = make_pair();
    struct err err;

    for (size_t i = 0; i < sizeof not_recipients / sizeof *not_recipients; i++)
        cr_assert_eq(age_recipients_add(p.to, not_recipients[i], &err), -1,
                     "%zu", i);
    cr_assert_eq(err.class, ERR_USAGE);
    /* A secret is not shown again. */
    cr_assert_eq(age_recipients_add(p.to, "AGE-SECRET-KEY-1QQQ", &err), -1);
    cr_assert_null(strstr(err.message, "QQQ"));
    cr_assert_eq(
        age_recipients_add_file(p.to, "# nobody\n\n", 10, "list", &err), -1);
    cr_assert_str_eq(err.message, "there is no recipient in list");
    free_pair(&p);
}

Test(age, an_identity_file_that_is_none_shows_nothing_of_itself)
{
    static const char text[] = "# created\n\nAGE-SECRET-KEY-1QQQ\n";
    struct pair p = make_pair();
    struct err err;

    cr_assert_eq(age_identities_add_file(p.with, text, strlen(text),
                                         "\"key.txt\"", &err),
                 -1);
    cr_assert_str_eq(err.message, "\"key.txt\" is not an identity file");
    cr_assert_str_eq(err.detail, "Line 3 is no secret key of age.");
    cr_assert_eq(age_identities_add_file(p.with, "", 0, "x", &err), -1);
    free_pair(&p);
}

Test(age, keys_are_written_as_they_are_read)
{
    unsigned char bytes[BECH32_BYTES], again[BECH32_BYTES];
    char text[BECH32_SIZE];

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(7 * i + 3);
    bech32_encode(text, "AGE-SECRET-KEY-", bytes);
    cr_assert_eq(strlen(text), 74);
    cr_assert_eq(bech32_decode(again, "AGE-SECRET-KEY-", text, 74), 0);
    cr_assert_eq(memcmp(bytes, again, sizeof bytes), 0);
    for (unsigned i = 0; i < 74; i++) {
        char was = text[i];

        text[i] = was == 'Q' ? 'P' : 'Q';
        cr_assert_eq(bech32_decode(again, "AGE-SECRET-KEY-", text, 74), -1);
        text[i] = was;
    }
}

Test(age, base64_is_written_one_way_only)
{
    unsigned char bytes[6];

    cr_assert_eq(base64_decode(bytes, 1, "AA", 2), 0);
    cr_assert_eq(base64_decode(bytes, 1, "AB", 2), -1);
    cr_assert_eq(base64_decode(bytes, 1, "AA==", 4), -1);
    cr_assert_eq(base64_decode(bytes, 2, "AAA", 3), 0);
    cr_assert_eq(base64_decode(bytes, 2, "AAB", 3), -1);
    cr_assert_not(base64_is("A", 1));
    cr_assert_not(base64_is("AA A", 4));
    cr_assert(base64_is("", 0));
}
