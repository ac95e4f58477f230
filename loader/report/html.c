/* SPDX-License-Identifier: PostgreSQL */
#include "loader/report/html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/printable.h"
#include "loader/progress/quantity.h"

enum { TEXT_MAX = 4096 };

/* What printable() makes of a line feed. */
static const char LINE_FEED[] = "\n    ";

static void
put_escaped(FILE *to, const char *s, const char *line_feed)
{
    for (; *s; s++) {
        if (strncmp(s, LINE_FEED, sizeof LINE_FEED - 1) == 0) {
            fputs(line_feed, to);
            s += sizeof LINE_FEED - 2;
        } else if (strchr("&<>\"'", *s)) {
            fprintf(to, "&#%d;", *s);
        } else {
            fputc(*s, to);
        }
    }
}

static void
put_text(FILE *to, const char *text, const char *line_feed)
{
    char cut[TEXT_MAX], shown[PRINTABLE_SIZE(TEXT_MAX)];

    snprintf(cut, sizeof cut, "%s", text);
    put_escaped(to, printable(shown, sizeof shown, cut), line_feed);
    if (strlen(text) >= sizeof cut)
        fputs(" …", to);
}

void
html_text(FILE *to, const char *text)
{
    put_text(to, text, "<i class=\"c\">\\n</i>");
}

void
html_attribute(FILE *to, const char *text)
{
    put_text(to, text, "\\n");
}

void
html_name(FILE *to, const char *schema, const char *name)
{
    fputs("<bdi>", to);
    if (schema && *schema) {
        fputs("<span class=\"q\">", to);
        html_text(to, schema);
        fputs(".</span></bdi><bdi>", to);
    }
    html_text(to, name);
    fputs("</bdi>", to);
}

void
html_number(FILE *to, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            fputs("\xe2\x80\xaf", to); /* U+202F */
        fputc(digits[i], to);
    }
}

/* "16.7 MB": its unit stays with it. */
void
html_bytes(FILE *to, uint64_t n)
{
    char text[QUANTITY_SIZE];

    for (const char *c = quantity_bytes(text, n); *c; c++)
        fputs(*c == ' ' ? "&nbsp;" : (char[]){*c, '\0'}, to);
}

void
html_duration(FILE *to, uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (ms < 1000)
        fprintf(to, "%" PRIu64 "&nbsp;ms", ms);
    else if (s < 60)
        fprintf(to, "%" PRIu64 ".%" PRIu64 "&nbsp;s", s, ms % 1000 / 100);
    else if (s < 3600)
        fprintf(to, "%" PRIu64 "&nbsp;min&nbsp;%" PRIu64 "&nbsp;s", s / 60,
                s % 60);
    else
        fprintf(to, "%" PRIu64 "&nbsp;h&nbsp;%02" PRIu64 "&nbsp;min", s / 3600,
                s / 60 % 60);
}

void
html_time(FILE *to, uint64_t at_ms)
{
    time_t s = (time_t)(at_ms / 1000);
    struct tm tm;
    char date[32], time[32];

    if (!gmtime_r(&s, &tm))
        return;
    strftime(date, sizeof date, "%Y-%m-%d", &tm);
    strftime(time, sizeof time, "%H:%M:%S", &tm);
    fprintf(to, "<time datetime=\"%sT%sZ\">%s&nbsp;%s</time>", date, time, date,
            time);
}
