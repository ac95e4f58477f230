/* SPDX-License-Identifier: PostgreSQL */
#include "loader/bag/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "formats/bag.h"
#include "formats/hex.h"
#include "io/dir.h"
#include "io/durable_file.h"
#include "io/printable.h"
#include "loader/bag/seal_payload.h"
#include "loader/bag/seal_readme.h"
#include "loader/run/audit.h"

static const char TAG_MANIFEST[] = "tagmanifest-sha256.txt";

struct seal {
    struct seal_run run;
    struct seal_payload payload;
    char *retain_until, *legal_hold; /* as they were asked for, or NULL */
};

/* ---- the files ---- */

static int
write_readme(struct seal *s, const struct bytes_out *out, struct err *err)
{
    return seal_readme_write(&s->run, out, err);
}

static int
write_declaration(struct seal *s, const struct bytes_out *out, struct err *err)
{
    (void)s;
    return bytes_out_append(out, bag_declaration, strlen(bag_declaration), err);
}

static int
write_manifest(struct seal *s, const struct bytes_out *out, struct err *err)
{
    return seal_payload_write(&s->payload, &s->run, out, err);
}

static void
print_version(char to[16], int version)
{
    if (version >= 100000)
        snprintf(to, 16, "%d.%d", version / 10000, version % 10000);
    else
        snprintf(to, 16, "%d.%d.%d", version / 10000, version / 100 % 100,
                 version % 100);
}

static void
print_lsn(char to[24], uint64_t lsn)
{
    if (lsn == 0)
        strcpy(to, "none");
    else
        snprintf(to, 24, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32),
                 (uint32_t)lsn);
}

static void
print_today(char to[16])
{
    time_t now = time(NULL);
    struct tm utc;

    strftime(to, 16, "%F", gmtime_r(&now, &utc));
}

static int
write_info(struct seal *s, const struct bytes_out *out, struct err *err)
{
    const struct facts *f = s->run.facts;
    char version[16], lsn[24], today[16], oxum[48], root[65], n_entries[24];
    char database[PRINTABLE_SIZE(256)];
    unsigned char sha256[32];
    struct audit_head audit;
    const char *const pairs[][2] = {
        {"Audit-Entries", n_entries},
        {"Audit-SHA256", audit.sha256},
        {"Bag-Software-Agent", "pghaul " PGHAUL_VERSION},
        {"Bagging-Date", today},
        {"External-Description", "One snapshot of a PostgreSQL database"},
        {"External-Identifier", f->run_id},
        {"Legal-Hold", s->legal_hold},
        {"Merkle-Root", root},
        {"Payload-Oxum", oxum},
        {"Retain-Until", s->retain_until},
        {"Snapshot-LSN", lsn},
        {"Source-Database", database},
        {"Source-Encoding", f->encoding},
        {"Source-Server-Version", version},
        {"Source-System-Identifier", f->system_id},
    };
    int r = audit_read_head(&audit, run_dir_fd(s->run.dir), err);

    if (r)
        return r;
    snprintf(n_entries, sizeof n_entries, "%" PRIu64, audit.n);
    merkle_root(&s->payload.tree, sha256);
    hex_encode(root, sha256, sizeof sha256);
    print_version(version, f->version);
    print_lsn(lsn, f->lsn);
    print_today(today);
    snprintf(oxum, sizeof oxum, "%" PRIu64 ".%" PRIu64, s->payload.n_bytes,
             s->payload.n_files);
    printable(database, sizeof database, f->database);
    for (unsigned i = 0; i < sizeof pairs / sizeof *pairs && !r; i++)
        if (pairs[i][1] && *pairs[i][1])
            r = bag_write_info(out, pairs[i][0], pairs[i][1], err);
    return r;
}

/* In the order in which they are written: bag-info.txt says what the manifest
   has counted. */
static const struct {
    const char *name;
    int (*write)(struct seal *s, const struct bytes_out *out, struct err *err);
} tags[] = {
    {"README.txt", write_readme},
    {"bagit.txt", write_declaration},
    {"manifest-sha256.txt", write_manifest},
    {"bag-info.txt", write_info},
};

enum { N_TAGS = sizeof tags / sizeof *tags };

/* ---- sealing ---- */

static int
write_tag(struct seal *s, unsigned i, unsigned char ret_sha256[32],
          struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    int r;

    r = durable_file_open(&file, run_dir_fd(s->run.dir), tags[i].name, err);
    if (!r)
        r = tags[i].write(s, durable_file_out(file), err);
    return r ? r : durable_file_commit(file, ret_sha256, err);
}

static int
write_tag_manifest(const struct seal *s, unsigned char sha256[N_TAGS][32],
                   struct err *err)
{
    cleanup_(durable_file_freep) struct durable_file *file = NULL;
    int r;

    r = durable_file_open(&file, run_dir_fd(s->run.dir), TAG_MANIFEST, err);
    for (unsigned i = 0; i < N_TAGS && !r; i++)
        r = bag_write_entry(durable_file_out(file), sha256[i], tags[i].name,
                            err);
    return r ? r : durable_file_commit(file, NULL, err);
}

static int
read_wishes(struct seal *s, struct err *err)
{
    int r =
        catalog_get(s->run.catalog, SEAL_RETAIN_UNTIL, &s->retain_until, err);

    if (r == 0 || r == CATALOG_E_NONE)
        r = catalog_get(s->run.catalog, SEAL_LEGAL_HOLD, &s->legal_hold, err);
    return r == CATALOG_E_NONE ? 0 : r;
}

int
seal_write(struct catalog *c, const struct facts *f, const struct run_dir *dir,
           struct err *err)
{
    struct seal s = {.run = {c, f, dir}};
    unsigned char sha256[N_TAGS][32];
    int r = read_wishes(&s, err);

    for (unsigned i = 0; i < N_TAGS && !r; i++)
        r = write_tag(&s, i, sha256[i], err);
    if (!r)
        r = write_tag_manifest(&s, sha256, err);
    free(s.retain_until);
    free(s.legal_hold);
    return r;
}

int
seal_is_there(const struct run_dir *dir)
{
    return faccessat(run_dir_fd(dir), TAG_MANIFEST, F_OK,
                     AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- and back ---- */

static int
remove_one(const struct run_dir *dir, const char *name, struct err *err)
{
    cleanup_(freep) char *part = NULL;
    int r;

    if (asprintf(&part, "%s.part", name) < 0) {
        part = NULL;
        return err_nomem(err);
    }
    r = dir_remove(run_dir_fd(dir), name, err);
    return r ? r : dir_remove(run_dir_fd(dir), part, err);
}

int
seal_remove(const struct run_dir *dir, struct err *err)
{
    int r;

    /* It must be gone for good before anything that it answers for is. */
    r = remove_one(dir, TAG_MANIFEST, err);
    if (!r && fsync(run_dir_fd(dir)) < 0)
        r = err_sys(err, errno, "could not sync \"%s\"", run_dir_path(dir));
    for (unsigned i = N_TAGS; i-- > 0 && !r;)
        r = remove_one(dir, tags[i].name, err);
    return r;
}
