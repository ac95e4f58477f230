/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_multipart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/object/object.h"
#include "io/object/object_sign.h"
#include "io/object/object_xml.h"

/* ---- parts ---- */

struct object_part *
object_parts_at(struct object_parts *p, unsigned n)
{
    if (n < 1 || n > OBJECT_PARTS_MAX)
        return NULL;
    if (n > p->size) {
        unsigned size = n < 64 ? 64 : n * 2;
        struct object_part *parts = realloc(p->parts, size * sizeof *parts);

        if (!parts)
            return NULL;
        memset(parts + p->size, 0, (size - p->size) * sizeof *parts);
        p->parts = parts;
        p->size = size;
    }
    if (n > p->n)
        p->n = n;
    return &p->parts[n - 1];
}

void
object_parts_clear(struct object_parts *p)
{
    for (unsigned i = 0; i < p->n; i++)
        free(p->parts[i].etag);
    free(p->parts);
    *p = (struct object_parts){0};
}

char *
object_multipart_query(const char *id, unsigned n)
{
    cleanup_(freep) char *escaped = object_escape(id, 0);
    char number[32] = "", *ret = NULL;

    if (n)
        snprintf(number, sizeof number, "partNumber=%u&", n);
    if (!escaped || asprintf(&ret, "%suploadId=%s", number, escaped) < 0)
        return NULL;
    return ret;
}

/* ---- create ---- */

static int
on_created(void *arg, const char *path, const char *text, struct err *err)
{
    char **ret = arg;

    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") != 0 || *ret)
        return 0;
    *ret = strdup(text);
    return *ret ? 0 : err_nomem(err);
}

static int
ask_to_create(char **ret_id, struct object_client *c,
              const struct object_ask *ask, struct err *err)
{
    cleanup_(object_call_endp) struct object_call *call = NULL;
    const struct object_answer *a;
    int r = object_call_begin(&call, c, ask, err);

    if (!r)
        r = object_no_outcome(call, object_call_wait(call, &a, err), err);
    if (!r)
        r = object_xml_parse(a->text, a->text_len, on_created, ret_id, err);
    if (!r && (!*ret_id || !**ret_id))
        r = err_set(err, ERR_SERVER,
                    "the object store gives no id for an upload");
    return r;
}

int
object_multipart_create(char **ret_id, struct object_client *c, const char *key,
                        const char *tag, struct err *err)
{
    cleanup_(object_headers_free) char *headers[OBJECT_HEADERS_MAX] = {0};
    struct object_ask ask = {.method = "POST", .key = key, .query = "uploads="};
    int n = object_put_headers(object_client_config(c), headers, 0, err);

    if (n < 0)
        return -1;
    object_put_header(headers, &n, "x-amz-checksum-algorithm", "SHA256");
    object_put_header(headers, &n, "x-amz-meta-upload-tag", tag);
    if (n < 0)
        return err_nomem(err);
    memcpy(ask.headers, headers, sizeof headers);
    *ret_id = NULL;
    return ask_to_create(ret_id, c, &ask, err);
}

/* ---- list ---- */

struct listing {
    struct object_parts *parts;
    unsigned n; /* of the part that is being read */
    struct object_part part;
    unsigned marker;
    int truncated;
};

static int
keep_part(struct listing *l, struct err *err)
{
    struct object_part *part = object_parts_at(l->parts, l->n);

    if (!part)
        return err_set(err, ERR_CORRUPT,
                       "the object store lists a part number %u", l->n);
    free(part->etag);
    *part = l->part;
    l->part = (struct object_part){0};
    l->n = 0;
    return 0;
}

