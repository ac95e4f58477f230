/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Ask before something is taken away.  The question is put to the terminal;
 * where there is none nobody can have said yes.
 */

#include "io/err.h"

/* ERR_REFUSED when the answer is not "y" or "yes", or nobody can answer. */
int confirm(const char *question, struct err *err);
