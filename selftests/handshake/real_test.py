# SPDX-License-Identifier: GPL-2.0
"""The library and programs that nobody here wrote: proxies in front of a
server, proxies in front of a client, other libraries. Without the module."""
import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from websockets.asyncio.client import connect
from websockets.asyncio.server import basic_auth, serve

from client_test import listen
from peer import (DONE, EAUTH, EPROXY, ESTATUS, KEY, LIMIT, Drive, case,
                  contains, expect, main, read_all, read_head)
from server_test import request

# connections here end without Close
logging.getLogger('websockets').setLevel(logging.CRITICAL)

BASIC, DIGEST = 1, 2

SBIN = '/usr/sbin:/usr/bin:/usr/lib/squid:/sbin:/bin'


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return probe.getsockname()[1]


class Daemon:
    """A program, until the end of the block; it answers at its port."""

    def __init__(self, port, *args, **kwargs):
        self.port = port
        path = shutil.which(args[0], path=SBIN)
        if not path:
            raise AssertionError(f'{args[0]} is not installed')
        self.process = subprocess.Popen([path, *map(str, args[1:])], **kwargs)

    def __enter__(self):
        until = time.monotonic() + LIMIT
        while time.monotonic() < until:
            expect(self.process.poll(), None, 'the daemon has ended')
            try:
                socket.create_connection(('127.0.0.1', self.port)).close()
                return self
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise AssertionError('the daemon does not listen')

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def write(where, name, text, mode=0o644):
    path = os.path.join(where, name)
    with open(path, 'w') as file:
        file.write(text)
    os.chmod(path, mode)
    return path


class Served:
    """The library as server, behind something; connections one by one."""

    def __init__(self, *options):
        self.listener, self.port = listen()
        self.options = options
        self.drives = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.drives.append(Drive(*self.options, 'accept',
                                     connection.fileno(),
                                     fds=[connection.fileno()]))
            connection.close()

    def outcome(self):
        """The connection that came through, or the last of all."""
        until = time.monotonic() + LIMIT
        number, drive = 0, None
        while time.monotonic() < until:
            if number == len(self.drives):
                time.sleep(0.01)
                continue
            drive = self.drives[number]
            while drive.result is None:
                drive.take(*drive.line())
            if drive.result == DONE:
                break
            number += 1
        return drive


def through_reverse_proxy(port, server, host):
    """A handshake through a proxy in front of us, and bytes behind it."""
    with socket.create_connection(('127.0.0.1', port), LIMIT) as client:
        client.sendall(request('Sec-WebSocket-Protocol: a, b', Host=host,
                               Origin='https://' + host, target='/x?y'))
        head, rest = read_head(client)
        contains(head, ' 101 ')
        contains(head.lower(), 'sec-websocket-protocol: b\r\n')
        expect(rest, b'')
        client.sendall(b'\x81\x85abcdefghi')
        client.shutdown(socket.SHUT_WR)
        read_all(client)
    drive = server.drives[-1].finish()
    expect(drive.result, DONE, drive.error)
    expect(drive.rest, b'\x81\x85abcdefghi')
    contains([name.lower() for name in drive.names], 'origin')


def not_through(port, host):
    with socket.create_connection(('127.0.0.1', port), LIMIT) as client:
        client.sendall(f'GET /x HTTP/1.1\r\nHost: {host}\r\n'
                       'Connection: close\r\n\r\n'.encode())
        head, _ = read_head(client)
        contains(head, ' 426 ')


