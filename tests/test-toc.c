/* SPDX-License-Identifier: PostgreSQL */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loader/target/toc.h"

static const char sql[] =
    "SET row_security = off;\n\n"
    "--\n-- TOC entry 3227 (class 2606 OID 16392)\n-- Dependencies: 215\n"
    "-- Name: c c_pkey; Type: CONSTRAINT; Schema: public; Owner: o\n--\n\n"
    "ALTER TABLE ONLY public.c\n    ADD CONSTRAINT c_pkey PRIMARY KEY (id);\n"
    "\n\n--\n-- TOC entry 3230 (class 1259 OID 16401)\n"
    "-- Name: i; Type: INDEX; Schema: public; Owner: o\n--\n\n"
    "CREATE INDEX i ON public.c USING btree (id);\n";

Test(toc, text_is_read_to_its_end_and_no_further_wherever_it_was_cut)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *end = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned n = 0;

    cr_assert_neq(end, MAP_FAILED);
    end += page;
    cr_assert_eq(mprotect(end, page, PROT_NONE), 0);

    for (size_t len = 0; len < sizeof sql; len++) {
        struct toc_entry e;
        struct toc_scan scan;

        memcpy(end - len, sql, len);
        toc_scan_begin(&scan, end - len, len);
        for (n = 0; toc_scan_next(&scan, &e); n++)
            cr_assert(e.sql.at + e.sql.len <= end);
    }
    cr_assert_eq(n, 2);
    munmap(end - page, 2 * page);
}
