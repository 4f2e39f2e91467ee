"""A reader of pcapng and of HEP3 that shares no code with the daemons."""

import ipaddress
import struct

from cases import Fail, check


def blocks(data):
    """(type, body) of each block."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        check(length % 4 == 0 and length >= 12 and at + length <= len(data), f"a block of {length} octets at {at}")
        check(struct.unpack_from("<I", data, at + length - 4)[0] == length, f"the block at {at} has two lengths")
        yield kind, data[at + 8:at + length - 4]
        at += length


def transport(packet):
    """(source, destination, protocol, payload) of a raw IP packet."""
    if packet[0] >> 4 == 4:
        proto, src, dst, rest = packet[9], packet[12:16], packet[16:20], packet[(packet[0] & 15) * 4:struct.unpack_from(">H", packet, 2)[0]]
    else:
        proto, src, dst, rest = packet[6], packet[8:24], packet[24:40], packet[40:40 + struct.unpack_from(">H", packet, 4)[0]]
    ports = struct.unpack_from(">HH", rest)
    payload = rest[8:] if proto == 17 else rest[(rest[12] >> 4) * 4:]
    return (str(ipaddress.ip_address(src)), ports[0]), (str(ipaddress.ip_address(dst)), ports[1]), {17: "udp", 6: "tcp"}[proto], payload


def packets(data):
    """Packets of a capture, sections one behind the other."""
    found, links = [], []
    for kind, body in blocks(data):
        if kind == 0x0A0D0D0A:
            links = []
        elif kind == 1:
            links.append(struct.unpack_from("<H", body)[0])
        elif kind == 6:
            interface, _, _, length, _ = struct.unpack_from("<IIIII", body)
            check(links[interface] == 101, f"link type {links[interface]}")
            found.append(transport(body[20:20 + length]))
        else:
            raise Fail(f"a block of type {kind}")
    return found


def hep(data):
    """{chunk: value} of one HEP3 packet."""
    check(data[:4] == b"HEP3" and struct.unpack_from(">H", data, 4)[0] == len(data), f"no HEP3: {data[:16]}")
    chunks, at = {}, 6
    while at < len(data):
        vendor, kind, length = struct.unpack_from(">HHH", data, at)
        check(vendor == 0 and kind not in chunks and length >= 6, f"chunk {vendor}/{kind} of {length}")
        chunks[kind] = data[at + 6:at + length]
        at += length
    return chunks