@case('nginx as reverse proxy')
def nginx():
    server = Served('subprotocol=b', 'host=site.example')
    port = free_port()
    with tempfile.TemporaryDirectory() as where:
        config = write(where, 'nginx.conf', f'''
            daemon off; pid {where}/pid; error_log stderr;
            events {{ }}
            http {{
                access_log off;
                client_body_temp_path {where}; proxy_temp_path {where};
                fastcgi_temp_path {where}; uwsgi_temp_path {where};
                scgi_temp_path {where};
                server {{
                    listen 127.0.0.1:{port};
                    location / {{
                        proxy_pass http://127.0.0.1:{server.port};
                        proxy_http_version 1.1;
                        proxy_set_header Upgrade $http_upgrade;
                        proxy_set_header Connection "upgrade";
                        proxy_set_header Host $host;
                    }}
                }}
            }}''')
        with Daemon(port, 'nginx', '-c', config, '-p', where,
                    stderr=subprocess.DEVNULL):
            through_reverse_proxy(port, server, 'site.example')
            not_through(port, 'site.example')


@case('HAProxy as reverse proxy')
def haproxy():
    server = Served('subprotocol=b', 'host=site.example')
    port = free_port()
    with tempfile.TemporaryDirectory() as where:
        config = write(where, 'haproxy.cfg', f'''
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server one 127.0.0.1:{server.port}
''')
        with Daemon(port, 'haproxy', '-f', config,
                    stderr=subprocess.DEVNULL):
            through_reverse_proxy(port, server, 'site.example')
            not_through(port, 'site.example')


class Echo:
    """python3-websockets as server."""

    def __init__(self, **options):
        self.ready = threading.Event()
        self.options = options
        threading.Thread(target=lambda: asyncio.run(self.run()),
                         daemon=True).start()
        self.ready.wait(LIMIT)

    async def run(self):
        async def echo(connection):
            async for message in connection:
                await connection.send(message)

        async with serve(echo, '127.0.0.1', 0, **self.options) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await server.serve_forever()


def connected(*options, url, result=DONE):
    """The library as client, to this result."""
    drive = Drive(*options, 'connect', url)
    while drive.result is None:
        drive.take(*drive.line())
    while drive.error is None and result != DONE:
        drive.take(*drive.line())
    expect(drive.result, result, drive.error)
    drive.process.kill()
    drive.process.wait()
    return drive


@case('python3-websockets as server: subprotocol, extensions declined')
def websockets_server():
    server = Echo(subprotocols=['chat'])
    url = f'ws://127.0.0.1:{server.port}/'
    connected('subprotocol=chat', 'subprotocol=x', url=url)
    connected(url=url, result=ESTATUS)
    connected(url=f'ws://127.0.0.1:{Echo().port}/')


@case('python3-websockets as server: Basic authentication')
def websockets_auth():
    server = Echo(process_request=basic_auth(
        realm='x', credentials=('me', 'secret')))
    url = f'ws://127.0.0.1:{server.port}/'
    connected('user=me:secret', url=url)
    connected('user=me:wrong', url=url, result=EAUTH)


@case('python3-websockets as client: subprotocol, origin, credentials')
def websockets_client():
    server = Served('subprotocol=b', 'user=me:secret', 'auth=1',
                    'allow_origin=http://o.example')

    async def talk():
        url = f'ws://me:secret@127.0.0.1:{server.port}/'
        connection = await connect(url, subprotocols=['a', 'b'],
                                   origin='http://o.example')
        expect(connection.subprotocol, 'b')
        expect('Sec-WebSocket-Extensions' in connection.response.headers,
               False)
        connection.transport.abort()

    asyncio.run(talk())
    drive = server.drives[-1].finish()
    expect((drive.result, drive.user), (DONE, 'me'))


