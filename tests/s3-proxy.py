# SPDX-License-Identifier: PostgreSQL
"""A proxy before an object store, for tests of what may go wrong there.

    s3-proxy.py [--token TEXT] [--lifetime SECONDS] PORT

Listens on 127.0.0.1, prints its port, hands requests on to the store at PORT.
It checks what not every store does: the signature (version 4, worked out here
anew), and that the body is the one that was signed.  It is told by requests
without a signature:

    PUT /_rules/BUCKET     makes the bucket; its rules from now on, a line each
    GET /_log/BUCKET       a line a request since: "PUT /b/k?partNumber=1 200"
    GET /_headers/BUCKET   a line a header since: "PUT x-amz-date: ..."

A rule is "METHOD TEXT COUNT ACTION": to the first COUNT requests (or "*"; or
"=3", the third alone) of that method ("*": any) whose line has the text,

    503        SlowDown, and 500 InternalError: nothing is handed on
    403        AccessDenied
    late       503 with Retry-After: 1
    401        RequestTimeTooSkewed, as by a clock that is ten minutes ahead
    expired    ExpiredToken
    cut        the connection is cut while the body comes
    drop       it is handed on, and the connection is cut before the answer
    short      half of the answer's body, then the connection is cut
    stall      nothing is answered any more
    flip       a bit of the body is another one, and it is handed on
    error200   status 200 with an error in it
    range      an answer with other bytes than were asked for
    endless    an answer that does not end
    bomb       XML with entities that grow
    page       the page of some other proxy, with 502
    replaced   412
    slow       the answer comes in small pieces
    few        a list of two at a time

For roles it answers itself: /latest/... as a machine's metadata, /container
as a container's, with keys that are good for --lifetime seconds.
"""
import argparse
import datetime
import hashlib
import hmac
import http.client
import http.server
import json
import socket
import sys
import threading
import time
import urllib.parse

KEY = 'S3RVER'    # and secret
args = None
lock = threading.Lock()
rules = {}      # bucket -> [method, text, count, action, times so far]
lines = {}      # bucket -> log
headers = {}    # bucket -> headers


