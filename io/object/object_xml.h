/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The answers of object stores: small XML.  They are hostile: no document
 * type, so no entities of their own; not deep; no long text.
 */

#include <stddef.h>

#include "io/err.h"

enum { OBJECT_XML_TEXT_MAX = 4096 };

/*
 * Called at the end of each element: path is "ListPartsResult/Part/ETag",
 * text what stands in it besides other elements.  Not 0: the end, *err filled.
 */
typedef int object_xml_visit(void *arg, const char *path, const char *text,
                             struct err *err);

/* ERR_CORRUPT: it is not XML, or not of ours. */
int object_xml_parse(const char *text, size_t len, object_xml_visit *visit,
                     void *arg, struct err *err);
