/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_upload.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/fd.h"
#include "io/object/object.h"
#include "io/object/object_lock.h"
#include "io/object/object_multipart.h"
#include "io/object/object_text.h"
#include "io/object/object_upload_private.h"

#define MIB (UINT64_C(1) << 20)

enum {
    RESENT_MAX = 3,          /* a part that arrives damaged */
    DRIVE_BYTES = 128 << 10, /* of the caller's go by between two looks */
};

/* ---- begin ---- */

static uint64_t
part_len_for(const struct object_upload_params *p)
{
    /* Room for a tenth more than was expected. */
    uint64_t needed = p->expected_len / (OBJECT_PARTS_MAX - 1000) + 1;

    if (p->part_len)
        return p->part_len;
    if (!p->expected_len)
        return 64 * MIB;
    needed = (needed + MIB - 1) / MIB * MIB;
    return needed < 16 * MIB ? 16 * MIB : needed;
}

static int
set_up(struct object_upload *u, const struct object_upload_params *p,
       struct err *err)
{
    unsigned n = object_client_config(u->client)->n_parallel + 1;

    u->part_len = part_len_for(p);
    u->replace = p->replace;
    u->n_slots = n < 2 ? 2 : n > SLOTS_MAX ? SLOTS_MAX : n;
    u->key = strdup(p->key);
    u->state_path = p->state ? strdup(p->state) : NULL;
    u->sha256 = EVP_MD_CTX_new();
    if (!u->key || (p->state && !u->state_path) || !u->sha256 ||
        !object_upload_describe(&u->known.of, u))
        return err_nomem(err);
    return object_tag(u->known.tag, err);
}

int
object_upload_new(struct object_upload **ret, struct object_client *c,
                  const struct object_upload_params *p, struct err *err)
{
    cleanup_(object_upload_freep) struct object_upload *u =
        calloc(1, sizeof *u);
    int r;

    if (!u)
        return err_nomem(err);
    u->client = c;
    u->state_fd = -1;
    r = set_up(u, p, err);
    if (!r && !p->replace)
        r = object_upload_look(u, err);
    if (!r)
        *ret = take(u);
    return r;
}

/* ---- in parts ---- */

static int
begin_call(struct object_upload *u, struct slot *slot, struct err *err)
{
    cleanup_(freep) char *query = object_multipart_query(u->known.id, slot->n);
    char checksum[128];
    const struct object_ask ask = {.method = "PUT",
                                   .key = u->key,
                                   .query = query,
                                   .headers = {checksum},
                                   .body = slot->data,
                                   .body_len = slot->len,
                                   .body_sha256 = slot->sha256};

    if (!query)
        return err_nomem(err);
    snprintf(checksum, sizeof checksum, "x-amz-checksum-sha256: %s",
             slot->checksum);
    return object_call_begin(&slot->call, u->client, &ask, err);
}

static int
too_many_parts(const struct object_upload *u, struct err *err)
{
    err_set(err, ERR_REFUSED,
            "the archive has more than %d parts of %llu MiB, and so is too "
            "large for one object",
            OBJECT_PARTS_MAX, (unsigned long long)(u->part_len / MIB));
    return err_hint(err, "Split it with --volume-size.");
}

/* The part is whole: on its way. */
static int
send_filled(struct object_upload *u, struct err *err)
{
    struct slot *slot = u->filling;
    unsigned char hash[32];

    if (u->n_parts == OBJECT_PARTS_MAX)
        return too_many_parts(u, err);
    if (!EVP_DigestFinal_ex(u->sha256, hash, NULL))
        return err_nomem(err);
    object_hex(slot->sha256, hash, sizeof hash);
    object_base64(slot->checksum, hash, sizeof hash);
    slot->n = ++u->n_parts;
    slot->n_resent = 0;
    u->filling = NULL;
    if (!u->known.id && object_upload_begin_parts(u, err) < 0)
        return -1;
    if (!object_upload_was_sent(u, slot))
        return begin_call(u, slot, err);
    u->n_kept++;
    return object_upload_note_part(u, slot, u->earlier.parts[slot->n - 1].etag,
                                   err);
}