def error(code):
    return (f'<?xml version="1.0"?><Error><Code>{code}</Code>'
            f'<Message>as the test has it</Message></Error>').encode()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def is_signed(handler, body):
    """Whether the signature is what the secret and this request give."""
    header = handler.headers.get('Authorization', '')
    kind, _, rest = header.partition(' ')
    if kind != 'AWS4-HMAC-SHA256':
        return False
    parts = dict(p.strip().split('=', 1) for p in rest.split(','))
    key_id, day, region, service, _ = parts['Credential'].split('/')
    names = parts['SignedHeaders'].split(';')
    for name in handler.headers:
        if name.lower().startswith('x-amz-') and name.lower() not in names:
            return False
    path, _, query = handler.path.partition('?')
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    quote = lambda t: urllib.parse.quote(t, safe='-._~')
    payload = handler.headers['x-amz-content-sha256']
    request = '\n'.join(
        [handler.command,
         urllib.parse.quote(urllib.parse.unquote(path), safe='/-._~'),
         '&'.join(f'{quote(k)}={quote(v)}' for k, v in pairs)]
        + [f'{n}:{" ".join(handler.headers[n].split())}' for n in sorted(names)]
        + ['', ';'.join(sorted(names)), payload])
    date = handler.headers['x-amz-date']
    text = '\n'.join(['AWS4-HMAC-SHA256', date,
                      f'{day}/{region}/{service}/aws4_request',
                      hashlib.sha256(request.encode()).hexdigest()])
    key = b'AWS4' + KEY.encode()
    for step in (day, region, service, 'aws4_request'):
        key = mac(key, step)
    return (key_id == KEY and names == sorted(names)
            and date.startswith(day) and mac(key, text).hex() == parts['Signature']
            and hashlib.sha256(body).hexdigest() == payload
            and (not args.token
                 or handler.headers.get('x-amz-security-token') == args.token))


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def bucket(self):
        return self.path.lstrip('/').split('/')[0].split('?')[0]

    def action(self):
        line = f'{self.command} {self.path}'
        with lock:
            for rule in rules.get(self.bucket(), []):
                method, text, count, action, n = rule
                if method not in ('*', self.command) or text not in line:
                    continue
                rule[4] = n = n + 1
                if (count == '*' or (count[0] == '=' and n == int(count[1:]))
                        or (count[0] != '=' and n <= int(count))):
                    return action
        return None

    def note(self, status):
        with lock:
            lines.setdefault(self.bucket(), []).append(
                f'{self.command} {self.path} {status}\n')
            headers.setdefault(self.bucket(), []).extend(
                f'{self.command} {k}: {v}\n' for k, v in self.headers.items())

    def told(self):
        """A request to this proxy itself."""
        _, what, bucket = self.path.split('/')
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        if what == '_rules':
            with lock:
                rules[bucket] = [line.split(' ') + [0]
                                 for line in body.decode().split('\n') if line]
            self.path, self.command = f'/{bucket}', 'PUT'
            self.hand_on(b'')
            lines[bucket], headers[bucket] = [], []
            self.answer(200)
        else:
            of = lines if what == '_log' else headers
            with lock:
                text = ''.join(of.get(bucket, []))
            self.answer(200, text.encode())

    def answer(self, status, body=b'', headers=()):
        self.note(status)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def cut(self):
        self.note('cut')
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   b'\x01\0\0\0\0\0\0\0')
        self.connection.close()

    def roles(self):
        if self.path == '/latest/api/token':
            return self.answer(200 if self.command == 'PUT' else 405, b'token')
        if self.path.startswith('/latest/'):
            if self.headers.get('X-aws-ec2-metadata-token') != 'token':
                return self.answer(401)
            if self.path.endswith('/security-credentials/'):
                return self.answer(200, b'role\n')
        elif self.headers.get('Authorization') != 'container-token':
            return self.answer(401)
        expires = (datetime.datetime.now(datetime.timezone.utc)
                   + datetime.timedelta(seconds=args.lifetime))
        return self.answer(200, json.dumps(
            {'AccessKeyId': KEY, 'SecretAccessKey': KEY,
             'Token': args.token,
             'Expiration': expires.strftime('%Y-%m-%dT%H:%M:%SZ')}).encode())

    def hand_on(self, body):
        store = http.client.HTTPConnection('127.0.0.1', args.port)
        store.request(self.command, self.path, body,
                      {k: v for k, v in self.headers.items()
                       if k.lower() not in ('host', 'content-length')})
        answer = store.getresponse()
        data = answer.read()
        store.close()
        return answer, data

    def pass_back(self, answer, data, action):
        keep = [(k, v) for k, v in answer.getheaders() if k.lower() not in
                ('content-length', 'connection', 'transfer-encoding',
                 'keep-alive', 'date', 'server')]
        length = len(data)
        if self.command == 'HEAD':
            length = answer.getheader('Content-Length', '0')
        if action == 'range':
            keep = [(k, v.replace('bytes 0-', 'bytes 1-')
                     if k.lower() == 'content-range' else v) for k, v in keep]
        self.note(answer.status)
        self.send_response(answer.status)
        for name, value in keep:
            self.send_header(name, value)
        self.send_header('Content-Length', str(length))
        self.end_headers()
        if action == 'short':
            self.wfile.write(data[:len(data) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.close_connection = True
        elif action == 'slow':
            for i in range(0, len(data), 65536):
                self.wfile.write(data[i:i + 65536])
                time.sleep(0.005)
        elif self.command != 'HEAD':
            self.wfile.write(data)

    def refuse(self, action):
        if action == '503':
            self.answer(503, error('SlowDown'))
        elif action == 'late':
            self.answer(503, error('SlowDown'), [('Retry-After', '1')])
        elif action == '500':
            self.answer(500, error('InternalError'))
        elif action == '403':
            self.answer(403, error('AccessDenied'))
        elif action == '401':
            self.answer(403, error('RequestTimeTooSkewed'))
        elif action == 'expired':
            self.answer(400, error('ExpiredToken'))
        elif action == 'error200':
            self.answer(200, b'   \n' + error('InternalError'))
        elif action == 'page':
            self.answer(502, b'<html><body>Bad &nbsp; Gateway<br></html>')
        elif action == 'replaced':
            self.answer(412, error('PreconditionFailed'))
        elif action == 'bomb':
            self.answer(200, b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
                        + b''.join(b'<!ENTITY %c "&%c;&%c;&%c;&%c;">'
                                   % (c, c - 1, c - 1, c - 1, c - 1)
                                   for c in range(ord('b'), ord('z')))
                        + b']><ListBucketResult>&y;</ListBucketResult>')
        elif action == 'endless':
            self.note(200)
            self.send_response(200)
            self.send_header('Content-Length', str(1 << 40))
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b'<a>' * 30000)
            except OSError:
                self.close_connection = True
        elif action == 'stall':
            self.note('stall')
            time.sleep(600)
        else:
            return False
        return True

    def serve(self):
        if self.path.startswith('/_'):
            return self.told()
        if self.path.startswith(('/latest/', '/container')):
            return self.roles()
        action = self.action()
        length = int(self.headers.get('Content-Length') or 0)
        if action == 'cut':
            self.rfile.read(length // 2)
            return self.cut()
        body = self.rfile.read(length)
        if action == 'flip' and body:
            body = body[:len(body) // 2] + bytes(
                [body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1:]
        elif not is_signed(self, body):
            return self.answer(403, error('SignatureDoesNotMatch'))
        if self.refuse(action):
            return None
        if action == 'few':
            self.path += '&max-keys=2'
        answer, data = self.hand_on(body)
        if action == 'drop':
            return self.cut()
        return self.pass_back(answer, data, action)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

    def date_time_string(self, timestamp=None):
        ahead = 600 if any(r[3] == '401' for r in rules.get(self.bucket(), [])) else 0
        return super().date_time_string(time.time() + ahead)


def main():
    global args
    parser = argparse.ArgumentParser()
    parser.add_argument('--token')
    parser.add_argument('--lifetime', type=int, default=3600)
    parser.add_argument('port', type=int)
    args = parser.parse_args()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Proxy)
    server.daemon_threads = True
    server.handle_error = lambda *_: None   # who was cut off is no news
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit()


main()
