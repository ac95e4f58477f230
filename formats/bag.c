/* SPDX-License-Identifier: PostgreSQL */
#include "formats/bag.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "formats/hex.h"

enum { HEX_LEN = 64 }; /* of a SHA-256 */

const char bag_declaration[] = "BagIt-Version: 1.0\n"
                               "Tag-File-Character-Encoding: UTF-8\n";

int
bag_check_declaration(const char *text, size_t len)
{
    static const char first[] = "BagIt-Version: ";

    if (len == strlen(bag_declaration) &&
        memcmp(text, bag_declaration, len) == 0)
        return 0;
    return len >= strlen(first) && memcmp(text, first, strlen(first)) == 0
               ? BAG_E_VERSION
               : BAG_E_MALFORMED;
}

static int
append(const struct bytes_out *out, const char *text, struct err *err)
{
    return bytes_out_append(out, text, strlen(text), err);
}

/* ---- bag-info.txt ---- */

/* One line of the value; answers what comes after it, NULL at the end. */
static const char *
next_line(const char *at, size_t *ret_len)
{
    *ret_len = strcspn(at, "\r\n");
    at += *ret_len;
    if (!*at)
        return NULL;
    return at + (at[0] == '\r' && at[1] == '\n' ? 2 : 1);
}

int
bag_write_info(const struct bytes_out *out, const char *label,
               const char *value, struct err *err)
{
    size_t len;
    int r;

    assert(!strpbrk(label, ":\r\n"));
    r = append(out, label, err);
    if (!r)
        r = append(out, ": ", err);
    while (!r) {
        const char *rest = next_line(value, &len);

        r = bytes_out_append(out, value, len, err);
        if (!r)
            r = append(out, rest ? "\n  " : "\n", err);
        if (!rest)
            break;
        value = rest;
    }
    return r;
}

/* ---- manifests ---- */

static const char *
encoded(char c)
{
    return c == '\r' ? "%0D" : c == '\n' ? "%0A" : "%25";
}

static int
write_path(const struct bytes_out *out, const char *path, struct err *err)
{
    size_t plain = strcspn(path, "\r\n%");
    int r = bytes_out_append(out, path, plain, err);

    for (path += plain; !r && *path; path += plain) {
        r = append(out, encoded(*path++), err);
        plain = strcspn(path, "\r\n%");
        if (!r)
            r = bytes_out_append(out, path, plain, err);
    }
    return r;
}

int
bag_write_entry(const struct bytes_out *out, const unsigned char sha256[32],
                const char *path, struct err *err)
{
    char hex[HEX_LEN + 1];
    int r;

    hex_encode(hex, sha256, 32);
    r = append(out, hex, err);
    if (!r)
        r = append(out, "  ", err);
    if (!r)
        r = write_path(out, path, err);
    return r ? r : append(out, "\n", err);
}

/* Only the three characters that must be encoded are decoded. */
static void
decode(char *path)
{
    static const char from[][4] = {"%0D", "%0A", "%25"};
    static const char into[] = "\r\n%";
    char *to = path;

    while (*path) {
        char c = *path;
        size_t n = 1;

        for (unsigned i = 0; i < sizeof from / sizeof *from; i++)
            if (strncasecmp(path, from[i], 3) == 0) {
                c = into[i];
                n = 3;
            }
        *to++ = c;
        path += n;
    }
    *to = '\0';
}

/* Not absolute, and no component that goes up. */
static int
stays_inside(const char *path)
{
    if (*path == '/' || *path == '~' || *path == '\0')
        return 0;
    for (size_t n; *path; path += n + (path[n] == '/')) {
        n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.')
            return 0;
    }
    return 1;
}

int
bag_read_entry(char *line, unsigned char ret_sha256[32], char **ret_path)
{
    char *path = line + HEX_LEN;

    if (strnlen(line, HEX_LEN + 1) <= HEX_LEN ||
        (*path != ' ' && *path != '\t'))
        return -1;
    *path++ = '\0';
    path += strspn(path, " \t");
    path += *path == '*'; /* as "sha256sum -b" marks a file */
    if (hex_decode(ret_sha256, 32, line))
        return -1;
    decode(path);
    *ret_path = path;
    return stays_inside(path) ? 0 : -1;
}