@case('curl as client: Basic and Digest authentication')
def curl():
    # Of ws:// it gives up at the 401; of http:// it does not.
    upgrade = [word for line in ('Connection: Upgrade', 'Upgrade: websocket',
                                 f'Sec-WebSocket-Key: {KEY}',
                                 'Sec-WebSocket-Version: 13')
               for word in ('-H', line)]
    for scheme, option, headers, kinds in (
            ('ws', '--basic', [], BASIC), ('http', '--basic', upgrade, BASIC),
            ('http', '--digest', upgrade, DIGEST),
            ('http', '--anyauth', upgrade, BASIC | DIGEST)):
        server = Served('user=me:secret', f'auth={kinds}')
        client = subprocess.Popen(
            ['curl', '-s', option, '-u', 'me:secret', '--http1.1', '-N',
             *headers, f'{scheme}://127.0.0.1:{server.port}/x'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        drive = server.outcome()
        expect(drive.result, DONE, f'{scheme} {option}')
        client.kill()
        client.wait()
        expect(drive.finish().user, 'me')


def squid(where, port, auth):
    """A squid that wants credentials of this kind."""
    helper = '/usr/lib/squid/basic_ncsa_auth'
    users = write(where, 'users', '')
    if auth == 'basic':
        done = subprocess.run(
            ['perl', '-e', 'print crypt("se:cret", q($6$salt$))'],
            check=True, capture_output=True, text=True)
        write(where, 'users', 'me:' + done.stdout)
        lines = f'auth_param basic program {helper} {users}\n' \
                'auth_param basic realm zoo\n'
    else:
        helper = '/usr/lib/squid/digest_file_auth'
        write(where, 'users', 'me:secret\n')
        lines = f'auth_param digest program {helper} {users}\n' \
                'auth_param digest realm zoo\n'
    return write(where, 'squid.conf', lines + f'''
auth_param {auth} children 1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
http_port 127.0.0.1:{port}
pid_filename none
cache deny all
access_log none
cache_log {where}/log
coredump_dir {where}
shutdown_lifetime 0 seconds
''')


@case('squid as CONNECT proxy: Basic and Digest')
def squid_connect():
    server = Echo()
    url = f'ws://127.0.0.1:{server.port}/'
    for auth, password in (('basic', 'se%3Acret'), ('digest', 'secret')):
        port = free_port()
        with tempfile.TemporaryDirectory() as where:
            os.chmod(where, 0o777)
            config = squid(where, port, auth)
            with Daemon(port, 'squid', '-N', '-f', config,
                        stderr=subprocess.DEVNULL):
                proxy = f'127.0.0.1:{port}'
                connected(f'proxy=http://me:{password}@{proxy}', url=url)
                connected(f'proxy=http://me:wrong@{proxy}', url=url,
                          result=EAUTH)
                drive = connected(f'proxy=http://{proxy}', url=url,
                                  result=EAUTH)
                expect(drive.status, 407)


@case('squid: a server that it cannot reach')
def squid_unreachable():
    port = free_port()
    with tempfile.TemporaryDirectory() as where:
        os.chmod(where, 0o777)
        config = squid(where, port, 'basic')
        with Daemon(port, 'squid', '-N', '-f', config,
                    stderr=subprocess.DEVNULL):
            drive = connected(f'proxy=http://me:se%3Acret@127.0.0.1:{port}',
                              url='ws://127.0.0.1:1/', result=EPROXY)
            contains(range(500, 600), drive.status)


@case('microsocks as SOCKS5 proxy: with a password, and without')
def socks():
    server = Echo()
    url = f'ws://127.0.0.1:{server.port}/'
    for args, user in (((), ''), (('-u', 'me', '-P', 'pw'), 'me:pw@')):
        port = free_port()
        with Daemon(port, 'microsocks', '-i', '127.0.0.1', '-p', port, *args,
                    stderr=subprocess.DEVNULL):
            proxy = f'127.0.0.1:{port}'
            connected(f'proxy=socks5://{user}{proxy}', url=url)
            connected(f'proxy=socks5://{user}{proxy}',
                      url='ws://127.0.0.1:1/', result=EPROXY)
            if user:
                connected(f'proxy=socks5://{proxy}', url=url, result=EAUTH)
                connected(f'proxy=socks5://me:x@{proxy}', url=url,
                          result=EAUTH)


if __name__ == '__main__':
    main('real')
