"""A TCP peer that does only what its script says, over raw sockets.

It stands in for a client (or, for `calmctl call`, a server) whose every segment a test decides:
states, malformed packets, forged ICMP, odd options. Nothing is sent that the test did not ask for,
save the acknowledgments of the helpers connect, accept, read_until, write, close. Must run as root,
in a namespace from which the daemon can be reached. A listening socket that drops everything keeps
that namespace's kernel from answering with RST.

    peer = Peer(CLIENT4, SERVER4, 4000)
    peer.send("S")
    reply = peer.expect("SA")
    peer.send("A")
    peer.send("PA", b"date\n")
    peer.read_until(b"20")
    peer.close()
"""

import ctypes
import errno
import ipaddress
import os
import random
import select
import socket
import struct
import time

import segment as tcp
from segment import SEQ_MASK, seq_before

IPV6_RECVPKTINFO, IPV6_PKTINFO = 49, 50
IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT = 51, 52
IPV6_RECVTCLASS, IPV6_TCLASS = 66, 67
SO_ATTACH_FILTER = 26
ANY = object()


class Unexpected(AssertionError):
    """What arrived, or did not arrive, is not what the script says."""


def drop_everything(sock):
    """Attaches a classic BPF filter that is a single `ret #0`."""
    code = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                    struct.pack("HL", 1, ctypes.addressof(code)))


def guard_port(src, port):
    """A socket that keeps the kernel quiet about PORT; None where SRC is not the kernel's anyway."""
    family = socket.AF_INET6 if ":" in src else socket.AF_INET
    guard = socket.socket(family, socket.SOCK_STREAM)
    guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    drop_everything(guard)
    try:
        guard.bind((src, port))
    except OSError as error:
        guard.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    guard.listen(1)
    return guard


