# SPDX-License-Identifier: GPL-2.0
"""The library as its users find it: symbols, pages, examples, pkg-config.

ROOT is where it was installed, TOP the checkout.
"""
import glob
import os
import re
import socket
import subprocess
import tempfile

from peer import Drive, case, contains, expect, main, pair, read_answer

ROOT, TOP = os.environ.get('ROOT'), os.environ.get('TOP')

# What a library leaves to the program that uses it, by the reason
FORBIDDEN = {
    'prints': r'v?printf|puts|putchar|fputs|fputc|putc|fwrite|v?f?dprintf|'
              r'v?fprintf|perror|psignal|stdout|stderr|write|writev|v?syslog|'
              r'v?warnx?|error|__[vf]?printf_chk|__v?fprintf_chk',
    'reads stdin': r'stdin|getchar|scanf|gets|getline',
    'ends the process': r'exit|_exit|_Exit|quick_exit|abort|raise|kill|'
                        r'v?errx?|__assert_fail|atexit|__cxa_atexit|fork|'
                        r'exec.*|posix_spawn.*|system|popen',
    'changes the process': r'signal|sigaction|sigprocmask|alarm|setitimer|'
                           r'set(uid|gid|rlimit)|umask|ch(dir|root)|prctl|'
                           r'(un)?setenv|putenv|clearenv|setlocale',
    'waits without being asked to': r'u?sleep|nanosleep|clock_nanosleep|'
                                    r'gethostby.*|pause|select',
    'keeps state between calls': r'strtok|gmtime|localtime|ctime|asctime|'
                                 r'strerror|rand|random|srand|inet_ntoa',
    'asks the locale': r'tolower|toupper|strn?casecmp|is(alnum|alpha|digit|'
                       r'space|upper|lower|xdigit|cntrl|print)|__ctype_.*|'
                       r'strftime|strcoll|strtod',
}


def output(*command, **options):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE, **options).stdout


def read(path):
    with open(f'{TOP}/{path}', encoding='utf-8') as file:
        return file.read()


def header():
    """<wsup.h> without comments."""
    text = re.sub(r'/\*.*?\*/', '', read('tools/libwsup/wsup.h'), flags=re.S)
    return re.sub(r'#.*', '', text)


def canonical(text):
    return re.sub(r'\s*([(),;*])\s*', r'\1', ' '.join(text.split()))


def prototypes():
    """{name: prototype}, of the header."""
    found = re.findall(r'^((?:const )?\w[\w ]*[ *]+(wsup_\w+)\([^;{]*\));',
                       header(), re.M)
    return {name: canonical(text) for text, name in found}


def pages():
    """{path: text} of the manual's section 3."""
    return {path: read(path) for path in sorted(
        os.path.relpath(p, TOP) for p in glob.glob(TOP + '/tools/man/*.3'))}


def documented(text):
    """{name: prototype}, of a page's SYNOPSIS."""
    found, kind, arguments, name = {}, None, [], None
    for line in text.partition('.Sh SYNOPSIS')[2].partition('.Sh')[0] \
            .splitlines():
        macro, _, rest = line.partition(' ')
        words = [q or w for q, w in re.findall(r'"([^"]*)"|(\S+)', rest)]
        if macro == '.Ft':
            kind = rest
        elif macro == '.Fn':
            found[words[0]] = f'{kind} {words[0]}({",".join(words[1:])})'
        elif macro == '.Fo':
            name, arguments = words[0], []
        elif macro == '.Fa':
            arguments += words
        elif macro == '.Fc':
            found[name] = f'{kind} {name}({",".join(arguments)})'
    return {name: canonical(text) for name, text in found.items()}


def same(got, want, what):
    """Two sets, and if they are not the same what is missing in each."""
    if set(got) != set(want):
        raise AssertionError(f'{what}: only there {set(got) - set(want)}, '
                             f'only in wsup.h {set(want) - set(got)}')


def shared():
    return glob.glob(ROOT + '/usr/lib/libwsup.so.*.*')[0]


@case('the library has the functions of wsup.h, and no others')
def symbols():
    defined = [line.split() for line in
               output('nm', '-D', '--defined-only', shared()).splitlines()]
    names = {f[2].split('@')[0] for f in defined if f[1] != 'A'}
    same(names, prototypes(), 'libwsup.so')
    names = [line.split()[-1] for line in
             output('nm', '-g', '--defined-only', ROOT + '/usr/lib/libwsup.a')
             .splitlines() if len(line.split()) == 3]
    same(names, prototypes(), 'libwsup.a')
    same(re.findall(r'\b(wsup_\w+);', read('tools/libwsup/libwsup.map')),
         prototypes(), 'libwsup.map')
    same(re.findall(r'^ (wsup_\w+)@', read('debian/libwsup0.symbols'), re.M),
         prototypes(), 'debian/libwsup0.symbols')


