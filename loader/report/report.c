/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/report_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "formats/bag.h"
#include "formats/hex.h"
#include "io/reader.h"

/* What stands for all of the bag. */
static int
read_seal(struct report *r, struct err *err)
{
    cleanup_(reader_freep) struct reader *file = NULL;
    unsigned char sha256[32];
    int e;

    e = reader_open(&file, run_dir_fd(r->params.dir), "tagmanifest-sha256.txt",
                    err);
    if (e && err->class == ERR_SYSTEM && err->sys == ENOENT)
        return 0;
    if (!e)
        e = reader_sha256(file, sha256, err);
    if (!e)
        hex_encode(r->seal, sha256, sizeof sha256);
    return e;
}

int
report_make(struct report **ret, const struct report_params *p, struct err *err)
{
    cleanup_(report_freep) struct report *r = NULL;
    struct timespec now;
    int e;

    r = calloc(1, sizeof *r);
    if (!r)
        return err_nomem(err);
    r->params = *p;
    clock_gettime(CLOCK_REALTIME, &now);
    r->made_at = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    e = catalog_count(p->catalog, &r->counts, err);
    if (!e)
        e = read_seal(r, err);
    if (!e)
        e = history_read(&r->history, p->dir,
                         p->verdict_only ? NULL : p->catalog, err);
    if (!e)
        e = proved_read(&r->proved, p->dir, p->catalog, err);
    if (e)
        return e;
    report_judge(r);
    e = p->verdict_only ? 0 : report_list_tables(r, err);
    if (!e)
        *ret = take(r);
    return e;
}

struct report *
report_free(struct report *r)
{
    if (!r)
        return NULL;
    history_clear(&r->history);
    proved_clear(&r->proved);
    free(r);
    return NULL;
}

enum report_verdict
report_verdict(const struct report *r)
{
    return r->verdict;
}

const char *
report_because(const struct report *r)
{
    return r->because;
}

uint64_t
report_proved_at(const struct report *r)
{
    return r->proved.is_there && !r->is_stale ? proved_ended_at(&r->proved) : 0;
}

char *
report_lsn(char to[REPORT_LSN], uint64_t lsn)
{
    snprintf(to, REPORT_LSN, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32),
             (uint32_t)lsn);
    return to;
}
