/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Verifying: what "verify" does, also for who has just loaded. */

#include "io/err.h"
#include "loader/cli/workplace.h"

/* The two that the workplace's options name; ERR_DIFFERS. */
int verifying(struct workplace *w, struct err *err);
