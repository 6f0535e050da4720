"""A WebSocket client that can do everything wrong: bytes on a TCP socket, frames built by hand (RFC 6455)."""

import base64
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CONTINUATION = 0x0


class Closed(Exception):
    """The peer ended the TCP connection."""


class RawSocket:
    def __init__(self, hub, timeout=20):
        self.tcp = socket.create_connection(hub.address, timeout=timeout)
        self.host = "{}:{}".format(*hub.address)
        self.buffer = b""

    @classmethod
    def upgraded(cls, hub, path="/api/v1/ingest", role="agent"):
        raw = cls(hub)
        status, _ = raw.upgrade(path, {"Authorization": f"Bearer {hub.token(role)}"})
        assert status == 101, status
        return raw

    def upgrade(self, path, headers, key=None):
        """Sends the opening handshake; returns the status and the answer's headers, names in lower case."""
        key = key or base64.b64encode(os.urandom(16)).decode()
        asked = {
            "Host": self.host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        } | headers
        return self.ask(f"GET {path} HTTP/1.1", asked)

    def ask(self, request_line, headers, body=b""):
        lines = [request_line, *(f"{k}: {v}" for k, v in headers.items() if v is not None)]
        self.tcp.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self.read_head()

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status_line, *rest = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(":", 1) for line in rest)
        return int(status_line.split()[1]), {k.lower(): v.strip() for k, v in headers.items()}

    def send_frame(self, opcode, payload=b"", fin=True, masked=True, declared=None, rsv=0):
        """`declared`: the length that the header claims, whatever follows it."""
        self.tcp.sendall(frame(opcode, payload, fin, masked, declared, rsv))

    def read_frame(self):
        """(opcode, payload) of the next frame; a server's frames are whole and unmasked here."""
        first, second = self._take(2)
        assert second & 0x80 == 0, "a server must not mask"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        return first & 0x0F, self._take(length)

    def read_close(self):
        """Skips to the close frame; returns (code, reason)."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == CLOSE:
                return (struct.unpack(">H", payload[:2])[0], payload[2:].decode()) if payload else (1005, "")

    def read_end(self):
        """The peer closes the TCP connection after the close frames were exchanged."""
        try:
            while True:
                self._more()
        except Closed:
            return True

    def rest(self, within_s=1):
        """What else the peer says before it is quiet for a while or ends."""
        self.tcp.settimeout(within_s)
        try:
            while True:
                self._more()
        except (Closed, TimeoutError):
            return self.buffer

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _more(self):
        try:
            got = self.tcp.recv(65536)
        except ConnectionResetError:
            got = b""
        if not got:
            raise Closed(self.buffer)
        self.buffer += got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tcp.close()


def frame(opcode, payload=b"", fin=True, masked=True, declared=None, rsv=0):
    length = len(payload) if declared is None else declared
    mask_bit = 0x80 if masked else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if length < 126:
        head += bytes([mask_bit | length])
    elif length < 1 << 16:
        head += bytes([mask_bit | 126]) + struct.pack(">H", length)
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", length)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def close_payload(code, reason=""):
    return struct.pack(">H", code) + reason.encode()
