/* SPDX-License-Identifier: PostgreSQL */

/* What of an upload another try has done. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/object/object.h"
#include "io/object/object_text.h"
#include "io/object/object_upload_private.h"

int
object_upload_describe(char **ret, const struct object_upload *u)
{
    const struct object_config *c = object_client_config(u->client);
    const char *texts[] = {c->endpoint,      c->encryption, c->kms_key,
                           c->storage_class, c->lock,       c->retain_until};
    size_t len = 0;
    FILE *f = open_memstream(ret, &len);

    if (!f)
        return 0;
    fprintf(f, "%s %s %llu %d", object_client_bucket(u->client), u->key,
            (unsigned long long)u->part_len, c->legal_hold);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        fprintf(f, " %s", texts[i] ? texts[i] : "-");
    return fclose(f) == 0;
}

/* What is there may be what an earlier try has completed without knowing. */
int
object_upload_look(struct object_upload *u, struct err *err)
{
    cleanup_(object_state_clear) struct object_state state = {0};
    struct object_info info;
    int r = object_head(u->client, u->key, &info, err);

    if (r)
        return r == OBJECT_E_MISSING ? 0 : r;
    r = u->state_path ? object_state_read(&state, u->state_path, err) : 0;
    if (r < 0)
        return r;
    if (!r || strcmp(state.tag, info.upload_tag) != 0)
        return OBJECT_E_EXISTS;
    u->replace = 1;
    return 0;
}

/* Only what the store lists, where it lists, and as it was sent. */
static void
keep_confirmed(struct object_upload *u, const struct object_parts *listed)
{
    for (unsigned i = 0; i < u->earlier.n; i++) {
        struct object_part *p = &u->earlier.parts[i];
        const struct object_part *l = i < listed->n ? &listed->parts[i] : NULL;

        if (p->etag && (!l || !l->etag || l->len != p->len ||
                        !object_etag_equal(l->etag, p->etag))) {
            free(p->etag);
            p->etag = NULL;
        }
    }
}

/* 1: there is an earlier upload to go on with. */
static int
find_earlier(struct object_upload *u, struct err *err)
{
    cleanup_(object_state_clear) struct object_state s = {0};
    struct object_parts listed = {0};
    int r = u->state_path ? object_state_read(&s, u->state_path, err) : 0;

    if (r <= 0)
        return r;
    if (strcmp(s.of, u->known.of) != 0) {
        object_multipart_abort(u->client, u->key, s.id, err);
        return 0;
    }
    r = object_multipart_list(&listed, u->client, u->key, s.id, err);
    if (r == 0 || r == OBJECT_E_UNSUPPORTED) {
        u->earlier = s.parts;
        s.parts = (struct object_parts){0};
        if (r == 0)
            keep_confirmed(u, &listed);
        u->known.id = take(s.id);
        memcpy(u->known.tag, s.tag, sizeof s.tag);
    }
    object_parts_clear(&listed);
    return r < 0 ? r : r != OBJECT_E_MISSING;
}

int
object_upload_begin_parts(struct object_upload *u, struct err *err)
{
    int r = find_earlier(u, err);

    if (!r)
        r = object_multipart_create(&u->known.id, u->client, u->key,
                                    u->known.tag, err);
    if (r < 0 || !u->state_path)
        return r < 0 ? r : 0;
    return object_state_begin(&u->state_fd, u->state_path, &u->known, err);
}

int
object_upload_note_part(struct object_upload *u, const struct slot *slot,
                        const char *etag, struct err *err)
{
    struct object_part *part = object_parts_at(&u->known.parts, slot->n);

    if (!part)
        return err_nomem(err);
    part->len = slot->len;
    part->etag = strdup(etag);
    strcpy(part->checksum, slot->checksum);
    u->n_there++;
    if (!part->etag)
        return err_nomem(err);
    return u->state_fd < 0 ? 0
                           : object_state_add(u->state_fd, slot->n, part, err);
}

int
object_upload_was_sent(const struct object_upload *u, const struct slot *slot)
{
    const struct object_part *p =
        slot->n <= u->earlier.n ? &u->earlier.parts[slot->n - 1] : NULL;

    return p && p->etag && p->len == slot->len &&
           strcmp(p->checksum, slot->checksum) == 0;
}
