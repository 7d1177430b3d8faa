# SPDX-License-Identifier: GPL-2.0
"""Where the wsup program has credentials from, in a guest with the module."""
import base64
import socket
import subprocess
import tempfile
import threading

from frames import wsup
from peer import (LIMIT, case, contains, lacks, main, read_head)

def basic_server(user):
    """Asks for these credentials; the handshakes it sees are noted."""
    listener = socket.create_server(('127.0.0.1', 0))
    seen = []
    want = 'Authorization: Basic ' + base64.b64encode(user).decode()

    def serve():
        while True:
            sock, _ = listener.accept()
            sock.settimeout(LIMIT)
            head, rest = '', b''
            while want not in head:
                if head:
                    sock.sendall(b'HTTP/1.1 401 x\r\nContent-Length: 0\r\n'
                                 b'WWW-Authenticate: Basic realm="x"\r\n\r\n')
                try:
                    head, rest = read_head(sock, rest)
                except AssertionError:
                    break
                seen.append(head)
            if want in head:
                sock.sendall(b'HTTP/1.1 418 Right\r\nContent-Length: 0'
                             b'\r\n\r\n')
            sock.close()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], seen


@case('credentials come from files as well')
def secret_files():
    port, _ = basic_server(b'me:s3cret "x')
    address = f'ws://127.0.0.1:{port}/'
    with tempfile.TemporaryDirectory() as where:
        def write(name, text):
            with open(f'{where}/{name}', 'w') as file:
                file.write(text)
            return f'{where}/{name}'

        user = write('user', '# a comment\n\nme:s3cret "x\n')
        netrc = write('netrc', '#machine 127.0.0.1 login a password b\n'
                      'machine other login o password p\n'
                      'macdef init\nmachine 127.0.0.1 login c\n\n'
                      'machine 127.0.0.1\n\taccount x login me '
                      'password "s3cret \\"x"\n'
                      'machine 127.0.0.1 login z password z\ndefault login y')
        for args, env in ((('-u', 'me:s3cret "x'), {}),
                          (('-u', '@' + user), {}),
                          (('--user-file', user), {}),
                          (('--netrc',), {'NETRC': netrc})):
            _, err = wsup('connect', address, *args, code=1, env=env)
            contains(err, b'418 Right')
        _, err = wsup('connect', '-u', 'me:wrong', address, code=1)
        contains(err, b'credentials')
        empty = write('empty', '# nothing\n\n')
        for path, told in ((empty, b'there is nothing in it'),
                           (where, b'Is a directory'),
                           (where + '/none', b'No such file')):
            _, err = wsup('connect', '--user-file', path, address, code=1)
            contains(err, told)
            _, err = wsup('serve', '--echo', '--auth', '@' + path, '0',
                          code=1)
            contains(err, told)


@case('credentials given as arguments are wiped')
def secret_arguments():
    listener = socket.create_server(('127.0.0.1', 0))
    port = listener.getsockname()[1]
    process = subprocess.Popen(
        ['wsup', 'connect', '--user=me:s3cret1', '-u', 'me:s3cret2', '-H',
         'Authorization: s3cret3', f'ws://me:s3cret4@127.0.0.1:{port}/x',
         '-x', f'http://me:s3cret5@127.0.0.1:{port}'],
        stderr=subprocess.PIPE)
    sock, _ = listener.accept()     # so all is read
    read_head(sock)
    with open(f'/proc/{process.pid}/cmdline', 'rb') as file:
        line = file.read()
    contains(line, b'127.0.0.1:%d/x' % port)
    lacks(line, b's3cret')
    sock.close()
    process.wait(LIMIT)
    lacks(process.stderr.read(), b's3cret')


if __name__ == '__main__':
    main('secret')
