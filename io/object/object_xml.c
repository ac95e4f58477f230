/* SPDX-License-Identifier: PostgreSQL */
#include "io/object/object_xml.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

#include "io/cleanup.h"

enum { PATH_SIZE = 256 };

struct parse {
    XML_Parser parser;
    object_xml_visit *visit;
    void *arg;
    struct err *err;
    int r;
    char path[PATH_SIZE];
    size_t path_len;
    char text[OBJECT_XML_TEXT_MAX];
    size_t text_len;
};

static void
parser_freep(XML_Parser *p)
{
    if (*p)
        XML_ParserFree(*p);
}

static void
give_up(struct parse *p, const char *why)
{
    if (!p->r)
        p->r = err_set(p->err, ERR_CORRUPT,
                       "the object store's answer is not understood: %s", why);
    XML_StopParser(p->parser, XML_FALSE);
}

static void
on_begin(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct parse *p = arg;
    size_t len = strlen(name);

    (void)attributes;
    p->text_len = 0;
    if (p->path_len + len + 2 > sizeof p->path) {
        give_up(p, "too deep");
        return;
    }
    if (p->path_len)
        p->path[p->path_len++] = '/';
    memcpy(p->path + p->path_len, name, len + 1);
    p->path_len += len;
}

static void
on_text(void *arg, const XML_Char *text, int len)
{
    struct parse *p = arg;

    if (p->text_len + (size_t)len >= sizeof p->text) {
        give_up(p, "too long a text");
        return;
    }
    memcpy(p->text + p->text_len, text, (size_t)len);
    p->text_len += (size_t)len;
}

static void
on_end(void *arg, const XML_Char *name)
{
    struct parse *p = arg;

    p->text[p->text_len] = '\0';
    p->r = p->visit(p->arg, p->path, p->text, p->err);
    if (p->r)
        XML_StopParser(p->parser, XML_FALSE);
    p->text_len = 0;
    p->path_len -= strlen(name);
    if (p->path_len)
        p->path_len--;
    p->path[p->path_len] = '\0';
}

static void
on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id,
           const XML_Char *public_id, int has_internal_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_internal_subset;
    give_up(arg, "it has a document type");
}

int
object_xml_parse(const char *text, size_t len, object_xml_visit *visit,
                 void *arg, struct err *err)
{
    cleanup_(parser_freep) XML_Parser parser = XML_ParserCreate("UTF-8");
    struct parse p = {.parser = parser, .visit = visit, .arg = arg, .err = err};

    if (!parser)
        return err_nomem(err);
    XML_SetUserData(parser, &p);
    XML_SetElementHandler(parser, on_begin, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    if (len > INT_MAX)
        give_up(&p, "too long");
    if (!p.r && XML_Parse(parser, text, (int)len, 1) != XML_STATUS_OK && !p.r)
        give_up(&p, XML_ErrorString(XML_GetErrorCode(parser)));
    return p.r;
}
