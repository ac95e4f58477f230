/* SPDX-License-Identifier: PostgreSQL */
#pragma once

#include <stdlib.h>

/* Release a local when it leaves scope; take() hands it on instead. */
#define cleanup_(fn) __attribute__((cleanup(fn)))
#define take(p)                                                                \
    __extension__({                                                            \
        __typeof__(p) take_ = (p);                                             \
        (p) = NULL;                                                            \
        take_;                                                                 \
    })

#define DEFINE_CLEANUP(type, fn)                                               \
    static inline void fn##p(type *p)                                          \
    {                                                                          \
        if (*p)                                                                \
            *p = fn(*p);                                                       \
    }

/* For what malloc() gave: cleanup_(freep) char *name = NULL; */
static inline void
freep(void *p)
{
    free(*(void **)p);
}
