/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_profile.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/cleanup.h"

enum { LINE_MAX_LEN = 8192 };

const char *
object_env(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static void
file_closep(FILE **f)
{
    if (*f)
        fclose(*f);
}

/* NULL: there is none, *err is filled or not (out of memory). */
static char *
file_path(const char *variable, const char *in_home)
{
    const char *path = object_env(variable), *home = object_env("HOME");
    char *ret = NULL;

    if (path)
        return strdup(path);
    if (home && asprintf(&ret, "%s/.aws/%s", home, in_home) < 0)
        ret = NULL;
    return ret;
}

static char *
trim(char *text)
{
    size_t len;

    text += strspn(text, " \t\r\n");
    len = strlen(text);
    while (len && strchr(" \t\r\n", text[len - 1]))
        text[--len] = '\0';
    return text;
}

/* "[profile NAME]" or "[NAME]": the one as good as the other. */
static int
is_section(char *line, const char *profile)
{
    char *end = strchr(line, ']');

    if (end)
        *end = '\0';
    line = trim(line + 1);
    if (strncmp(line, "profile ", 8) == 0)
        line = trim(line + 8);
    return strcmp(line, profile) == 0;
}

/* Nested settings are indented, and not ours. */
static char *
value_of(char *line, const char *setting)
{
    char *equals = strchr(line, '=');

    if (!equals || strchr(" \t#;", *line))
        return NULL;
    *equals = '\0';
    return strcmp(trim(line), setting) == 0 ? trim(equals + 1) : NULL;
}

/* 1: the file has the profile. */
static int
search(FILE *f, const char *profile, const char *setting, char **ret)
{
    char line[LINE_MAX_LEN];
    int inside = 0, seen = 0;

    while (fgets(line, sizeof line, f)) {
        char *value;

        if (*line == '[')
            seen |= inside = is_section(line, profile);
        else if (inside && !*ret && (value = value_of(line, setting)))
            *ret = strdup(value);
    }
    OPENSSL_cleanse(line, sizeof line);
    return seen;
}

static int
search_file(const char *variable, const char *in_home, const char *profile,
            const char *setting, char **ret, struct err *err)
{
    cleanup_(freep) char *path = file_path(variable, in_home);
    cleanup_(file_closep) FILE *f = path ? fopen(path, "re") : NULL;
    int seen;

    if (!f && path && (errno != ENOENT || object_env(variable)))
        return err_sys(err, errno, "could not open \"%s\"", path);
    if (!f)
        return 0;
    seen = search(f, profile, setting, ret);
    if (ferror(f))
        return err_sys(err, EIO, "could not read \"%s\"", path);
    return seen;
}

int
object_profile_get(char **ret, const char *setting, struct err *err)
{
    const char *asked = object_env("AWS_PROFILE");
    const char *profile = asked ? asked : "default";
    int keys, config;

    *ret = NULL;
    keys = search_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", profile,
                       setting, ret, err);
    if (keys < 0)
        return -1;
    config =
        search_file("AWS_CONFIG_FILE", "config", profile, setting, ret, err);
    if (config < 0)
        return -1;
    if (asked && !keys && !config) {
        err_set(err, ERR_USAGE, "there is no profile \"%s\"", profile);
        return err_hint(err, "It is named by AWS_PROFILE, and looked for in "
                             "~/.aws/credentials and ~/.aws/config, or the "
                             "files that AWS_SHARED_CREDENTIALS_FILE and "
                             "AWS_CONFIG_FILE name.");
    }
    return 0;
}
