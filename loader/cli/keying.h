/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* How the options that name keys become keys. */

#include "formats/age/age.h"
#include "loader/cli/command.h"

/* Of who writes, and of who reads, what is encrypted. */
#define KEYING_RECIPIENT_OPTIONS                                               \
    (OPTION_SET(recipient) | OPTION_SET(recipients_file))
#define KEYING_IDENTITY_OPTIONS                                                \
    (OPTION_SET(identity) | OPTION_SET(identity_command))

/* Both: *ret, which the caller frees, is NULL where none is named. */
int keying_recipients(struct age_recipients **ret,
                      const struct command_context *ctx, struct err *err);
int keying_identities(struct age_identities **ret,
                      const struct command_context *ctx, struct err *err);
