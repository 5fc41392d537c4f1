"""A telnet client over the kernel's TCP, for tests that count bytes or hold many connections.

    client = Telnet(SERVER4, PORT)
    client.read_until(b"# ")
    client.run("date")              # types it, and gives back what it wrote

It refuses every option but those of ACCEPT ("us": what the server may do; "them": what it may ask
of us) and takes IAC sequences and the NUL behind CR out of what it reads. `commands` holds those
that arrived, in order.
"""

import re
import select
import socket
import time

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
NOP, DM, BRK, IP, AO, AYT, EC, EL = 241, 242, 243, 244, 245, 246, 247, 248
BINARY, ECHO, SGA, STATUS, TIMING_MARK, LOGOUT = 0, 1, 3, 5, 6, 18
TTYPE, EOR_OPTION, NAWS, TSPEED, LFLOW, LINEMODE, XDISPLOC = 24, 25, 31, 32, 33, 34, 35
NEW_ENVIRON, CHARSET = 39, 42
EOF, SUSP, ABORT, EOR, GA = 236, 237, 238, 239, 249

# A whole sequence, or (group 1) one that is cut off at the end of what was read.
SEQUENCE = re.compile(rb"\xff(?:\xff|[\xfb-\xfe].|\xfa.(?:[^\xff]|\xff\xff)*\xff\xf0|[\xec-\xf9]"
                      rb"|([\xfb-\xfe]?|\xfa(?:.(?:[^\xff]|\xff\xff)*\xff?)?)\Z)", re.DOTALL)


def command(*codes):
    return bytes((IAC, *codes))


def subnegotiation(option, body):
    return command(SB, option) + body.replace(b"\xff", b"\xff\xff") + command(SE)


class Telnet:
    """One connection; `data` is what was read of the session's output and not yet taken."""

    def __init__(self, address, port, timeout=10.0, quiet=False, accept=(ECHO, SGA),
                 receive_buffer=None, connection=None):
        self.timeout = timeout
        self.quiet = quiet          # answers no option
        self.accept = set(accept)   # options of the server that are welcome
        self.offer = set()          # options of ours that we do when asked to
        self.data = b""
        self.commands = []
        self.ended = False
        self.reset = False
        self._rest = b""
        self._after_cr = False
        self.binary = False         # the server sends BINARY: no NUL behind CR
        if connection:              # of whom calmd has called
            self.socket = connection
            return
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Sends bytes as they are."""
        self.socket.sendall(data)

    def type(self, text):
        """Types a line's characters: IAC doubled."""
        data = text.encode() if isinstance(text, str) else text
        self.send(data.replace(b"\xff", b"\xff\xff"))

    def answer(self, verb, option):
        self.commands.append((verb, option))
        if self.quiet:
            return
        if verb == DO:
            self.send(command(WILL if option in self.offer else WONT, option))
        elif verb == WILL and option not in self.accept:
            self.send(command(DONT, option))
        elif verb == WILL and option not in (ECHO, SGA):
            self.send(command(DO, option))

    def _take_sequence(self, match):
        sequence = match.group()
        if match.group(1) is not None:
            self._rest = sequence
            return b""
        if sequence[1] == IAC:
            return b"\xff"
        if sequence[1] == SB:
            self.commands.append((SB, sequence[2], sequence[3:-2].replace(b"\xff\xff", b"\xff")))
        elif len(sequence) == 3:
            self.answer(sequence[1], sequence[2])
        else:
            self.commands.append((sequence[1],))
        return b""

    def decode(self, raw):
        raw, self._rest = self._rest + raw, b""
        if b"\xff" in raw:
            raw = SEQUENCE.sub(self._take_sequence, raw)
        if not self.binary and raw:
            if self._after_cr and raw[0] == 0:
                raw, self._after_cr = raw[1:], False
            if raw:
                self._after_cr = raw[-1] == 13
            raw = raw.replace(b"\r\0", b"\r")
        return raw

    def fill(self, timeout=None):
        """Reads once; False when there is nothing more to read, ever."""
        self.socket.settimeout(self.timeout if timeout is None else timeout)
        try:
            raw = self.socket.recv(1 << 18)
        except ConnectionResetError:
            self.reset = True
            raw = b""
        if not raw:
            self.ended = True
            return False
        self.data += self.decode(raw)
        return True

    def read_until(self, pattern, timeout=None):
        """The output up to and with PATTERN, a regular expression; it is taken."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while (match := re.search(pattern, self.data, re.DOTALL)) is None:
            left = deadline - time.monotonic()
            try:
                alive = left > 0 and self.fill(left)
            except TimeoutError:
                alive = False
            if not alive:
                raise AssertionError(
                    f"{pattern!r} did not come ({'ended' if self.ended else 'time-out'}); "
                    f"there is: {self.data[-500:]!r}")
        taken, self.data = self.data[:match.end()], self.data[match.end():]
        return taken

    def read_all(self, timeout=None):
        """Everything up to the server's end of the connection."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while self.fill(max(0.001, deadline - time.monotonic())):
            pass
        taken, self.data = self.data, b""
        return taken

    def run(self, text, timeout=None):
        """Types TEXT as a line at a shell's prompt; what came up to the next prompt, echo left out."""
        self.type(text + "\r")
        self.read_until(re.escape(text.encode()) + rb"\r\n", timeout)
        return self.read_until(rb"# $", timeout)[:-2].replace(b"\r\n", b"\n").decode()

    def wait_command(self, *wanted, timeout=5.0):
        """Reads until the command WANTED, such as (DO, NAWS), has arrived."""
        deadline = time.monotonic() + timeout
        while wanted not in self.commands:
            left = deadline - time.monotonic()
            if left <= 0 or not self.fill(left):
                raise AssertionError(f"{wanted} did not come: {self.commands}")

    def readable(self, timeout):
        return bool(select.select([self.socket], [], [], timeout)[0])

    def close(self):
        self.socket.close()
