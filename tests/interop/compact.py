"""telltale.v1 as its document describes it: frames are written and read without anything of the hub's own code.

A batch is written in forms that are drawn: any way of the document to say the same readings must be understood alike.
"""

import math
import struct
from contextlib import ExitStack
from itertools import pairwise

from websockets.sync.client import connect

SUBPROTOCOL = "telltale.v1"
NUMBER, BOOL, TEXT = 1, 2, 3
KINDS = {None: 0, "gauge": 1, "counter": 2, "state": 3, "text": 4}
UNITS = [1, 1_000, 1_000_000, 1_000_000_000]
MASK = 2**64 - 1
ALL = "all"


# ---------------------------------------------------------------- elements


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def signed(n):
    """Modulo 2^64, as a signed number."""
    n &= MASK
    return n - 2**64 if n >> 63 else n


def zigzag(n):
    n = signed(n)
    return varint((n << 1 ^ n >> 63) & MASK)


def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return varint(len(raw)) + raw


def bits(flags):
    out = bytearray((len(flags) + 7) // 8)
    for i, flag in enumerate(flags):
        out[i // 8] |= bool(flag) << i % 8
    return bytes(out)


class Reader:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, count):
        assert self.at + count <= len(self.raw), "the frame ends too early"
        self.at += count
        return self.raw[self.at - count : self.at]

    def u8(self):
        return self.take(1)[0]

    def fixed(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def varint(self):
        n = shift = 0
        while True:
            byte = self.u8()
            n |= (byte & 0x7F) << shift
            if byte < 0x80:
                return n
            shift += 7

    def zigzag(self):
        n = self.varint()
        return n >> 1 ^ -(n & 1)

    def text(self):
        return self.take(self.varint()).decode()

    def bits(self, count):
        raw = self.take((count + 7) // 8)
        return [bool(raw[i // 8] >> i % 8 & 1) for i in range(count)]

    def end(self):
        assert self.at == len(self.raw), "bytes after the last field"


# ---------------------------------------------------------------- frames of the agent


def hello(agent, boot, clock_ns, program="outside 1", attributes=()):
    pairs = b"".join(text(name) + text(value) for name, value in attributes)
    head = b"\x01" + text(agent) + struct.pack("<Qq", boot, clock_ns) + text(program)
    return head + varint(len(attributes)) + pairs


def definition(alias, device, metric, labels=(), value_type=NUMBER, kind=None, unit=None):
    pairs = b"".join(text(name) + text(value) for name, value in labels)
    told = b"\0" if unit is None else b"\x01" + text(unit)
    head = varint(alias) + text(device) + text(metric) + varint(len(labels)) + pairs
    return head + bytes([value_type, KINDS.get(kind, kind)]) + told


def define(*definitions):
    return b"\x02" + varint(len(definitions)) + b"".join(definitions)


def goodbye(reason=""):
    return b"\x04" + text(reason)


def batch(seq, base_ns, *groups):
    return b"\x03" + varint(seq) + struct.pack("<q", base_ns) + varint(len(groups)) + b"".join(groups)


def group(base_ns, times, columns, unit=None, mode=None):
    """`columns`: (alias, form, values with None where a row has none)."""
    rows = [column(alias, form, values) for alias, form, values in columns]
    return varint(len(columns)) + varint(len(times)) + moments(base_ns, times, unit, mode) + b"".join(rows)


def moments(base_ns, times, unit=None, mode=None):
    """`unit`: a number of UNITS that divides every difference; `mode` 0 only where the steps are alike."""
    unit = 0 if unit is None else unit
    offsets = [signed(t - base_ns) for t in times]
    assert all(offset % UNITS[unit] == 0 for offset in offsets)
    counts = [offset // UNITS[unit] for offset in offsets]
    if len(counts) == 1:
        return bytes([unit]) + zigzag(counts[0])
    steps = [b - a for a, b in pairwise(counts)]
    mode = (0 if len(set(steps)) == 1 else 1) if mode is None else mode
    head = bytes([unit | mode << 2]) + zigzag(counts[0])
    if mode == 0:
        assert len(set(steps)) == 1
        return head + zigzag(steps[0])
    if mode == 2:
        steps = [b - a for a, b in zip([0, *steps], steps, strict=False)]
    told = b"".join(map(zigzag, steps))
    return head + varint(len(told)) + told


def column(alias, form, values):
    present = [value is not None for value in values]
    held = [value for value in values if value is not None]
    marked = form | (0 if all(present) else 0x80)
    payload = PAYLOADS[form](held)
    presence = b"" if all(present) else bits(present)
    return varint(alias) + bytes([marked]) + presence + varint(len(payload)) + payload


def deltas(ints):
    return b"".join(zigzag(b - a) for a, b in zip([0, *ints], ints, strict=False))


def offsets(ints):
    base = min(ints)
    return zigzag(base) + b"".join(varint((n - base) & MASK) for n in ints)


def exponent_of(floats):
    """The smallest exponent by which each is an integer by 10^e to the very bit; None where there is none."""
    for e in range(16):
        counts = [round(f * 10**e) if abs(f) < 1e15 else None for f in floats]
        if all(n is not None and abs(n) < 2**53 and same(n / 10.0**e, f) for n, f in zip(counts, floats, strict=True)):
            return e, counts
    return None


def same(a, b):
    return struct.pack("<d", a) == struct.pack("<d", b)


def decimals(floats, rest):
    e, counts = exponent_of(floats)
    return bytes([e]) + rest(counts)


def constant(values):
    match value := values[0]:
        case bool():
            return b"\x04" if value else b"\x03"
        case int():
            return b"\x01" + zigzag(value)
        case float():
            return b"\x02" + struct.pack("<d", value)
        case str():
            return b"\x05" + text(value)


def mixed(values):
    is_float = [isinstance(v, float) for v in values]
    out = bits(is_float)
    for form, part in [
        (4, [v for v in values if isinstance(v, float)]),
        (0, [v for v in values if isinstance(v, int)]),
    ]:
        payload = PAYLOADS[form](part)
        out += bytes([form]) + varint(len(payload)) + payload
    return out


PAYLOADS = {
    0: deltas,
    1: offsets,
    2: lambda floats: decimals(floats, deltas),
    3: lambda floats: decimals(floats, offsets),
    4: lambda floats: b"".join(struct.pack("<d", f) for f in floats),
    5: lambda floats: b"".join(struct.pack("<f", f) for f in floats),
    6: bits,
    7: lambda texts: b"".join(varint(len(t.encode())) for t in texts) + "".join(texts).encode(),
    8: constant,
    9: mixed,
}


def forms_of(values):
    """Every form that can say these values."""
    held = [value for value in values if value is not None]
    kinds = {type(value) for value in held}
    forms = [8] if len({repr(value) for value in held}) == 1 and kinds != {type(None)} else []
    if kinds == {bool}:
        return [6, *forms]
    if kinds == {str}:
        return [7, *forms]
    if kinds == {int}:
        return [0, 1, *forms]
    if kinds == {float, int}:
        return [9]
    single = all(not math.isinf(as_f32(f)) and same(as_f32(f), f) for f in held)
    return [4, *([2, 3] if exponent_of(held) else []), *([5] if single else []), *forms]


def as_f32(f):
    try:
        return struct.unpack("<f", struct.pack("<f", f))[0]
    except OverflowError:
        return math.inf


# ---------------------------------------------------------------- frames of the hub


def heard(raw):
    """A frame of the hub as a dict; fails on bytes that the document does not have."""
    r = Reader(raw)
    kind = r.u8()
    match kind:
        case 0x81:
            names = ["frame_bytes", "batch_readings", "aliases", "name_bytes", "label_value_bytes", "label_count"]
            limits = {name: r.varint() for name in [*names, "text_bytes"]}
            out = {"frame": "welcome", "limits": limits, "hub_time_ns": r.fixed("q")}
            out |= {"last_durable": r.varint() if r.u8() else None, "program": r.text()}
            return out  # what stands behind is for later versions
        case 0x82:
            out = {"frame": "ack", "up_to": r.varint(), "stored": r.varint(), "duplicate": r.varint(), "rejected": []}
            for _ in range(r.varint()):
                place = {"seq": r.varint(), "count": r.varint(), "first": r.varint(), "code": r.fixed("H")}
                out["rejected"].append(place | {"retry": bool(r.u8()), "message": r.text()})
        case 0x83:
            out = {"frame": "retry", "seq": r.varint(), "after_ms": r.varint(), "code": r.fixed("H")}
            out["message"] = r.text()
        case 0x84:
            out = {"frame": "slow_down", "after_ms": r.varint()}
        case 0x85:
            out = {"frame": "closing", "code": r.fixed("H"), "reason": r.text()}
            out["retry_after_ms"] = r.varint() if r.u8() else None
        case _:
            raise AssertionError(f"a frame of kind {kind:#x}")
    r.end()
    return out


class Agent:
    """One connection. `hear` returns the hub's next frame, `acked` waits until a batch is durable and adds up."""

    def __init__(self, hub, agent="outside", boot=1, token=None, clock_ns=0, attributes=(), greet=True):
        headers = {"Authorization": f"Bearer {token or hub.token('agent')}"}
        self.stack = ExitStack()
        self.socket = self.stack.enter_context(
            connect(
                hub.ws("/api/v1/ingest"),
                additional_headers=headers,
                subprotocols=[SUBPROTOCOL],
                compression=None,
                max_size=None,
                close_timeout=5,
            )
        )
        assert self.socket.subprotocol == SUBPROTOCOL
        self.stored = self.duplicate = self.up_to = 0
        self.rejected = []
        self.welcome = None
        if greet:
            self.send(hello(agent, boot, clock_ns, attributes=attributes))
            self.welcome = self.hear()
            assert self.welcome["frame"] == "welcome", self.welcome

    def send(self, frame):
        self.socket.send(frame)

    def hear(self, timeout=20):
        frame = heard(self.socket.recv(timeout=timeout))
        if frame["frame"] == "ack":
            assert frame["up_to"] >= self.up_to
            self.up_to = frame["up_to"]
            self.stored += frame["stored"]
            self.duplicate += frame["duplicate"]
            self.rejected += frame["rejected"]
        return frame

    def acked(self, seq):
        """Everything up to this batch: (stored, duplicate, rejected) since the last call."""
        while self.up_to < seq:
            frame = self.hear()
            assert frame["frame"] in ("ack", "slow_down"), frame
        sums = self.stored, self.duplicate, self.rejected
        self.stored = self.duplicate = 0
        self.rejected = []
        return sums

    def exchange(self, frame, seq):
        self.send(frame)
        return self.acked(seq)

    def __enter__(self):
        return self

    def close(self):
        self.stack.close()

    def __exit__(self, *_):
        self.close()