@case('each function has its page, with its very prototype')
def functions_documented():
    found = {}
    for text in pages().values():
        found.update(documented(text))
    same(found, prototypes(), 'the manual')
    for name, prototype in prototypes().items():
        expect(found[name], prototype, 'the manual')
        page = f'{ROOT}/usr/share/man/man3/{name}.3'
        expect(os.path.exists(page), True, page)


@case('each constant has its place in the manual, and none is made up')
def constants_documented():
    text = read('tools/libwsup/wsup.h')
    constants = set(re.findall(r'^\t(WSUP_\w+)\b', header(), re.M))
    constants |= set(re.findall(r'^#define (WSUP_\w+)', text, re.M))
    manual = ' '.join(re.sub(r'\.Dt .*', '', page)
                      for page in pages().values())
    same(re.findall(r'\bWSUP_[A-Z_]*[A-Z]\b', manual), constants,
         'the manual')


@case('defaults in the manual are those of the library')
def defaults_documented():
    page = read('tools/man/wsup_config.3')
    code = read('tools/libwsup/config.c')
    defaults = dict(re.findall(r'\[(WSUP_\w+)\]\s*= (\d+),', code))
    ranges = re.findall(r'\[(WSUP_\w+)\]\s*= \{ (\d+), ([\d< ]+) \}', code)
    expect(len(ranges) >= 10, True, 'enough ranges')
    for name, _, _ in ranges:
        entry = re.search(rf'\.It Dv {name}\n(.*?)\.It', page, re.S)[1]
        contains(entry.strip(), f'{defaults.get(name, "0")}.')


@case('the only state that no caller holds: how many threads look up names')
def stateless():
    archive = ROOT + '/usr/lib/libwsup.a'
    sizes = output('size', '-A', archive)
    found = re.findall(r'^(\.(?:t?data|t?bss)\S*)\s+(\d+)', sizes, re.M)
    expect({'.data', '.bss'} <= {name for name, _ in found}, True,
           'sections found')
    expect([(name, size) for name, size in found
            if int(size) and not name.startswith('.data.rel.ro')],
           [('.bss', '8')], 'writable sections')
    expect('COMMON' in sizes, False)
    expect(re.findall(r' [bB] (\w+)$', output('nm', archive), re.M),
           ['threads'])


@case('lookups: bounded in a process, and none is left in code that is gone')
def lookups():
    with tempfile.TemporaryDirectory() as where:
        source = f'{TOP}/selftests/handshake/unload.c'
        program = where + '/unload'
        subprocess.run(['cc', '-Wall', '-Wextra', '-Werror', '-O1',
                        '-D_GNU_SOURCE', '-rdynamic', '-o', program, source,
                        f'-I{ROOT}/usr/include', '-pthread'], check=True)
        # as a program's library, and as a part of somebody's plugin
        plugin = where + '/plugin.so'
        subprocess.run(['cc', '-shared', '-o', plugin, '-Wl,--whole-archive',
                        ROOT + '/usr/lib/libwsup.a', '-Wl,--no-whole-archive',
                        '-lllhttp', '-lcrypto', '-pthread'], check=True)
        for path in (shared(), plugin):
            subprocess.run([program, path], check=True, timeout=60)


@case('it prints nothing, ends nothing, and asks no locale')
def harmless():
    names = {line.split()[-1].split('@')[0] for line in
             output('nm', '-D', '--undefined-only', shared()).splitlines()}
    contains(names, 'recv')
    for reason, pattern in FORBIDDEN.items():
        bad = {name for name in names if re.fullmatch(pattern, name)}
        expect(bad, set(), f'what {reason}')


@case('each error has a sentence of its own')
def sentences():
    count = len(re.findall(r'^\tWSUP_E\w+', header(), re.M))
    found = {Drive('explain', error).finish().error
             for error in [0, *range(-10000 - count, -10000), -12]}
    expect(len(found), count + 2)
    for sentence in found:
        expect(len(sentence) > 7 and sentence[-1] not in '.\n', True, sentence)
    for unknown in (-10000 - count - 1, -10000, -99999, -2 ** 31):
        expect(Drive('explain', unknown).finish().error, 'unknown error')
    hints = {Drive('explain', error).finish().reason
             for error in (-2, -1, -107, -17, -16, -95, -22)}
    expect(len(hints), 7)


@case('wsup.h alone, in C99 and in C++, without a warning')
def header_alone():
    for compiler in (['cc', '-x', 'c', '-std=c99'],
                     ['c++', '-x', 'c++', '-std=c++11']):
        subprocess.run([*compiler, '-Wall', '-Wextra', '-Werror', '-pedantic',
                        '-fsyntax-only', f'{ROOT}/usr/include/wsup.h'],
                       check=True)


