/* SPDX-License-Identifier: PostgreSQL */
#include "loader/work/lane.h"

#include "loader/pg/session.h"

enum lane_verdict
lane_judge(const struct err *err)
{
    switch (err->class) {
    case ERR_SERVER:
        return session_retry_class(err) == SESSION_RETRY_NEVER ? LANE_FAILED
                                                               : LANE_AGAIN;
    case ERR_CORRUPT:
    case ERR_DIFFERS:
        return LANE_FAILED;
    case ERR_USAGE:
    case ERR_SYSTEM:
    case ERR_REFUSED:
    case ERR_CANCELLED:
        break;
    }
    return LANE_FATAL;
}
