"""RFC 6455 on a raw socket: the hub's handshake, control frames and refusals, byte by byte."""

import time

import msgpack
import pytest

import raw
from raw import RawSocket, close_payload

FRAME_LIMIT = 4 * 1024 * 1024


def reading(device, value, metric="m"):
    return {"device": device, "metric": metric, "value": value, "time": time.time_ns()}


def batch(seq, *readings):
    return msgpack.packb({"seq": seq, "readings": list(readings)})


@pytest.mark.parametrize("path, role", [("/api/v1/ingest", "agent"), ("/api/v1/live", "viewer")])
def test_the_handshake_vector_of_rfc_6455(shared_hub, path, role):
    with RawSocket(shared_hub) as peer:
        status, headers = peer.upgrade(path, shared_hub.bearer(role), key="dGhlIHNhbXBsZSBub25jZQ==")
        assert status == 101
        assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert headers["upgrade"].lower() == "websocket"
        assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize("path, role", [("/api/v1/ingest", "agent"), ("/api/v1/live", "viewer")])
def test_the_client_closes_and_the_hub_answers_with_its_code(shared_hub, path, role):
    with RawSocket.upgraded(shared_hub, path, role) as peer:
        peer.send_frame(raw.CLOSE, close_payload(1000, "done"))
        code, _ = peer.read_close()
        assert code == 1000
        assert peer.read_end()


def test_a_close_without_a_code_is_answered(shared_hub):
    with RawSocket.upgraded(shared_hub) as peer:
        peer.send_frame(raw.CLOSE)
        assert peer.read_close()[0] in (1000, 1005)
        assert peer.read_end()


@pytest.mark.parametrize("path, role", [("/api/v1/ingest", "agent"), ("/api/v1/live", "viewer")])
def test_the_hub_closes_with_code_and_reason_when_it_drains(hub, path, role):
    with RawSocket.upgraded(hub, path, role) as peer:
        hub.process.terminate()
        code, reason = peer.read_close()
        assert code == 1001
        assert reason != ""
        peer.send_frame(raw.CLOSE, close_payload(1001))
        assert peer.read_end()
    hub.stop()


@pytest.mark.parametrize("path, role", [("/api/v1/ingest", "agent"), ("/api/v1/live", "viewer")])
def test_a_ping_is_answered_with_its_own_payload(shared_hub, path, role):
    with RawSocket.upgraded(shared_hub, path, role) as peer:
        peer.send_frame(raw.PING, b"are you there")
        assert peer.read_frame() == (raw.PONG, b"are you there")


def test_a_fragmented_message_with_a_ping_inside_is_one_frame(shared_hub):
    with RawSocket.upgraded(shared_hub) as peer:
        message = batch(7, reading("fragments", 1))
        peer.send_frame(raw.BINARY, message[:5], fin=False)
        peer.send_frame(raw.CONTINUATION, message[5:9], fin=False)
        peer.send_frame(raw.PING, b"x")
        peer.send_frame(raw.CONTINUATION, message[9:])
        assert peer.read_frame() == (raw.PONG, b"x")
        opcode, payload = peer.read_frame()
        assert opcode == raw.BINARY
        assert msgpack.unpackb(payload) == {"ack": 7, "stored": 1, "duplicate": 0, "rejected": []}


def test_one_byte_at_a_time_is_one_frame(shared_hub):
    with RawSocket.upgraded(shared_hub) as peer:
        for byte in raw.frame(raw.BINARY, batch(8, reading("slow", 1))):
            peer.tcp.sendall(bytes([byte]))
        assert msgpack.unpackb(peer.read_frame()[1])["ack"] == 8


@pytest.mark.parametrize("declared", [FRAME_LIMIT + 1, 1 << 40, (1 << 63) - 1])
def test_a_frame_declared_too_long_is_refused_at_its_header(hub, declared):
    with RawSocket.upgraded(hub) as peer:
        peer.send_frame(raw.BINARY, batch(1, reading("before", 1)))
        assert msgpack.unpackb(peer.read_frame()[1])["ack"] == 1
        before = hub.peak_kib()
        peer.send_frame(raw.BINARY, b"", declared=declared)
        # The header alone is enough: nothing of the payload was sent.
        assert peer.read_close()[0] == 1009
        grown = hub.peak_kib() - before
        assert grown < 2048, f"{grown} KiB more for a header of {declared} bytes"
    assert hub.is_well()