static int
on_part(void *arg, const char *path, const char *text, struct err *err)
{
    struct listing *l = arg;

    if (strcmp(path, "ListPartsResult/Part/PartNumber") == 0)
        l->n = (unsigned)strtoul(text, NULL, 10);
    else if (strcmp(path, "ListPartsResult/Part/Size") == 0)
        l->part.len = strtoull(text, NULL, 10);
    else if (strcmp(path, "ListPartsResult/Part/ChecksumSHA256") == 0)
        snprintf(l->part.checksum, sizeof l->part.checksum, "%s", text);
    else if (strcmp(path, "ListPartsResult/Part/ETag") == 0) {
        free(l->part.etag);
        l->part.etag = strdup(text);
        return l->part.etag ? 0 : err_nomem(err);
    } else if (strcmp(path, "ListPartsResult/NextPartNumberMarker") == 0)
        l->marker = (unsigned)strtoul(text, NULL, 10);
    else if (strcmp(path, "ListPartsResult/IsTruncated") == 0)
        l->truncated = strcmp(text, "true") == 0;
    else if (strcmp(path, "ListPartsResult/Part") == 0)
        return keep_part(l, err);
    return 0;
}

static int
list_page(struct object_client *c, const char *key, const char *query,
          struct listing *l, struct err *err)
{
    cleanup_(object_call_endp) struct object_call *call = NULL;
    const struct object_ask ask = {.method = "GET", .key = key, .query = query};
    const struct object_answer *a;
    int r = object_call_begin(&call, c, &ask, err);

    if (!r)
        r = object_call_wait(call, &a, err);
    return r ? r : object_xml_parse(a->text, a->text_len, on_part, l, err);
}

int
object_multipart_list(struct object_parts *ret, struct object_client *c,
                      const char *key, const char *id, struct err *err)
{
    struct listing l = {.parts = ret};
    unsigned before;
    int r;

    do {
        cleanup_(freep) char *plain = object_multipart_query(id, 0);
        cleanup_(freep) char *query = NULL;

        before = l.marker;
        l.truncated = 0;
        if (!plain ||
            asprintf(&query, "part-number-marker=%u&%s", before, plain) < 0)
            return query = NULL, err_nomem(err);
        r = list_page(c, key, query, &l, err);
    } while (!r && l.truncated && l.marker > before);
    free(l.part.etag);
    return r;
}

/* ---- complete, abort ---- */

static void
put_escaped(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (strchr("<>&\"", *text))
            fprintf(f, "&#%d;", *text);
        else
            fputc(*text, f);
    }
}

static int
completion(char **ret, size_t *ret_len, const struct object_parts *parts)
{
    FILE *f = open_memstream(ret, ret_len);

    if (!f)
        return -1;
    fputs("<CompleteMultipartUpload "
          "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
          f);
    for (unsigned i = 0; i < parts->n; i++) {
        fprintf(f, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
        put_escaped(f, parts->parts[i].etag);
        fprintf(f, "</ETag><ChecksumSHA256>%s</ChecksumSHA256></Part>",
                parts->parts[i].checksum);
    }
    fputs("</CompleteMultipartUpload>", f);
    return fclose(f);
}

int
object_multipart_complete(struct object_client *c, const char *key,
                          const char *id, const struct object_parts *parts,
                          int replace, struct err *err)
{
    cleanup_(freep) char *query = object_multipart_query(id, 0), *body = NULL;
    cleanup_(object_call_endp) struct object_call *call = NULL;
    struct object_ask ask = {
        .method = "POST", .key = key, .query = query, .is_slow = 1};
    int r;

    if (!query || completion(&body, &ask.body_len, parts) != 0)
        return err_nomem(err);
    ask.body = body;
    if (!replace)
        ask.headers[0] = "If-None-Match: *";
    r = object_call_begin(&call, c, &ask, err);
    if (!r)
        r = object_call_wait(call, NULL, err);
    if (r > 0)
        object_call_complaint(call, err);
    return r == OBJECT_E_UNSUPPORTED ? -1 : r;
}

int
object_multipart_abort(struct object_client *c, const char *key, const char *id,
                       struct err *err)
{
    cleanup_(freep) char *query = object_multipart_query(id, 0);
    cleanup_(object_call_endp) struct object_call *call = NULL;
    const struct object_ask ask = {
        .method = "DELETE", .key = key, .query = query};
    int r;

    if (!query)
        return err_nomem(err);
    r = object_call_begin(&call, c, &ask, err);
    if (!r)
        r = object_call_wait(call, NULL, err);
    return r == OBJECT_E_MISSING ? 0 : r;
}
