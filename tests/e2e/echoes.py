"""Sessions that move bytes both ways all the time, and check every one: for tests of what
disturbs the daemon meanwhile.

    with Echoes(SERVER4, PORT, count=3) as echoes:
        ...                       # something happens
        echoes.moved(65536)       # each session has moved so many bytes more
    # on the way out each has ended in order, with nothing lost, doubled or changed

    with Comers(SERVER4, PORT):   # meanwhile clients come and go, each of whom is served
        ...

Each session runs cat on a raw terminal: what comes back must be what was sent. The bytes come
from a seed, which is printed (CALMD_SEED gives it again).
"""

import os
import random
import threading
import time

from telnet import Telnet

PIECE = 4096
# As many bytes may be under way: less than what the terminal and cat hold.
AHEAD = 2 * PIECE


class Echo(threading.Thread):
    """One session."""

    def __init__(self, address, port, seed):
        super().__init__(daemon=True)
        self.client = Telnet(address, port, timeout=60)
        self.client.read_until(rb"# $")
        self.client.type("stty raw -echo; echo GO; exec cat\r")
        self.client.read_until(rb"GO\n")
        self.random = random.Random(seed)
        self.expected = b""         # sent, and not come back yet
        self.moved = 0
        self.stopping = False
        self.failure = None

    def take(self):
        """Checks what has come back."""
        if not self.client.fill():
            raise AssertionError(f"the connection ended after {self.moved} bytes"
                                 f"{': reset' if self.client.reset else ''}")
        data, self.client.data = self.client.data, b""
        if not self.expected.startswith(data):
            raise AssertionError(f"other bytes came back behind {self.moved}: "
                                 f"{data[:80]!r} for {self.expected[:80]!r}")
        self.expected = self.expected[len(data):]
        self.moved += len(data)

    def run(self):
        try:
            while not self.stopping:
                if len(self.expected) < AHEAD:
                    # Neither IAC nor CR, which telnet changes
                    piece = bytes(self.random.choices(range(32, 127), k=PIECE))
                    self.client.send(piece)
                    self.expected += piece
                else:
                    self.take()
            while self.expected:
                self.take()
        except (AssertionError, OSError) as error:
            self.failure = error


class Comers(threading.Thread):
    """Clients that come one after the other, and each get a session, while the block runs."""

    def __init__(self, address, port):
        super().__init__(daemon=True)
        self.address, self.port = address, port
        self.served = 0
        self.stopping = False
        self.failure = None

    def serve_one(self):
        with Telnet(self.address, self.port, timeout=30) as client:
            client.read_until(rb"# $")
            assert client.run("echo new") == "new\n"
            client.type("exit\r")
            client.read_all()
            assert client.ended and not client.reset, "reset"

    def run(self):
        try:
            while not self.stopping:
                self.serve_one()
                self.served += 1
        except (AssertionError, OSError) as error:
            self.failure = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping = True
        self.join(60)
        if kind is None and self.failure:
            raise AssertionError(f"behind {self.served} that were served: {self.failure}")


class Echoes:
    """Several sessions at once."""

    def __init__(self, address, port, count):
        seed = int(os.environ.get("CALMD_SEED", time.time_ns()))
        print(f"CALMD_SEED={seed}", flush=True)
        self.sessions = [Echo(address, port, seed + n) for n in range(count)]

    def __enter__(self):
        for session in self.sessions:
            session.start()
        return self

    def check(self):
        for session in self.sessions:
            if session.failure:
                raise AssertionError(f"seed: see above; {session.failure}")

    def moved(self, count, timeout=60.0):
        """Waits until each session has moved COUNT bytes more."""
        goals = [session.moved + count for session in self.sessions]
        deadline = time.monotonic() + timeout
        while any(s.moved < goal for s, goal in zip(self.sessions, goals)):
            self.check()
            if time.monotonic() > deadline:
                raise AssertionError(f"moved {[s.moved for s in self.sessions]}, not {goals}")
            time.sleep(0.01)

    def __exit__(self, kind, *_):
        for session in self.sessions:
            session.stopping = True
        for session in self.sessions:
            session.join(60)
            session.client.close()
        if kind is None:
            self.check()
            assert not any(session.is_alive() for session in self.sessions), "a session hangs"
