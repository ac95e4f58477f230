# SPDX-License-Identifier: PostgreSQL
"""Archives that nobody may believe: hostile-tars.py GOOD DIR puts some fifty of
them, made out of a good one, into DIR, and says "NAME STATUS" of each: what a
reader of it must end with."""
import io
import os
import sys
import tarfile

BLOCK = 512
good = open(sys.argv[1], 'rb').read()
out = sys.argv[2]


def emit(name, data, status=4):
    with open(os.path.join(out, name + '.tar'), 'wb') as f:
        f.write(data)
    print(name, status)


def members():
    """(path, offset of header, offset of data, length)"""
    found, at = [], 0
    while good[at:at + BLOCK] != bytes(BLOCK):
        path = good[at:at + 100].rstrip(b'\0').decode()
        length = int(good[at + 124:at + 135], 8)
        found.append((path, at, at + BLOCK, length))
        at += BLOCK + (length + BLOCK - 1) // BLOCK * BLOCK
    return found, at


all_members, end = members()
by_path = {m[0]: m for m in all_members}
chunk = next(m for m in all_members if m[0].startswith('data/tables/'))


def checksum(header):
    h = bytearray(header)
    h[148:156] = b' ' * 8
    h[148:156] = b'%06o\0 ' % sum(h)
    return bytes(h)


def with_header(m, change):
    h = bytearray(good[m[1]:m[1] + BLOCK])
    change(h)
    return good[:m[1]] + checksum(h) + good[m[1] + BLOCK:]


def field(at, value):
    def change(h):
        h[at:at + len(value)] = value
    return change


def entry(name, kind, data=b'', **more):
    t = tarfile.TarInfo(name)
    t.type, t.size, t.mode = kind, len(data), 0o600
    for k, v in more.items():
        setattr(t, k, v)
    return t.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % BLOCK)


def ours(path, data):
    """As the program itself would write it."""
    h = bytearray(good[chunk[1]:chunk[1] + BLOCK])
    h[0:100] = path.encode().ljust(100, b'\0')
    h[124:135] = b'%011o' % len(data)
    return checksum(h) + data + bytes(-len(data) % BLOCK)


def resized(m, length):
    return with_header(m, field(124, b'%011o' % length))


def inserted(what, before=chunk):
    return good[:before[1]] + what + good[before[1]:]


def name(text):
    return field(0, text.encode().ljust(100, b'\0')[:100])


REG, LNK, SYM = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE

# Names.
emit('absolute', with_header(chunk, name('/etc/pwned')))
emit('parent', with_header(chunk, name('data/../../pwned')))
emit('only-parent', with_header(chunk, name('..')))
emit('dot', with_header(chunk, name('./data/tables/1-a/1.text.lz4')))
emit('empty-name', with_header(chunk, name('')))
emit('other-name', with_header(chunk, name('data/tables/1-a/1.text.lz5')))
emit('control-name', with_header(chunk, name('data/tables/\x1b[2J')))
emit('slash-at-end', with_header(chunk, name(chunk[0] + '/')))
emit('prefix', with_header(chunk, field(345, b'../../..')))
emit('unlisted', inserted(ours('data/tables/9-x/99.text.lz4', b'x')))
emit('unlisted-tag', inserted(ours('evil.txt', b'x')))
# Kinds.
emit('symlink', inserted(entry('data/tables', SYM, linkname='/etc')))
emit('symlink-in-place', with_header(chunk, field(156, b'2')))
emit('hard-link', inserted(entry(chunk[0], LNK, linkname='/etc/passwd')))
emit('hard-link-in-place', with_header(chunk, field(156, b'1')))
emit('directory', inserted(entry('data', tarfile.DIRTYPE)))
emit('character-device', inserted(entry('null', tarfile.CHRTYPE)))
emit('block-device', inserted(entry('sda', tarfile.BLKTYPE)))
emit('fifo', inserted(entry('fifo', tarfile.FIFOTYPE)))
emit('unknown-kind', with_header(chunk, field(156, b'Z')))
emit('sparse', inserted(entry(chunk[0], b'S', b'x' * 512)))
emit('gnu-long-name', inserted(entry('././@LongLink', b'L', b'/etc/x\0')))
# Twice, missing, out of order.
emit('twice', good[:chunk[1]] + 2 * good[chunk[1]:all_members[
    all_members.index(chunk) + 1][1]] + good[all_members[
        all_members.index(chunk) + 1][1]:])
