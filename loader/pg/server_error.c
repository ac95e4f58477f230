/* SPDX-License-Identifier: PostgreSQL */
#include "loader/pg/server_error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *sqlstate;
    const char *hint;
} hints[] = {
    {"28P01", "Check the user's name, and the password in ~/.pgpass, a "
              "service file or PGPASSWORD."},
    {"28000", "Check that the role exists and may log in, and that "
              "pg_hba.conf lets it in from this host."},
    {"3D000", "Check the database's name; \"psql -l\" lists them."},
    {"53300", "Use fewer jobs, or raise max_connections."},
    {"57P03", "Wait until the server has started up."},
    {"42501", "Grant the privilege to this role, or use another role."},
};

static void
add_hint(struct err *err)
{
    for (unsigned i = 0; i < sizeof hints / sizeof *hints; i++) {
        if (!err->hint[0] && strcmp(err->sqlstate, hints[i].sqlstate) == 0)
            err_hint(err, "%s", hints[i].hint);
    }
    if (!err->hint[0] && strstr(err->message, "SSL was required"))
        err_hint(err, "Let the server use TLS, or add sslmode=prefer to the "
                      "connection string where the network can be trusted.");
}

/* Append to a text, after between when something stands there already. */
static void
append(char *to, size_t size, const char *between, const char *text, size_t len)
{
    size_t at = strlen(to);

    snprintf(to + at, size - at, "%s%.*s", at ? between : "", (int)len, text);
}

static void
fill_from_result(struct err *err, const PGresult *r, const char *what)
{
    const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL);
    const char *context = PQresultErrorField(r, PG_DIAG_CONTEXT);
    const char *hint = PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);

    err_set(err, ERR_SERVER, "%.500s: %s", what,
            PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
    snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
    if (detail)
        append(err->detail, sizeof err->detail, "; ", detail, strlen(detail));
    if (context)
        append(err->detail, sizeof err->detail, "; ", context, strlen(context));
    if (hint)
        err_hint(err, "%s", hint);
}

/* "...FATAL:  28P01: password..." -> where 28P01 stands, or NULL. */
static const char *
find_sqlstate(const char *line, size_t len)
{
    static const char shape[] = ":  XXXXX: ";
    size_t k;

    for (size_t i = 0; i + sizeof shape - 1 <= len; i++) {
        for (k = 0; k < sizeof shape - 1; k++) {
            unsigned char c = (unsigned char)line[i + k];

            if (shape[k] == 'X' ? !isupper(c) && !isdigit(c) : c != shape[k])
                break;
        }
        if (k == sizeof shape - 1)
            return line + i + 3;
    }
    return NULL;
}

static void
add_line(struct err *err, char *message, size_t size, const char *line,
         size_t len)
{
    const char *state;

    if (strncmp(line, "LOCATION:  ", 11) == 0)
        return;
    if (strncmp(line, "DETAIL:  ", 9) == 0) {
        append(err->detail, sizeof err->detail, "; ", line + 9, len - 9);
    } else if (strncmp(line, "HINT:  ", 7) == 0) {
        append(err->hint, sizeof err->hint, " ", line + 7, len - 7);
    } else if (*line == '\t') {
        /* libpq's own guesses go on in lines that begin so. */
        append(err->hint, sizeof err->hint, " ", line + 1, len - 1);
    } else if ((state = find_sqlstate(line, len))) {
        memcpy(err->sqlstate, state, 5);
        append(message, size, "; ", line, (size_t)(state - line));
        snprintf(message + strlen(message), size - strlen(message), "%.*s",
                 (int)(len - (size_t)(state - line) - 7), state + 7);
    } else {
        append(message, size, "; ", line, len);
    }
}

/* The text that libpq keeps for people: several lines, one for each host that
   was tried, and with its guesses below. */
static void
fill_from_text(struct err *err, const char *text, const char *what)
{
    char message[sizeof err->message] = "";
    size_t len;

    err_set(err, ERR_SERVER, "%s", "");
    for (; *text; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        if (len)
            add_line(err, message, sizeof message, text, len);
    }
    snprintf(err->message, sizeof err->message, "%.500s: %.500s", what,
             message[0] ? message : "the connection was lost");
}

int
server_error_fill(struct err *err, const PGconn *conn, const PGresult *r,
                  const char *what)
{
    const char *text = r ? PQresultErrorMessage(r) : "";

    if (r && PQresultErrorField(r, PG_DIAG_SQLSTATE) &&
        PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY))
        fill_from_result(err, r, what);
    else
        fill_from_text(err, *text ? text : PQerrorMessage(conn), what);
    if (!err->sqlstate[0] && PQconnectionNeedsPassword(conn))
        strcpy(err->sqlstate, "28P01"); /* libpq gave up before the server */
    add_hint(err);
    return -1;
}

const char *
server_error_words(const struct err *err)
{
    static const char ours[] = " on the source: ";
    const char *at = strstr(err->message, ours);

    return at ? at + sizeof ours - 1 : err->message;
}