/* ---- what the store says of a part ---- */

/*
 * Did it arrive as it was sent?  Its SHA-256, where the store has computed it;
 * else its MD5, which is the tag of what is not encrypted with a key of
 * somebody's.
 */
static int
arrived(const struct slot *slot, const struct object_answer *a)
{
    unsigned char told[16], ours[16];

    if (*a->checksum_sha256)
        return strcmp(a->checksum_sha256, slot->checksum) == 0;
    if ((*a->encryption && strcmp(a->encryption, "AES256") != 0) ||
        !object_etag_md5(told, a->etag))
        return 1;
    return EVP_Digest(slot->data, slot->len, ours, NULL, EVP_md5(), NULL) &&
           memcmp(told, ours, sizeof ours) == 0;
}

static int
end_call(struct object_upload *u, struct slot *slot, struct err *err)
{
    const struct object_answer *a;
    int r = object_call_result(slot->call, &a, err);
    int damaged = 0;

    if (r > 0)
        r = object_no_outcome(slot->call, r, err);
    if (!r && !*a->etag)
        r = err_set(err, ERR_SERVER, "the object store gives no tag of a part");
    if (!r && !arrived(slot, a))
        damaged = 1;
    else if (!r)
        r = object_upload_note_part(u, slot, a->etag, err);
    slot->call = object_call_end(slot->call);
    if (!damaged)
        return r;
    if (slot->n_resent++ < RESENT_MAX)
        return begin_call(u, slot, err);
    return err_set(err, ERR_CORRUPT,
                   "part %u arrives at the object store as other bytes than "
                   "were sent, again and again",
                   slot->n);
}

