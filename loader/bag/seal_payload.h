/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Private to the seal: the files below data/, and their manifest. */

#include <stdint.h>

#include "formats/merkle.h"
#include "io/bytes.h"
#include "io/err.h"
#include "loader/bag/seal_run.h"

struct seal_payload {
    uint64_t n_files, n_bytes; /* BagIt's "Payload-Oxum" */
    struct merkle tree;        /* of the manifest's lines */
};

/* Write the manifest into out, in the order of the paths. */
int seal_payload_write(struct seal_payload *ret, const struct seal_run *run,
                       const struct bytes_out *out, struct err *err);
