/* SPDX-License-Identifier: PostgreSQL */

/* data/catalog.json of a run that was carried here. */

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/bag/catalog_json.h"
#include "tests/fuzz/fuzz.h"

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

/* A run directory that holds nothing else. */
static void
make_run(char *path, size_t size, const uint8_t *data, size_t len)
{
    const char *tmp = getenv("TMPDIR");
    int dir, fd;

    snprintf(path, size, "%s/fuzz.XXXXXX", tmp ? tmp : "/tmp");
    fuzz_assert(mkdtemp(path) != NULL);
    dir = open(path, O_RDONLY | O_DIRECTORY);
    fuzz_assert(mkdirat(dir, "data", 0700) == 0);
    fd = openat(dir, "data/catalog.json", O_WRONLY | O_CREAT, 0600);
    fuzz_assert(write(fd, data, len) == (ssize_t)len);
    close(fd);
    close(dir);
}

static void
restore(const struct run_dir *dir)
{
    cleanup_(catalog_freep) struct catalog *c = NULL;
    struct facts facts = {.state = FACTS_NEW};
    struct err err;

    fuzz_assert(catalog_open(&c, dir, 1, &err) == 0);
    if (fuzz_outcome(catalog_json_restore(c, dir, &err), &err) == 0)
        fuzz_outcome(facts_read(&facts, c, &err), &err);
    facts_clear(&facts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct run_dir *dir;
    char path[4096];
    struct err err;

    make_run(path, sizeof path, data, len);
    fuzz_assert(run_dir_open(&dir, path, RUN_DIR_CREATE, &err) == 0);
    restore(dir);
    run_dir_free(dir);
    nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
