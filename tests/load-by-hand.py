# SPDX-License-Identifier: PostgreSQL
"""Load the rows of a run directory into the tables of a database with lz4 and
psql alone, as one could who has lost the program: load-by-hand.py RUN CONNINFO.
Another reader of catalog.json than the program's own."""
import json
import os
import subprocess
import sys


def name(o, member):
    """The bytes of a name, in the database's encoding."""
    if member in o:
        return o[member].encode()
    return bytes.fromhex(o[member + '_hex'])


def ident(text):
    return b'"' + text.replace(b'"', b'""') + b'"'


def main(run, conninfo):
    with open(os.path.join(run, 'data', 'catalog.json'), 'rb') as f:
        catalog = json.load(f)
    env = dict(os.environ, PGCLIENTENCODING=catalog['source']['encoding'])
    for t in catalog['tables']:
        columns = b', '.join(ident(name(c, 'name')) for c in t['columns'])
        if name(t, 'schema') == b'pg_catalog':
            continue  # large objects: no table that COPY could fill
        into = 'root_' if 'root_name' in t else ''
        copy = b'COPY %s.%s %s FROM STDIN (FORMAT %s)' % (
            ident(name(t, into + 'schema')), ident(name(t, into + 'name')),
            b'(' + columns + b')' if columns else b'', t['format'].encode())
        for chunk in t['chunks']:
            path = os.path.join(run, 'data', chunk['file'])
            subprocess.run(['lz4', '-tq', path], check=True)
            lz4 = subprocess.Popen(['lz4', '-dcq', path],
                                   stdout=subprocess.PIPE)
            said = subprocess.run(
                [b'psql', b'-Xd', conninfo.encode(), b'-c', copy], env=env,
                stdin=lz4.stdout, stdout=subprocess.PIPE, check=True).stdout
            if said != b'COPY %d\n' % chunk['rows'] or lz4.wait() != 0:
                sys.exit('%s: %s' % (path, said))


main(*sys.argv[1:])