/* Drive, and see to what is done. */
static int
drive(struct object_upload *u, unsigned wait_ms, struct err *err)
{
    if (object_client_drive(u->client, wait_ms, err) < 0)
        return -1;
    for (unsigned i = 0; i < u->n_slots; i++) {
        struct slot *slot = &u->slots[i];

        if (slot->call && object_call_is_done(slot->call) &&
            end_call(u, slot, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- filling ---- */

static struct slot *
free_slot(struct object_upload *u)
{
    for (unsigned i = 0; i < u->n_slots; i++)
        if (!u->slots[i].call)
            return &u->slots[i];
    return NULL;
}

static int
await_slot(struct object_upload *u, struct err *err)
{
    struct slot *slot;

    while (!(slot = free_slot(u)))
        if (drive(u, 1000, err) < 0)
            return -1;
    /* Memory of what is never written to is none. */
    if (!slot->data && !(slot->data = malloc(u->part_len)))
        return err_nomem(err);
    slot->len = 0;
    u->filling = slot;
    if (!EVP_DigestInit_ex(u->sha256, EVP_sha256(), NULL))
        return err_nomem(err);
    return 0;
}

/* A full part goes when more comes: a last one is never empty. */
static int
make_room(struct object_upload *u, struct err *err)
{
    if (u->filling && u->filling->len == u->part_len && send_filled(u, err) < 0)
        return -1;
    return u->filling ? 0 : await_slot(u, err);
}

static int
fill(struct object_upload *u, const unsigned char *data, size_t len,
     struct err *err)
{
    while (len) {
        struct slot *slot;
        size_t n = len;

        if (make_room(u, err) < 0)
            return -1;
        slot = u->filling;
        if (n > u->part_len - slot->len)
            n = u->part_len - slot->len;
        if (n > DRIVE_BYTES)
            n = DRIVE_BYTES;
        memcpy(slot->data + slot->len, data, n);
        if (!EVP_DigestUpdate(u->sha256, data, n))
            return err_nomem(err);
        slot->len += n;
        data += n;
        len -= n;
        u->len += n;
        u->undriven += n;
        if (u->undriven >= DRIVE_BYTES && drive(u, 0, err) < 0)
            return -1;
        u->undriven %= DRIVE_BYTES;
    }
    return 0;
}

int
object_upload_append(struct object_upload *u, const void *data, size_t len,
                     struct err *err)
{
    assert(u->state == OPEN);
    if ((len ? fill(u, data, len, err) : drive(u, 0, err)) < 0) {
        u->state = BROKEN;
        return -1;
    }
    return 0;
}

/* ---- commit ---- */

static int
await_parts(struct object_upload *u, struct err *err)
{
    unsigned i = 0;

    while (i < u->n_slots) {
        if (!u->slots[i].call)
            i++;
        else if (drive(u, 1000, err) < 0)
            return -1;
    }
    return 0;
}

/* Whether all is there under the name, and is this. */
static int
check_len(struct object_upload *u, struct err *err)
{
    struct object_info info;
    int r = object_head(u->client, u->key, &info, err);

    if (r < 0)
        return r;
    if (!r && info.len == u->len)
        return 0;
    return err_set(err, ERR_CORRUPT,
                   "\"%s\" in the object store is not what was uploaded",
                   u->key);
}

/*
 * An answer may be lost: then the next one is that there is no such upload, or
 * that the object exists, or worse.  What counts is whether it is there.
 */
static int
complete(struct object_upload *u, struct err *err)
{
    int r = object_multipart_complete(u->client, u->key, u->known.id,
                                      &u->known.parts, u->replace, err);
    struct err ignored;

    if (!r || err->class == ERR_CANCELLED ||
        object_is_ours(u->client, u->key, u->known.tag, &ignored) == 0)
        return r && err->class == ERR_CANCELLED ? r : 0;
    /* Nothing of it can be trusted: next time from the beginning. */
    if (r == OBJECT_E_REJECTED && u->state_path)
        object_state_remove(u->state_path);
    return r == OBJECT_E_EXISTS ? r : -1;
}

static int
commit_parts(struct object_upload *u, struct err *err)
{
    int r = u->filling ? send_filled(u, err) : 0;

    if (!r)
        r = await_parts(u, err);
    return r ? r : complete(u, err);
}

int
object_upload_commit(struct object_upload *u, struct err *err)
{
    int r;

    assert(u->state == OPEN);
    if (u->known.id)
        r = commit_parts(u, err);
    else
        r = object_put(u->client, u->key, u->filling ? u->filling->data : NULL,
                       u->filling ? u->filling->len : 0, u->replace, err);
    if (!r)
        r = check_len(u, err);
    if (!r)
        r = object_lock_ensure(u->client, u->key, err);
    u->state = r ? BROKEN : COMMITTED;
    if (!r && u->state_path)
        object_state_remove(u->state_path);
    return r;
}

/* Parts that nobody can find again are paid for, for ever. */
static void
take_back(struct object_upload *u)
{
    struct err ignored;

    if (u->state == COMMITTED || !u->known.id || u->state_path)
        return;
    object_client_ignore_stop(u->client);
    object_multipart_abort(u->client, u->key, u->known.id, &ignored);
}

struct object_upload *
object_upload_free(struct object_upload *u)
{
    if (!u)
        return NULL;
    for (unsigned i = 0; i < u->n_slots; i++) {
        object_call_end(u->slots[i].call);
        free(u->slots[i].data);
    }
    take_back(u);
    EVP_MD_CTX_free(u->sha256);
    object_state_clear(&u->known);
    object_parts_clear(&u->earlier);
    fd_closep(&u->state_fd);
    free(u->key);
    free(u->state_path);
    free(u);
    return NULL;
}

struct object_upload_counts
object_upload_counts(const struct object_upload *u)
{
    return (struct object_upload_counts){u->n_parts, u->n_there, u->n_kept};
}
