"""What the codec rows read and write: the same values for every implementation."""

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(data):
    n, out = int.from_bytes(data, "big"), ""
    while n:
        n, digit = divmod(n, 58)
        out = ALPHABET[digit] + out
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + out


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    """Of protobuf, with a length."""
    return varint(number << 3 | 2) + varint(len(data)) + data


PUBLIC_KEY = bytes.fromhex("08011220d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
PEER_ID = b"\0\x24" + PUBLIC_KEY
PEER_ID_TEXT = base58(PEER_ID)

IP4, IP6 = b"\x04\xcb\x00\x71\x07", b"\x29" + bytes.fromhex("20010db8000000000000000000000001")
UDP, TCP, PORT = varint(273), b"\x06", (4001).to_bytes(2, "big")
QUIC, P2P = varint(461), varint(421) + varint(len(PEER_ID)) + PEER_ID
ADDRESS = IP4 + UDP + PORT + QUIC + P2P
ADDRESS_TEXT = f"/ip4/203.0.113.7/udp/4001/quic-v1/p2p/{PEER_ID_TEXT}"

VARINTS = b"".join(varint(n) for n in (0, 1, 7, 127, 128, 300, 4001, 16_383, 16_384, 65_535, 1 << 20, 1 << 21, 1 << 28, 1 << 35,
                                       1 << 42, (1 << 63) - 1))

# As a node with eight addresses sends it; the record, which nobody here opens, is filler.
IDENTIFY = (field(1, PUBLIC_KEY) +
            b"".join(field(2, host + path) for host in (IP4, IP6, b"\x04\xc0\xa8\x01\x14", b"\x04\x0a\x00\x00\x05")
                     for path in (UDP + PORT + QUIC, TCP + PORT)) +
            b"".join(field(3, protocol.encode()) for protocol in (
                "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/kad/1.0.0", "/libp2p/autonat/1.0.0",
                "/libp2p/circuit/relay/0.2.0/hop", "/libp2p/circuit/relay/0.2.0/stop", "/libp2p/dcutr", "/meshsub/1.1.0",
                "/meshsub/1.2.0", "/ipfs/bitswap/1.2.0", "/perf/1.0.0")) +
            field(4, IP4 + UDP + PORT + QUIC) + field(5, b"ipfs/0.1.0") + field(6, b"kith-bench/1.0.0") +
            field(8, bytes(range(200))))

# {operation: (title, input)}. Binary input is in hex.
OPERATIONS = {
    "multiaddr-text": ("Multiaddr, from text", ADDRESS_TEXT),
    "multiaddr-binary": ("Multiaddr, from bytes", ADDRESS.hex()),
    "varint-decode": ("Varint, decode", VARINTS.hex()),
    "varint-encode": ("Varint, encode", VARINTS.hex()),
    "peer-id-parse": ("Peer id, from text", PEER_ID_TEXT),
    "peer-id-print": ("Peer id, to text", PEER_ID_TEXT),
    "protobuf": (f"Protobuf, the fields of an identify message of {len(IDENTIFY)} bytes", IDENTIFY.hex()),
    "identify": ("Identify message, with its addresses", IDENTIFY.hex()),
}
