# SPDX-License-Identifier: PostgreSQL
"""A proxy that reads PostgreSQL's protocol, for tests of lost connections.

    pg-proxy.py [--fail DIRECTION TYPE NTH HOW] SOCKET_DIR...

Listens on 127.0.0.1, prints its port, and hands each connection to the next
of the servers.  Messages are counted by direction (F: to the server, B: from
it) and type, over all connections; TYPE is the protocol's letter, or '-' for
what begins a connection, optionally with text that the message must hold:
"Q:COMMIT".  At the NTH of them, once:

    fin    the connection is closed instead
    rst    the connection is reset instead
    mid    half of the message goes on its way, then the connection is closed
    half   only the receiver is told that no more comes
    stall  nothing goes on its way any more, and nobody is told

It prints "failed" when it does that, and at its end (SIGTERM) what it has
counted: "B D 17".
"""
import collections
import signal
import socket
import struct
import sys
import threading

counts = collections.Counter()
lock = threading.Lock()
fail = None
failed = False


def strikes(direction, kind, message):
    """Is this the message?  Counts it."""
    global failed
    with lock:
        counts[direction, kind] += 1
        if not fail or failed or fail[0] != direction:
            return False
        want, _, text = fail[1].partition(':')
        if want != kind or text.encode() not in message:
            return False
        fail[2] -= 1
        failed = fail[2] == 0
        if failed:
            print('failed', flush=True)
        return failed


def read(sock, n):
    data = b''
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def messages(sock, direction):
    """Whole messages with their types."""
    first = direction == 'F'
    while True:
        head = b'' if first else read(sock, 1)
        length = read(sock, 4)
        body = read(sock, struct.unpack('!I', length)[0] - 4)
        yield '-' if first else head.decode(), head + length + body
        first = False


def cut(how, message, to, both):
    if how == 'stall':
        threading.Event().wait()
    if how == 'mid':
        to.sendall(message[:max(1, len(message) // 2)])
    if how == 'half':
        to.shutdown(socket.SHUT_WR)
        threading.Event().wait(5)
    for sock in both:
        if how == 'rst':
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack('ii', 1, 0))
        try:
            sock.shutdown(socket.SHUT_RD if how == 'rst' else socket.SHUT_RDWR)
        except OSError:
            pass


def pump(direction, source, to, both, stalled):
    try:
        for kind, message in messages(source, direction):
            if strikes(direction, kind, message):
                if fail[3] == 'stall':
                    stalled.set()
                cut(fail[3], message, to, both)
                break
            if stalled.is_set():
                threading.Event().wait()
            to.sendall(message)
    except (EOFError, OSError):
        pass
    for sock in both:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    source.close()


def serve(client, path):
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(path)
    except OSError:
        client.close()
        return
    both, stalled = (client, server), threading.Event()
    for args in (('F', client, server), ('B', server, client)):
        threading.Thread(target=pump, args=(*args, both, stalled),
                         daemon=True).start()


def finish(*_):
    with lock:
        for (direction, kind), n in sorted(counts.items()):
            print(direction, kind, n)
    sys.stdout.flush()
    sys.exit(0)


def main(args):
    global fail
    if args[0] == '--fail':
        fail = [args[1], args[2], int(args[3]), args[4]]
        args = args[5:]
    signal.signal(signal.SIGTERM, finish)
    listener = socket.create_server(('127.0.0.1', 0), backlog=100)
    print(listener.getsockname()[1], flush=True)
    n = 0
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serve(client, args[n % len(args)] + '/.s.PGSQL.5432')
        n += 1


main(sys.argv[1:])
