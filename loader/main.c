/* SPDX-License-Identifier: PostgreSQL */
int
main(void)
{
    return 2;
}
