#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write a first corpus for the fuzzer.

usage: seeds.py DIRECTORY
"""
import os
import sys

REQUEST = (b'GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n'
           b'Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ'
           b'==\r\nSec-WebSocket-Version: 13\r\nOrigin: http://example.org\r\n'
           b'Sec-WebSocket-Protocol: x, chat\r\n')
BASIC = b'Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n'
DIGEST = (b'Authorization: Digest username="Aladdin", realm="websocket", '
          b'nonce="0", uri="/chat", algorithm=MD5, qop=auth, nc=00000001, '
          b'cnonce="x", response="0"\r\n')
RESPONSE = (b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n'
            b'Connection: Upgrade\r\nSec-WebSocket-Accept: $\r\n'
            b'Sec-WebSocket-Protocol: chat\r\n')
CHALLENGE = (b'HTTP/1.1 401 x\r\nContent-Length: 2\r\nWWW-Authenticate: '
             b'Basic realm="a, b", Digest realm="\\"x", nonce="n", '
             b'algorithm=SHA-256, qop="auth,auth-int", opaque="o"\r\n\r\nno')

SERVER = [REQUEST + b'\r\n', REQUEST + b'\r\n\x81\x85abcdefghi',
          b'\r\n' + REQUEST + BASIC + b'\r\n', REQUEST + DIGEST + b'\r\n',
          b'GET / HTTP/1.0\r\n\r\n',
          b'HEAD http://a/chat?b HTTP/1.1\r\nHost: a\r\n\r\n' * 3,
          b'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n' + REQUEST + b'\r\n',
          REQUEST + b'Content-Length: 5\r\n\r\nhello',
          b'POST' + REQUEST[3:] + b'Transfer-Encoding: chunked\r\n\r\n0\r\n',
          REQUEST + b'Sec-WebSocket-Extensions: a; b="c"; d=e, f\r\n\r\n',
          REQUEST.replace(b'13', b'8') + b'\r\n' + REQUEST + b'\r\n']
CLIENT = [RESPONSE + b'\r\n', RESPONSE + b'\r\n\x81\x05hello',
          b'HTTP/1.1 100 \r\n\r\n' + RESPONSE + b'\r\n', CHALLENGE,
          CHALLENGE + RESPONSE + b'\r\n', CHALLENGE * 3,
          b'HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\n'
          b'3;a=b\r\nabc\r\n0\r\nT: z\r\n\r\n',
          b'HTTP/1.0 500\r\n\r\nto the end',
          b'HTTP/1.1 302 x\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n']
REFUSAL = CHALLENGE.replace(b'401', b'407').replace(b'WWW', b'Proxy')
TUNNEL = b'HTTP/1.1 200 Connection established\r\n\r\n'
PROXY = [TUNNEL + answer for answer in CLIENT] + [
    REFUSAL + TUNNEL + CLIENT[1], REFUSAL * 2, b'HTTP/1.1 502 x\r\n\r\nno']
METHOD = b'\x05\x02\x01\0'
SOCKS = [b'\x05\0' + b'\x05\0\0\x01abcdef' + CLIENT[1],
         METHOD + b'\x05\0\0\x04' + bytes(18) + CLIENT[4],
         METHOD + b'\x05\0\0\x03\x04name\0\0' + CLIENT[1],
         METHOD + b'\x05\x05\0\x01abcdef', b'\x05\xff', b'\x05\x02\x01\x01']
URLS = [b'ws://user:pa%3ass@example.org:8080/chat?x\n/y/../z?w',
        b'ws://[::1]/\nhttp://[::1]:80/#f', b'http://example.org\nexample.org',
        b'ws://a/b/c?d=/e\nf', b'ws://a\n//b/c', b'ws://a\n?x']


def write(where, texts, flags):
    os.makedirs(where, exist_ok=True)
    for number, text in enumerate(texts):
        for flag in flags:
            with open(f'{where}/{number}-{flag}', 'wb') as file:
                file.write(bytes([flag, 37 * number & 255]) + text)


def main():
    where = sys.argv[1]
    write(where + '/request', SERVER, (0, 1, 6, 8, 16, 23, 128))
    write(where + '/response', CLIENT, (0, 1, 5, 8, 33))
    write(where + '/proxy', PROXY, (0, 1, 8))
    write(where + '/proxy', SOCKS, (64, 65))
    os.makedirs(where + '/url', exist_ok=True)
    for number, text in enumerate(URLS):
        with open(f'{where}/url/{number}', 'wb') as file:
            file.write(text)


if __name__ == '__main__':
    main()
