/* SPDX-License-Identifier: PostgreSQL */
#include "loader/source/schema_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/hex.h"
#include "io/cleanup.h"
#include "io/fd.h"
#include "loader/bag/staged.h"
#include "loader/source/tool_file.h"

enum { HELP_MAX = 64 << 10 };

struct text {
    enum facts_document document;
    const char *section;
};

static const struct text texts[] = {
    {FACTS_PRE_DATA, "--section=pre-data"},
    {FACTS_POST_DATA, "--section=post-data"},
};

/* A random key would make each file another one. */
static int
knows_restrict_key(const char *tool, const struct stop *stop, int *ret,
                   struct err *err)
{
    const char *const args[] = {"--help", NULL};
    const struct tool_params p = {
        .path = tool, .args = args, .stdout_fd = -1, .stop = stop};
    char *text;
    size_t len;
    int r;

    r = tool_capture(&p, HELP_MAX, &text, &len, err);
    if (r)
        return r;
    *ret = strstr(text, "--restrict-key") != NULL;
    free(text);
    return 0;
}

static const char *
base_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static int
write_texts(const struct schema_text_params *text, struct tool_params *p,
            const char *const options[2], struct facts *f, struct err *err)
{
    const char *args[] = {NULL, "--file=-", options[0], options[1], NULL};
    int r = 0;

    p->args = args;
    for (size_t i = 0; i < sizeof texts / sizeof *texts && !r; i++) {
        enum facts_document d = texts[i].document;
        const struct tool_file file = {
            .dir = text->dir,
            .folder = "schema",
            .name = base_name(facts_document_file(f, d)),
            .to = text->recipients,
        };

        args[0] = texts[i].section;
        r = tool_file_write(&file, p, err);
        if (!r)
            r = staged_digest(text->dir, facts_document_file(f, d),
                              f->documents[d].sha256, err);
        f->documents[d].present = !r;
    }
    return r;
}

int
schema_text(const struct schema_text_params *text, struct facts *f,
            struct err *err)
{
    char key[sizeof "--restrict-key=" + 2 * sizeof f->schema_sha256];
    char dump[64];
    const char *const with_key[2] = {key, dump}, *const plain[2] = {dump, NULL};
    struct tool_params p = {.stop = text->stop};
    cleanup_(fd_closep) int fd = -1;
    cleanup_(freep) char *tool = NULL;
    int keyed = 0, r;

    r = tool_find_for_schema(&tool, "pg_restore", f->version / 10000, err);
    if (!r)
        r = knows_restrict_key(tool, text->stop, &keyed, err);
    if (r)
        return r;
    /* Not close-on-exec: the child opens it by this number. */
    if (text->dump_fd < 0)
        fd = openat(run_dir_fd(text->dir), "data/schema.dump",
                    O_RDONLY | O_NOFOLLOW);
    if (text->dump_fd < 0 && fd < 0)
        return err_sys(err, errno, "could not open \"data/schema.dump\"");
    snprintf(dump, sizeof dump, "/proc/self/fd/%d",
             fd < 0 ? text->dump_fd : fd);
    strcpy(key, "--restrict-key=");
    hex_encode(key + strlen(key), f->schema_sha256, sizeof f->schema_sha256);
    p.path = tool;
    return write_texts(text, &p, keyed ? with_key : plain, f, err);
}