class Peer:
    """One end of one connection.

    Sequence variables are the RFC's: iss, irs, snd_nxt, snd_una, rcv_nxt. `received` is the
    in-order data so far; `seen` is every segment that arrived, in order. Options of its SYN: MSS,
    WSCALE, SACK, TIMESTAMPS (each None or False to leave it out). DPORT None: taken from the first
    SYN that arrives, for a peer that is called.
    """

    def __init__(self, src, dst, sport, dport=None, mss=1460, wscale=None, sack=False,
                 timestamps=False, window=65535, iss=None):
        self.src, self.dst = str(ipaddress.ip_address(src)), str(ipaddress.ip_address(dst))
        self.sport = sport
        self.dport = dport
        self.mss, self.wscale, self.sack, self.timestamps = mss, wscale, sack, timestamps
        self.window = window
        self.iss = random.getrandbits(32) if iss is None else iss & SEQ_MASK
        self.snd_nxt = self.snd_una = self.iss
        self.irs = self.rcv_nxt = None
        self.snd_wnd = 0
        self.snd_shift = 0
        self.send_mss = 536 if ":" not in self.src else 1220
        self.ts_recent = 0
        self.received = bytearray()
        self.finished = False
        self.reset = False
        self.seen = []
        self._read_mark = 0
        self._early = {}
        self.guard = guard_port(self.src, sport)
        self._open_sockets()

    def _open_sockets(self):
        self.v6 = ":" in self.src
        family = socket.AF_INET6 if self.v6 else socket.AF_INET
        self.raw_in = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.raw_in.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.raw_in.setblocking(False)
        self.raw_out = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        if self.v6:
            for option in (IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS):
                self.raw_in.setsockopt(socket.IPPROTO_IPV6, option, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shut()

    def shut(self):
        """Gives the sockets back; from now on the kernel answers for the port again."""
        for sock in (self.raw_in, self.raw_out, self.guard):
            if sock is not None:
                sock.close()

    # Sending

    def send_ip(self, packet):
        """Sends an IP packet as it is."""
        self.raw_out.sendto(packet, (self.dst, 0))

    def syn_options(self):
        options = b""
        if self.mss is not None:
            options += tcp.option_mss(self.mss)
        if self.sack:
            options += tcp.option_sack_permitted()
        if self.timestamps:
            options += tcp.option_timestamps(self.clock(), self.ts_recent)
        if self.wscale is not None:
            options += tcp.option_wscale(self.wscale)
        return options

    def clock(self):
        return int(time.monotonic() * 1000) & SEQ_MASK

    def build(self, flags="A", data=b"", seq=None, ack=None, options=None, window=None, urgent=0,
              **fields):
        """The bytes of the TCP segment that send would send."""
        if options is None:
            if not isinstance(flags, int) and "S" in flags:
                options = self.syn_options()
            elif self.timestamps:
                options = tcp.option_timestamps(self.clock(), self.ts_recent)
            else:
                options = b""
        if ack is None:
            has_ack = isinstance(flags, int) or "A" in flags
            ack = self.rcv_nxt if has_ack and self.rcv_nxt is not None else 0
        return tcp.build_tcp(self.src, self.dst, self.sport, self.dport or 0,
                             self.snd_nxt if seq is None else seq, ack, flags,
                             self.window if window is None else window, urgent, options, data,
                             **fields)

    def send(self, flags="A", data=b"", seq=None, ip=None, **fields):
        """Sends one segment; without SEQ it is the next in sequence and snd_nxt moves on.

        IP gives keyword arguments for the packet around it (ttl, tos, fragment, ...); the rest are
        fields of build and segment.build_tcp, with sum_field=N for a wrong checksum.
        """
        self.send_ip(tcp.build_ip(self.src, self.dst, self.build(flags, data, seq, **fields),
                                  **(ip or {})))
        if seq is None and not isinstance(flags, int):
            self.snd_nxt = self.snd_nxt + len(data) + ("S" in flags) + ("F" in flags) & SEQ_MASK

    def send_icmp(self, kind, code, rest=0, quoted=None, source=None):
        """Sends an ICMP (or ICMPv6) error about a segment that the other side might have sent.

        QUOTED is that packet's bytes; without it, one that carries the sequence number the other
        side last sent. SOURCE pretends to be a router.
        """
        if quoted is None:
            quoted = tcp.build_ip(self.dst, self.src, tcp.build_tcp(
                self.dst, self.src, self.dport, self.sport,
                (self.rcv_nxt or 0) - 1, self.snd_nxt, "A"))
        source = source or self.src
        message = struct.pack("!BBHI", kind, code, 0, rest) + quoted[:1200 if self.v6 else 548]
        if self.v6:
            total = tcp.checksum(source, self.dst, socket.IPPROTO_ICMPV6, message)
            protocol = socket.IPPROTO_ICMPV6
        else:
            total = 0xFFFF - tcp.ones_sum(message)
            protocol = socket.IPPROTO_ICMP
        message = message[:2] + struct.pack("!H", total) + message[4:]
        self.send_ip(tcp.build_ip(source, self.dst, message, protocol))

    def send_too_big(self, mtu, **about):
        """ICMP "fragmentation needed" or ICMPv6 "packet too big"."""
        if self.v6:
            self.send_icmp(2, 0, mtu, **about)
        else:
            self.send_icmp(3, 4, mtu, **about)

    # Receiving

    def _read_segment(self):
        try:
            packet, controls, _, address = self.raw_in.recvmsg(65536, 512)
        except BlockingIOError:
            return None
        if not self.v6:
            return tcp.parse_ip(packet, time=time.monotonic())
        dst, extra = self.src, {"time": time.monotonic()}
        for _, kind, value in controls:
            if kind == IPV6_PKTINFO:
                dst = ipaddress.ip_address(value[:16])
            elif kind == IPV6_HOPLIMIT:
                extra["ttl"] = struct.unpack("i", value)[0]
            elif kind == IPV6_TCLASS:
                extra["tos"] = struct.unpack("i", value)[0]
        return tcp.parse_tcp(address[0].split("%")[0], dst, packet, **extra)

    def _is_mine(self, seg):
        if (seg.src, seg.dst, seg.dport) != (self.dst, self.src, self.sport):
            return False
        if self.dport is None and "S" in seg.flags and "A" not in seg.flags:
            self.dport = seg.sport
        return seg.sport == self.dport

    def _account(self, seg):
        self.seen.append(seg)
        if "R" in seg.flags:
            self.reset = True
            return
        if "S" in seg.flags:
            self.irs = seg.seq
            self.rcv_nxt = seg.seq + 1 & SEQ_MASK
            if seg.mss is not None:
                self.send_mss = seg.mss
            if self.wscale is not None and seg.wscale is not None:
                self.snd_shift = seg.wscale
            self.timestamps = bool(self.timestamps and seg.timestamps)
        if seg.timestamps:
            self.ts_recent = seg.timestamps[0]
        if "A" in seg.flags:
            if seq_before(self.snd_una, seg.ack):
                self.snd_una = seg.ack
            self.snd_wnd = seg.window << (0 if "S" in seg.flags else self.snd_shift)
        if self.rcv_nxt is not None and "S" not in seg.flags and seg.length:
            self._early[seg.seq] = seg
            self._join()

    def _join(self):
        """Moves what has become in-order from the early segments to `received`."""
        for seq in sorted(self._early, key=lambda s: s - self.rcv_nxt + 0x80000000 & SEQ_MASK):
            seg = self._early[seq]
            if seq_before(self.rcv_nxt, seq):
                return
            del self._early[seq]
            old = self.rcv_nxt - seq & SEQ_MASK
            if old >= seg.length:
                continue
            self.received += seg.data[old:]
            self.rcv_nxt = seq + seg.length & SEQ_MASK
            self.finished = self.finished or "F" in seg.flags

    def receive(self, timeout=3.0):
        """The next segment of this connection, whatever it is; None when none arrives in time."""
        deadline = time.monotonic() + timeout
        while True:
            seg = self._read_segment()
            if seg is not None:
                if self._is_mine(seg):
                    self._account(seg)
                    return seg
                continue
            left = deadline - time.monotonic()
            if left <= 0 or not self._wait(left):
                return None

    def _wait(self, seconds):
        return bool(select.select([self.raw_in], [], [], seconds)[0])

    def expect(self, flags=ANY, timeout=3.0, strict=False, where=None, **fields):
        """The next segment with exactly these FLAGS (PSH counts only if asked for).

        FIELDS are compared with the segment's (seq=, ack=, data=, mss=, ...); WHERE is a function
        that has to agree. Other segments are passed over, or with STRICT are a failure.
        """
        deadline = time.monotonic() + timeout
        passed = []
        while (seg := self.receive(max(0, deadline - time.monotonic()))) is not None:
            if (self._flags_agree(seg, flags) and (where is None or where(seg))
                    and all(getattr(seg, name) == value for name, value in fields.items())):
                return seg
            passed.append(seg)
            if strict:
                break
        wanted = "any segment" if flags is ANY else f"flags {flags!r}"
        if fields:
            wanted += f" with {fields}"
        raise Unexpected(f"wanted {wanted} within {timeout} s; arrived: "
                         + ("; ".join(map(str, passed)) or "nothing"))

    @staticmethod
    def _flags_agree(seg, flags):
        if flags is ANY:
            return True
        have, want = set(seg.flags), set(flags)
        return have == want or (have - {"P"} == want and "P" not in want)

    def silent(self, seconds):
        """Fails when any segment of this connection arrives within SECONDS."""
        seg = self.receive(seconds)
        if seg is not None:
            raise Unexpected(f"wanted silence for {seconds} s; arrived: {seg}")

    def drain(self):
        """Takes in what has arrived so far and returns it as a list."""
        taken = []
        while (seg := self.receive(0)) is not None:
            taken.append(seg)
        return taken

    # What scripts do most

    def connect(self, timeout=3.0):
        """Three-way handshake; returns the SYN-ACK."""
        self.send("S")
        reply = self.expect("SA", timeout, ack=self.snd_nxt)
        self.send("A")
        return reply

    def accept(self, timeout=3.0):
        """The passive side of a handshake; returns the SYN."""
        syn = self.expect("S", timeout)
        self.send("SA")
        self.expect("A", timeout, ack=self.snd_nxt)
        return syn

    def write(self, data, timeout=3.0):
        """Sends DATA in order, inside the window, each segment acknowledged before the next."""
        for start in range(0, len(data), self.send_mss):
            self.send("PA", data[start:start + self.send_mss])
            self.wait_acked(timeout)

    def wait_acked(self, timeout=3.0):
        """Waits until all that was sent is acknowledged; acknowledges nothing itself."""
        deadline = time.monotonic() + timeout
        while self.snd_una != self.snd_nxt:
            if self.receive(max(0, deadline - time.monotonic())) is None:
                raise Unexpected(f"{self.snd_nxt - self.snd_una & SEQ_MASK} octets were not "
                                 f"acknowledged within {timeout} s")

    def read_until(self, pattern, timeout=5.0):
        """Acknowledges what arrives until PATTERN (bytes) is in it; returns the data up to there.

        The next call goes on behind it. PATTERN None: until the FIN.
        """
        deadline = time.monotonic() + timeout
        while True:
            found = self._find(pattern)
            if found is not None:
                data = bytes(self.received[self._read_mark:found])
                self._read_mark = found
                return data
            seg = self.receive(max(0, deadline - time.monotonic()))
            if seg is None or self.reset:
                raise Unexpected(f"wanted {pattern!r} within {timeout} s; "
                                 f"{'reset after' if self.reset else 'got'} "
                                 f"{bytes(self.received[self._read_mark:])[-400:]!r}")
            if seg.length:
                self.send("A")

    def _find(self, pattern):
        if pattern is None:
            return len(self.received) if self.finished else None
        at = self.received.find(pattern, self._read_mark)
        return at + len(pattern) if at >= 0 else None

    def close(self, timeout=5.0):
        """FIN both ways: sends one, acknowledges data until the other side's, and waits for its ACK."""
        self.send("FA")
        self.read_until(None, timeout)
        self.wait_acked(timeout)

    def abort(self):
        """Sends a RST that RFC 5961 believes: at exactly the next sequence number."""
        self.send("RA")


def environment_address(name):
    return os.environ.get(name, "")


SERVER4, SERVER6 = environment_address("SERVER4"), environment_address("SERVER6")
CLIENT4, CLIENT6 = environment_address("CLIENT4"), environment_address("CLIENT6")
