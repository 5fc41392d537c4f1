#!/usr/bin/python3
"""Prints the TCP segments of a pcap file, one a line, for tests to count and compare.

    pcap.py FILE [--from ADDRESS[.PORT]] [--to ADDRESS[.PORT]] [--flags SA] [--with R] [--data]

--flags: exactly these, PSH aside; --with: at least these; --data: only segments that carry data.
The line: seconds since the first packet, then what segment.Segment says of itself.
"""

import argparse
import struct

import segment

# Bytes before the IP header, by link type (DLT): Ethernet, raw IP, cooked, cooked v2, null.
LINK_HEADERS = {1: 14, 101: 0, 12: 0, 113: 16, 276: 20, 0: 4}


def read_packets(path):
    """Yields (seconds, IP packet) of every record that is whole."""
    with open(path, "rb") as file:
        content = file.read()
    for order in "<>":
        magic, link = struct.unpack(order + "I16xI", content[:24])
        if magic in (0xA1B2C3D4, 0xA1B23C4D):
            break
    else:
        raise SystemExit(f"{path}: not a pcap file")
    unit = 1e9 if magic == 0xA1B23C4D else 1e6
    skip = LINK_HEADERS[link & 0xFFFF]
    at = 24
    while at + 16 <= len(content):
        seconds, fraction, length = struct.unpack(order + "III", content[at:at + 12])
        at += 16
        if at + length > len(content):
            break
        yield seconds + fraction / unit, content[at + skip:at + length]
        at += length


def read_segments(path):
    """Yields every TCP segment in the file, `time` counted from the first packet of any kind."""
    start = None
    for seconds, packet in read_packets(path):
        start = seconds if start is None else start
        seg = segment.parse_ip(packet, time=seconds - start)
        if seg is not None:
            yield seg


def is_end(address, port, wanted):
    return wanted is None or wanted in (address, f"{address}.{port}")


def is_wanted(seg, options):
    return (is_end(seg.src, seg.sport, options.source)
            and is_end(seg.dst, seg.dport, options.target)
            and (options.flags is None
                 or set(seg.flags) - {"P"} == set(options.flags) - {"P"})
            and seg.has(options.having)
            and (seg.data or not options.data))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--from", dest="source")
    parser.add_argument("--to", dest="target")
    parser.add_argument("--flags")
    parser.add_argument("--with", dest="having", default="")
    parser.add_argument("--data", action="store_true")
    options = parser.parse_args()
    for seg in read_segments(options.file):
        if is_wanted(seg, options):
            print(f"{seg.time:.6f} {seg}")


if __name__ == "__main__":
    main()
