/* SPDX-License-Identifier: PostgreSQL */
#include "loader/cli/keying.h"

#include "loader/keys/keys.h"

static struct keys_params
params(const struct command_context *ctx)
{
    const struct options *o = ctx->options;

    return (struct keys_params){
        .recipients = o->recipient.texts,
        .n_recipients = o->recipient.n,
        .recipients_file = o->recipients_file,
        .identities = o->identity.texts,
        .n_identities = o->identity.n,
        .identity_command = o->identity_command,
        .stop = ctx->stop,
    };
}

int
keying_recipients(struct age_recipients **ret,
                  const struct command_context *ctx, struct err *err)
{
    const struct keys_params p = params(ctx);

    return keys_recipients(ret, &p, err);
}

int
keying_identities(struct age_identities **ret,
                  const struct command_context *ctx, struct err *err)
{
    const struct keys_params p = params(ctx);

    return keys_identities(ret, &p, err);
}
