/* SPDX-License-Identifier: PostgreSQL */

/* A file for --config. */

#include "loader/cli/config.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    cleanup_(config_freep) struct config *c = NULL;
    int fd = memfd_create("config", 0);
    struct err err;
    char path[40];

    fuzz_assert(write(fd, data, len) == (ssize_t)len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fuzz_outcome(config_read(&c, path, &err), &err) == 0)
        for (size_t i = 0; i < c->n_entries; i++)
            fuzz_assert(c->entries[i].is_list || c->entries[i].n_values == 1);
    close(fd);
    return 0;
}
