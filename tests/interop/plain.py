"""A sender of plain readings, as anyone with a MessagePack library would write it."""

from contextlib import ExitStack

import msgpack
from websockets.sync.client import connect


class Sender:
    """One ingest connection. `batch` returns the hub's answer to it; `send` expects none."""

    def __init__(self, hub, token=None):
        headers = {"Authorization": f"Bearer {token or hub.token('agent')}"}
        self.stack = ExitStack()
        connection = connect(
            hub.ws("/api/v1/ingest"), additional_headers=headers, compression=None, max_size=None, close_timeout=5
        )
        self.socket = self.stack.enter_context(connection)
        self.seq = 0

    def batch(self, readings, seq=None):
        self.post(readings, seq)
        return self.answer()

    def post(self, readings, seq=None):
        """Sends a batch and leaves its answer to be read later."""
        self.seq = self.seq + 1 if seq is None else seq
        self.socket.send(msgpack.packb({"seq": self.seq, "readings": readings}, datetime=True))

    def send(self, *values):
        """One binary frame of concatenated values, without a sequence number."""
        self.raw(b"".join(msgpack.packb(v, datetime=True) for v in values))

    def raw(self, payload):
        self.socket.send(payload)

    def answer(self, timeout=20):
        return msgpack.unpackb(self.socket.recv(timeout=timeout), timestamp=3)

    def stored(self, readings):
        """Sends a batch that must be stored whole; the usual way to set a scene."""
        answer = self.batch(readings)
        assert answer["rejected"] == [] and "ack" in answer, answer
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()
