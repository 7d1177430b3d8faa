# SPDX-License-Identifier: GPL-2.0
"""The catalogue: cases, and how they get into it."""

import importlib

GROUPS = ("framing", "length", "mask", "rsv", "opcode", "fragment", "ping",
          "utf8", "close", "failing", "tcp", "chop", "early", "many", "large",
          "pressure", "seeds", "limits")

CASES = []


class Case:
    """One case.

    @run: called with a Link whose handshake is done
    @sized: differs from its neighbours by a length or a count only
    @smoke: belongs to the subset of --smoke
    @server, @client: run it against a server, a client under test
    @need: bytes of the largest message, for peers that have a limit
    @upgrade: the case does the handshake itself
    @rcvbuf: SO_RCVBUF of our end as client, 0 = the system's default
    """

    def __init__(self, group, name, run, sized=False, smoke=False,
                 server=True, client=True, need=0, upgrade=False, rcvbuf=0):
        self.group, self.name, self.run = group, name, run
        self.sized, self.smoke = sized, smoke
        self.server, self.client = server, client
        self.need, self.upgrade, self.rcvbuf = need, upgrade, rcvbuf

    @property
    def title(self):
        """group.name"""
        return "%s.%s" % (self.group, self.name)


def add(group, name, run, **kw):
    """Put a case into the catalogue."""
    assert group in GROUPS, group
    CASES.append(Case(group, name, run, **kw))


def case(group, name, **kw):
    """The same as a decorator."""
    def register(run):
        add(group, name, run, **kw)
        return run
    return register


class Limits:
    """Limits of the peer under test, 0 = none."""

    def __init__(self, message=0, frame=0, fragments=0):
        self.message, self.frame, self.fragments = message, frame, fragments


def catalogue(limits=Limits()):
    """All cases that a peer with these limits can be asked."""
    for group in GROUPS:
        importlib.import_module("wsconf.cases." + group)
    titles = [case.title for case in CASES]
    assert len(titles) == len(set(titles)), "a case's name is used twice"
    smallest = min(filter(None, (limits.message, limits.frame)), default=0)
    return [case for case in CASES + limit_cases(limits)
            if not smallest or case.need <= smallest]


def limit_cases(limits):
    """The cases of group limits, which depend on the limits' values."""
    module = importlib.import_module("wsconf.cases.limits")
    return module.cases(limits)