def test_bytes_after_a_header_declared_too_long_are_not_kept(hub):
    with RawSocket.upgraded(hub) as peer:
        before = hub.peak_kib()
        peer.send_frame(raw.BINARY, b"", declared=1 << 40)
        try:
            for _ in range(64):
                peer.tcp.sendall(bytes(1 << 20))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the hub need not listen to it
        grown = hub.peak_kib() - before
        assert grown < 8192, f"{grown} KiB more for 64 MiB of a refused frame"
    assert hub.is_well()


def test_fragments_that_add_up_past_the_limit_are_refused(hub):
    with RawSocket.upgraded(hub) as peer:
        piece = bytes(512 * 1024)
        peer.send_frame(raw.BINARY, piece, fin=False)
        try:
            for _ in range(10):
                peer.send_frame(raw.CONTINUATION, piece, fin=False)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert peer.read_close()[0] == 1009
    assert hub.is_well()


@pytest.mark.parametrize("path, role", [("/api/v1/ingest", "agent"), ("/api/v1/live", "viewer")])
def test_an_unmasked_client_frame_is_a_protocol_error(shared_hub, path, role):
    with RawSocket.upgraded(shared_hub, path, role) as peer:
        peer.send_frame(raw.BINARY, batch(1, reading("unmasked", 1)), masked=False)
        assert peer.read_close()[0] == 1002
    assert shared_hub.history("unmasked/*") == {}


PROTOCOL_ERRORS = {
    "a reserved bit": dict(opcode=raw.BINARY, payload=b"\xc0", rsv=4),
    "an unknown opcode": dict(opcode=0x3, payload=b"\xc0"),
    "a fragmented ping": dict(opcode=raw.PING, payload=b"x", fin=False),
    "a ping of 126 bytes": dict(opcode=raw.PING, payload=bytes(126)),
    "a continuation of nothing": dict(opcode=raw.CONTINUATION, payload=b"x"),
}


@pytest.mark.parametrize("case", PROTOCOL_ERRORS)
def test_a_broken_frame_is_a_protocol_error(shared_hub, case):
    with RawSocket.upgraded(shared_hub) as peer:
        peer.send_frame(**PROTOCOL_ERRORS[case])
        assert peer.read_close()[0] == 1002
    assert shared_hub.is_well()


def test_good_frames_before_a_protocol_error_are_answered(shared_hub):
    """All in one write, so that they reach the hub in one read."""
    with RawSocket.upgraded(shared_hub) as peer:
        good = raw.frame(raw.BINARY, batch(1, reading("good-before-bad", 5)))
        peer.tcp.sendall(good + raw.frame(0x3, b"x"))
        opcode, payload = peer.read_frame()
        assert opcode == raw.BINARY and msgpack.unpackb(payload)["stored"] == 1
        assert peer.read_close()[0] == 1002


def test_a_text_frame_on_ingest_is_refused_by_kind(shared_hub):
    with RawSocket.upgraded(shared_hub) as peer:
        peer.send_frame(raw.TEXT, b'{"device":"d"}')
        assert peer.read_close()[0] == 1003


def test_a_hundred_malformed_frames_end_the_connection(shared_hub):
    with RawSocket.upgraded(shared_hub) as peer:
        for number in range(1, 101):  # one by one: answers that nobody reads may be dropped
            peer.send_frame(raw.BINARY, b"\xc1")
            opcode, payload = peer.read_frame()
            assert opcode == raw.BINARY, (number, payload)
            answer = msgpack.unpackb(payload)
            assert (answer["frame"], answer["error"]["code"]) == (number, "bad_frame")
        code, reason = peer.read_close()
        assert code == 1007
        assert reason != ""


def test_a_handful_of_malformed_frames_does_not(shared_hub):
    with RawSocket.upgraded(shared_hub) as peer:
        for _ in range(5):
            peer.send_frame(raw.BINARY, b"\xc1")
            assert msgpack.unpackb(peer.read_frame()[1])["error"]["code"] == "bad_frame"
        peer.send_frame(raw.BINARY, batch(3, reading("still-welcome", 1)))
        assert msgpack.unpackb(peer.read_frame()[1])["ack"] == 3


def test_the_hub_goes_on_after_a_peer_that_vanishes_in_the_middle_of_a_frame(shared_hub):
    peer = RawSocket.upgraded(shared_hub)
    peer.tcp.sendall(raw.frame(raw.BINARY, batch(1, reading("half", 1)))[:-3])
    peer.tcp.close()
    assert shared_hub.history("half/*") == {}
    assert shared_hub.is_well()
