/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_sign.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/cleanup.h"
#include "io/object/object_text.h"

enum { N_HEADERS_MAX = 32, SHA256_LEN = 32 };

void
object_date(char ret[OBJECT_DATE_SIZE], time_t now)
{
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(ret, OBJECT_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm);
}

char *
object_escape(const char *text, int slashes)
{
    char *ret = malloc(3 * strlen(text) + 1), *to = ret;

    for (; ret && *text; text++) {
        unsigned char c = (unsigned char)*text;

        /* isalnum() would ask the locale. */
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || strchr("-._~", c) ||
            (c == '/' && slashes))
            *to++ = (char)c;
        else
            to += sprintf(to, "%%%02X", c);
    }
    if (ret)
        *to = '\0';
    return ret;
}

/* ---- the canonical request ---- */

struct header {
    const char *line;
    size_t name_len;
};

static int
by_name(const void *a, const void *b)
{
    const struct header *x = a, *y = b;
    size_t len = x->name_len < y->name_len ? x->name_len : y->name_len;
    int r = strncasecmp(x->line, y->line, len);

    if (r)
        return r;
    return (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

static void
put_name(FILE *f, const struct header *h)
{
    for (size_t i = 0; i < h->name_len; i++)
        fputc(tolower((unsigned char)h->line[i]), f);
}

/* Runs of blanks count as one, those around it as none. */
static void
put_value(FILE *f, const struct header *h)
{
    const char *from = h->line + h->name_len + 1;

    from += strspn(from, " \t");
    while (*from) {
        size_t n = strcspn(from, " \t");

        fwrite(from, 1, n, f);
        from += n;
        n = strspn(from, " \t");
        from += n;
        if (n && *from)
            fputc(' ', f);
    }
}

static void
put_names(FILE *f, const struct header *headers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (i)
            fputc(';', f);
        put_name(f, &headers[i]);
    }
}

static void
put_request(FILE *f, const struct object_signing *s,
            const struct header *headers)
{
    fprintf(f, "%s\n%s\n%s\n", s->method, s->path, s->query);
    for (unsigned i = 0; i < s->n_headers; i++) {
        put_name(f, &headers[i]);
        fputc(':', f);
        put_value(f, &headers[i]);
        fputc('\n', f);
    }
    fputc('\n', f);
    put_names(f, headers, s->n_headers);
    fprintf(f, "\n%s", s->payload_sha256);
}

static int
hash_request(char ret[2 * SHA256_LEN + 1], const struct object_signing *s,
             const struct header *headers, struct err *err)
{
    cleanup_(freep) char *text = NULL;
    unsigned char hash[SHA256_LEN];
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return err_nomem(err);
    put_request(f, s, headers);
    if (fclose(f) || !EVP_Digest(text, len, hash, NULL, EVP_sha256(), NULL))
        return err_nomem(err);
    object_hex(ret, hash, sizeof hash);
    return 0;
}

/* ---- the key, and the signature ---- */

static int
mac(unsigned char ret[SHA256_LEN], const void *key, size_t key_len,
    const char *text)
{
    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text,
                strlen(text), ret, NULL) != NULL;
}

/* Each step hides the one before: who has a day's key of one service and
   region cannot make another. */
static int
sign_text(unsigned char ret[SHA256_LEN], const struct object_signing *s,
          const char *text)
{
    cleanup_(freep) char *first = NULL;
    unsigned char key[SHA256_LEN], next[SHA256_LEN];
    char day[9] = "";
    int len = asprintf(&first, "AWS4%s", s->keys->secret), ok;

    if (len < 0) {
        first = NULL;
        return 0;
    }
    memcpy(day, s->date, 8);
    ok = mac(key, first, (size_t)len, day) &&
         mac(next, key, sizeof key, s->region) &&
         mac(key, next, sizeof next, "s3") &&
         mac(next, key, sizeof key, "aws4_request") &&
         mac(ret, next, sizeof next, text);
    OPENSSL_cleanse(first, (size_t)len);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(next, sizeof next);
    return ok;
}

static int
authorize(char **ret, const struct object_signing *s, const char *request,
          const struct header *headers)
{
    cleanup_(freep) char *scope = NULL, *text = NULL;
    unsigned char signature[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    size_t len = 0;
    FILE *f;

    if (asprintf(&scope, "%.8s/%s/s3/aws4_request", s->date, s->region) < 0)
        return scope = NULL, 0;
    if (asprintf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", s->date, scope,
                 request) < 0)
        return text = NULL, 0;
    if (!sign_text(signature, s, text) || !(f = open_memstream(ret, &len)))
        return 0;
    object_hex(hex, signature, sizeof signature);
    fprintf(f,
            "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s,"
            "SignedHeaders=",
            s->keys->id, scope);
    put_names(f, headers, s->n_headers);
    fprintf(f, ",Signature=%s", hex);
    return fclose(f) == 0;
}

int
object_sign(char **ret, const struct object_signing *s, struct err *err)
{
    struct header headers[N_HEADERS_MAX];
    char request[2 * SHA256_LEN + 1];

    if (s->n_headers > N_HEADERS_MAX)
        return err_set(err, ERR_USAGE, "too many headers to be signed");
    for (unsigned i = 0; i < s->n_headers; i++)
        headers[i] =
            (struct header){s->headers[i], strcspn(s->headers[i], ":")};
    qsort(headers, s->n_headers, sizeof *headers, by_name);

    if (hash_request(request, s, headers, err) < 0)
        return -1;
    if (!authorize(ret, s, request, headers))
        return err_nomem(err);
    return 0;
}
