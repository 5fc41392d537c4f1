"""TCP segments and the IP packets around them: building any, right or wrong, and reading them.

Standard library only. Flags are strings of the letters S F R P U E C A (SYN, FIN, RST, PSH, URG,
ECE, CWR, ACK); functions return them in that order, and take them in any.
"""

import ipaddress
import struct
from dataclasses import dataclass, field

FLAG_BITS = {"S": 0x02, "F": 0x01, "R": 0x04, "P": 0x08, "U": 0x20, "E": 0x40, "C": 0x80, "A": 0x10}
TCP = 6
SEQ_MASK = 0xFFFFFFFF


def flags_to_bits(flags):
    return sum({FLAG_BITS[letter] for letter in flags})


def bits_to_flags(bits):
    return "".join(letter for letter, bit in FLAG_BITS.items() if bits & bit)


def seq_before(a, b):
    """Whether A comes before B in sequence space (RFC 9293, section 3.4)."""
    return 0 < ((b - a) & SEQ_MASK) < 0x80000000


def ones_sum(data):
    """The folded ones' complement sum of DATA (RFC 1071), not yet inverted."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo_header(src, dst, protocol, length):
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if src.version == 4:
        return src.packed + dst.packed + struct.pack("!BBH", 0, protocol, length)
    return src.packed + dst.packed + struct.pack("!IHBB", length, 0, 0, protocol)


def checksum(src, dst, protocol, data):
    return 0xFFFF - ones_sum(pseudo_header(src, dst, protocol, len(data)) + data)


def option_mss(mss):
    return struct.pack("!BBH", 2, 4, mss)


def option_wscale(shift):
    return struct.pack("!BBB", 3, 3, shift)


def option_sack_permitted():
    return b"\x04\x02"


def option_sack(*blocks):
    return struct.pack("!BB", 5, 2 + 8 * len(blocks)) + b"".join(
        struct.pack("!II", left & SEQ_MASK, right & SEQ_MASK) for left, right in blocks
    )


def option_timestamps(value, echo):
    return struct.pack("!BBII", 8, 10, value & SEQ_MASK, echo & SEQ_MASK)


def build_tcp(src, dst, sport, dport, seq=0, ack=0, flags="A", window=65535, urgent=0,
              options=b"", data=b"", data_offset=None, reserved=0, sum_field=None):
    """The bytes of a TCP segment. Options are padded with NOPs to a multiple of four.

    DATA_OFFSET (in words), RESERVED and SUM_FIELD overrule what would be right; FLAGS may be a
    number as well.
    """
    options += b"\x01" * (-len(options) % 4)
    if data_offset is None:
        data_offset = 5 + len(options) // 4
    bits = flags if isinstance(flags, int) else flags_to_bits(flags)
    header = struct.pack("!HHIIBBHHH", sport, dport, seq & SEQ_MASK, ack & SEQ_MASK,
                         (data_offset & 15) << 4 | reserved & 15, bits, window, 0, urgent)
    segment = header + options + data
    if sum_field is None:
        sum_field = checksum(src, dst, TCP, segment)
    return segment[:16] + struct.pack("!H", sum_field) + segment[18:]


def build_ip(src, dst, payload, protocol=TCP, ttl=64, tos=0, ident=0, fragment=0x4000, total=None):
    """An IPv4 or IPv6 packet around PAYLOAD. FRAGMENT is the IPv4 flags and offset (default: DF).

    TOTAL overrules the length field of IPv6 (the kernel writes IPv4's, and its header checksum).
    """
    source, target = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if source.version == 4:
        length = 20 + len(payload) if total is None else total
        header = struct.pack("!BBHHHBBH", 0x45, tos, length, ident, fragment, ttl, protocol, 0)
        header += source.packed + target.packed
        header = header[:10] + struct.pack("!H", 0xFFFF - ones_sum(header)) + header[12:]
    else:
        length = len(payload) if total is None else total
        header = struct.pack("!IHBB", 6 << 28 | tos << 20, length, protocol, ttl)
        header += source.packed + target.packed
    return header + payload


@dataclass
class Segment:
    """One TCP segment as it arrived."""

    src: str
    dst: str
    sport: int
    dport: int
    seq: int
    ack: int
    flags: str
    window: int
    urgent: int
    options: bytes
    data: bytes
    checksum_ok: bool
    ttl: int = 0
    tos: int = 0
    time: float = 0.0
    mss: int = None
    wscale: int = None
    sack_permitted: bool = False
    sack: list = field(default_factory=list)
    timestamps: tuple = None

    @property
    def length(self):
        """What it takes of sequence space: data, SYN and FIN."""
        return len(self.data) + ("S" in self.flags) + ("F" in self.flags)

    def has(self, flags):
        return set(flags) <= set(self.flags)

    def __str__(self):
        text = (f"{self.src}.{self.sport} > {self.dst}.{self.dport} {self.flags or '-'}"
                f" seq={self.seq} ack={self.ack} len={len(self.data)} win={self.window}")
        if "U" in self.flags:
            text += f" urg={self.urgent}"
        if self.mss is not None:
            text += f" mss={self.mss}"
        if self.wscale is not None:
            text += f" wscale={self.wscale}"
        if self.sack_permitted:
            text += " sackok"
        for left, right in self.sack:
            text += f" sack={left}-{right}"
        if self.timestamps:
            text += " ts=%d,%d" % self.timestamps
        return text if self.checksum_ok else text + " badsum"


def read_options(segment):
    """Sets the fields of SEGMENT that its options give; stops at anything malformed."""
    options = segment.options
    while options and options[0] != 0:
        if options[0] == 1:
            options = options[1:]
            continue
        if len(options) < 2 or not 2 <= options[1] <= len(options):
            return
        kind, body = options[0], options[2:options[1]]
        options = options[options[1]:]
        if kind == 2 and len(body) == 2:
            segment.mss = struct.unpack("!H", body)[0]
        elif kind == 3 and len(body) == 1:
            segment.wscale = body[0]
        elif kind == 4 and not body:
            segment.sack_permitted = True
        elif kind == 5 and len(body) % 8 == 0:
            segment.sack = list(struct.iter_unpack("!II", body))
        elif kind == 8 and len(body) == 8:
            segment.timestamps = struct.unpack("!II", body)


def parse_tcp(src, dst, tcp, **extra):
    """The Segment in the bytes TCP; None when they are too short or the data offset is wrong."""
    if len(tcp) < 20:
        return None
    sport, dport, seq, ack, offset, bits, window, sum_field, urgent = struct.unpack(
        "!HHIIBBHHH", tcp[:20])
    offset = (offset >> 4) * 4
    if not 20 <= offset <= len(tcp):
        return None
    pseudo = ones_sum(pseudo_header(src, dst, TCP, len(tcp)))
    # A packet that never left the host carries the pseudo-header's sum alone.
    good = sum_field == pseudo or checksum(src, dst, TCP, tcp) == 0
    segment = Segment(str(ipaddress.ip_address(src)), str(ipaddress.ip_address(dst)), sport, dport,
                      seq, ack, bits_to_flags(bits), window, urgent, tcp[20:offset], tcp[offset:],
                      good, **extra)
    read_options(segment)
    return segment


def parse_ip(packet, **extra):
    """The Segment in an IP packet; None when it holds none (other protocols, fragments)."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        header = (packet[0] & 15) * 4
        total, fragment = struct.unpack("!2xH2xH", packet[:8])
        if packet[9] != TCP or fragment & 0x1FFF or not header <= total:
            return None
        return parse_tcp(ipaddress.ip_address(packet[12:16]), ipaddress.ip_address(packet[16:20]),
                         packet[header:total], ttl=packet[8], tos=packet[1], **extra)
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        first, length, protocol, hops = struct.unpack("!IHBB", packet[:8])
        if protocol != TCP:
            return None
        return parse_tcp(ipaddress.ip_address(packet[8:24]), ipaddress.ip_address(packet[24:40]),
                         packet[40:40 + length], ttl=hops, tos=first >> 20 & 0xFF, **extra)
    return None