emit('missing', good[:chunk[1]] + good[all_members[
    all_members.index(chunk) + 1][1]:])
emit('readme-last', good[all_members[1][1]:end] + good[:all_members[1][1]] +
     good[end:])
emit('no-head', good[:by_path['archive.txt'][1]] +
     good[by_path['bagit.txt'][1]:])
# Lengths.
emit('huge', resized(chunk, 8 ** 11 - 1))
emit('huge-binary', with_header(chunk, field(124, b'\x80' + b'\0' * 3 +
                                             b'\x7f' + b'\xff' * 7)))
emit('negative', with_header(chunk, field(124, b'\xff' * 12)))
emit('shorter', resized(chunk, 0))
emit('huge-readme', resized(all_members[0], 8 ** 11 - 1))
emit('huge-manifest', resized(by_path['manifest-sha256.txt'],
                              8 ** 10 - 1))
# What pax headers can say otherwise.
emit('pax-path', inserted(entry(chunk[0], REG, b'x',
                                pax_headers={'path': '/etc/pwned'})))
emit('pax-size', inserted(entry(chunk[0], REG, b'x',
                                pax_headers={'size': '99999999999'})))
emit('pax-linkpath', inserted(entry(chunk[0], REG, b'x', pax_headers={
    'linkpath': '/etc/passwd'})))
emit('pax-sparse', inserted(entry(chunk[0], REG, b'x', pax_headers={
    'GNU.sparse.major': '1', 'GNU.sparse.minor': '0',
    'GNU.sparse.name': '/etc/x', 'GNU.sparse.realsize': '1000000000000'})))
emit('pax-global', inserted(entry('x', b'g', b'18 path=/etc/pwned\n')))
emit('pax-nothing', inserted(entry(chunk[0], REG, b'x',
                                   pax_headers={'comment': 'hello'})))
# Headers that say more.
emit('mode', with_header(chunk, field(100, b'006755 \0')))
emit('owner', with_header(chunk, field(108, b'001750 \0')))
emit('time', with_header(chunk, field(136, b'00000000001\0')))
emit('user-name', with_header(chunk, field(265, b'root')))
emit('wrong-checksum', good[:chunk[1]] + b'X' + good[chunk[1] + 1:])
# Ends.
emit('empty', b'')
emit('zeros', bytes(10240))
emit('garbage-behind', good + b'x' * BLOCK)
emit('zeros-behind', good + bytes(8192))
emit('two-archives', good + good)
emit('no-end', good[:-1024])
emit('no-foot', good[:end - BLOCK] + good[end:])
emit('cut-in-half', good[:len(good) // 2 // BLOCK * BLOCK])
emit('cut-in-a-header', good[:chunk[1] + 100])
emit('index-alone', good[by_path['index.txt'][1]:])
emit('no-index', good[:by_path['index.txt'][1]] + good[end:])
# Not tar at all.
emit('gzip', b'\x1f\x8b\x08\0' + good)
emit('text', b'hello\n' * 1000)
emit('bomb', ours('README.txt', bytes(64 << 20)) + bytes(1024))
# Of another version, or another archive.
head = by_path['archive.txt']
emit('newer', (good[:head[2]] + good[head[2]:].replace(
    b'pghaul archive 1', b'pghaul archive 2')), 6)
emit('other-bag', good[:head[2] + 40] + b'0' * 4 + good[head[2] + 44:])
# A manifest that lists what it must not.
m = by_path['manifest-sha256.txt']
for what, path in (('up', '../../pwned'), ('absolute', '/etc/pwned'),
                   ('outside', 'README.txt'), ('deep', 'data/a/b/c/d')):
    text = good[m[2]:m[2] + m[3]]
    line = text[:64] + b'  ' + path.encode() + b'\n'
    more = line + text
    emit('manifest-' + what, good[:m[1]] + ours(m[0], more) +
         good[m[2] + m[3] + (-m[3] % BLOCK):])