def build(source, where, *flags):
    """Compile a program as a user of the package would."""
    env = {**os.environ, 'PKG_CONFIG_PATH': ROOT + '/usr/lib/pkgconfig',
           'PKG_CONFIG_SYSROOT_DIR': ROOT}
    options = output('pkg-config', '--cflags', '--libs', *flags, 'libwsup',
                     env=env).split()
    program = where + '/program'
    subprocess.run(['cc', '-Wall', '-Wextra', '-Werror',
                    '-Wno-error=unused-result', '-O2', '-o', program, source,
                    *options], check=True, stderr=subprocess.DEVNULL)
    return program


LIBRARY = {'LD_LIBRARY_PATH': f'{ROOT}/usr/lib'}
PLAIN = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'


def is_served(sock):
    """That much it does without a kernel."""
    sock.sendall(PLAIN)
    head, _, _ = read_answer(sock)
    contains(head, 'HTTP/1.1 426 ')


def snippet_runs(snippet):
    """A piece of C with fd, buf and n, that serves one connection."""
    program = ('#include <stdlib.h>\n#include <sys/socket.h>\n'
               '#include <unistd.h>\n#include <wsup.h>\n'
               'int main(int argc, char **argv)\n{\n\tint fd = atoi(argv[1]);\n'
               '\tchar buf[65536];\n\tssize_t n;\n\n\t(void)argc;\n'
               f'{snippet}\n\treturn 0;\n}}\n')
    with tempfile.TemporaryDirectory() as where:
        with open(where + '/it.c', 'w', encoding='utf-8') as file:
            file.write(program)
        program = build(where + '/it.c', where)
        ours, theirs = pair()
        with subprocess.Popen([program, str(theirs.fileno())],
                              pass_fds=[theirs.fileno()],
                              env={**os.environ, **LIBRARY}) as process:
            theirs.close()
            is_served(ours)
            ours.close()
            expect(process.wait(30), 0)


@case("the README's example compiles, and serves")
def readme():
    after = read('README').split('\nAfter\n-----\n', 1)[1]
    lines = re.match(r'\n((?: {4}.*\n|\n)+)', after)[1]
    contains(lines, 'wsup_accept')
    snippet_runs(lines)


@case("the manual's example compiles, and serves")
def manual_example():
    page = read('tools/man/libwsup.3')
    code = re.search(r'\.Bd -literal[^\n]*\n(.*?)\.Ed', page, re.S)[1]
    snippet_runs(code.replace('\\e', '\\'))


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as sock:
        return sock.getsockname()[1]


def example_serves(*command):
    port = free_port()
    with subprocess.Popen([*command, str(port)], stderr=subprocess.DEVNULL,
                          env={**os.environ, **LIBRARY}) as process:
        while process.poll() is None:
            try:
                sock = socket.create_connection(('127.0.0.1', port), 30)
                break
            except ConnectionRefusedError:
                pass
        is_served(sock)
        sock.close()
        process.terminate()


@case('pkg-config: the example, against the shared library and the archive')
def pkg_config():
    source = TOP + '/tools/examples/echo.c'
    with tempfile.TemporaryDirectory() as where:
        example_serves(build(source, where))
        contains(output('ldd', where + '/program', env={**os.environ,
                                                        **LIBRARY}),
                 'libwsup.so.0 => ' + ROOT)
        for name in glob.glob(ROOT + '/usr/lib/libwsup.so*'):
            os.symlink(name, where + '/' + os.path.basename(name))
        archive = ROOT + '/usr/lib/libwsup.a'
        options = output('pkg-config', '--static', '--libs-only-l', 'libwsup',
                         env={**os.environ, 'PKG_CONFIG_PATH':
                              ROOT + '/usr/lib/pkgconfig'}).split()
        expect(options[0], '-lwsup')
        subprocess.run(['cc', '-I' + ROOT + '/usr/include', '-o',
                        where + '/static', source, archive, *options[1:]],
                       check=True)
        example_serves(where + '/static')
    version = output('pkg-config', '--modversion', 'libwsup', env={
        **os.environ, 'PKG_CONFIG_PATH': ROOT + '/usr/lib/pkgconfig'}).strip()
    text = read('tools/libwsup/wsup.h')
    expect(version, '.'.join(re.search(rf'WSUP_VERSION_{part}\s+(\d+)', text)[1]
                             for part in ('MAJOR', 'MINOR')))


@case('a server in Python, in 20 lines and a heading')
def python():
    lines = read('tools/examples/echo.py').splitlines()
    expect(len(lines) <= 24, True, f'{len(lines)} lines')
    example_serves('python3', TOP + '/tools/examples/echo.py')


if __name__ == '__main__':
    main('library')
