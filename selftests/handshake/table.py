#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Hold the table of Documentation/handshake.rst against what the tests said.

usage: table.py FILE.rst TAP...
"""
import re
import sys

RESULT = re.compile(r'(ok|not ok) \d+ - ([\w.]+)[^#]*(?:# (SKIP) .*)?$')


def rows(text):
    """The cells of each row of each list-table, but for the headings."""
    for table in text.split('.. list-table::')[1:]:
        body = re.match(r'(?:\n| {3}.*\n?)*', table)[0]
        for row in body.split('\n   * - ')[2:]:
            yield [' '.join(cell.split())
                   for cell in re.split(r'\n {5}-', row)]


def results(paths):
    """{name: 'ok', 'not ok' or 'SKIP'}"""
    found = {}
    for path in paths:
        with open(path, encoding='utf-8') as file:
            for line in file:
                if match := RESULT.match(line):
                    found[match[2]] = match[3] or match[1]
    return found


def findings(text, found):
    """What is wrong, by the name of the check."""
    wrong = {'rows': [], 'names': [], 'tests': []}
    named, count = set(), 0
    for row in rows(text):
        count += 1
        names = re.findall(r'``(\w+\.\w+)``', row[-1])
        if len(row) != 4 or not names or not row[0] or not row[2]:
            wrong['rows'].append(f'not a row: {row}')
        named.update(names)
    if not count:
        wrong['rows'].append('there is no table')
    for name in sorted(named):
        # what is skipped has its reason in selftests/expected-skips
        if found.get(name) not in ('ok', 'SKIP'):
            wrong['names'].append(f'{name}: {found.get(name, "did not run")}')
    wrong['tests'] += [f'{name} is in no row'
                       for name in sorted(found.keys() - named)]
    return wrong, count, len(named)


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        text = file.read()
    wrong, count, tests = findings(text, results(sys.argv[2:]))
    print('TAP version 13')
    print(f'1..{len(wrong)}')
    about = {'rows': f'{count} rules have what libwsup does, and tests',
             'names': f'the {tests} tests that they name ran and passed',
             'tests': 'each test is named by a rule'}
    for number, (name, lines) in enumerate(wrong.items(), 1):
        for line in lines:
            print('# ' + line)
        print(f'{"not " if lines else ""}ok {number} - table.{name} '
              f'({about[name]})')
    return any(wrong.values())


if __name__ == '__main__':
    sys.exit(main())
