"""Odd but legal clients, byte by byte: HTTP/1.0, HEAD, preflights, chunks with extensions, single bytes, pipelines; and
sockets that fragment, flood, offer extensions or close only their side. What the RFCs promise them holds.
"""

import gzip
import json
import socket
import time

import pytest
from websockets.sync.client import connect

import raw
from hub import eventually
from raw import RawSocket, close_payload

LINE = "m,device={} value={} {}\n"


@pytest.fixture(scope="module", autouse=True)
def filled(shared_hub):
    now = time.time_ns()
    lines = "".join(f"temp,device=boiler-{i % 4} value={i} {now - i * 10**9}\n" for i in range(4000))
    assert shared_hub.request("POST", "/api/v2/write?bucket=b", "agent", content=lines).status_code == 204
    return now


class Plain:
    """One connection, on which a request is written as it stands."""

    def __init__(self, hub):
        self.tcp = socket.create_connection(hub.address, timeout=20)
        self.hub, self.buffer = hub, b""

    def send(self, line, *headers, body=b"", role="viewer"):
        lines = [line, "Host: {}:{}".format(*self.hub.address), *headers]
        if role:
            lines.append(f"Authorization: Bearer {self.hub.token(role)}")
        self.tcp.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self

    def more(self):
        got = self.tcp.recv(65536)
        self.buffer += got
        return bool(got)

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            assert self.more(), self.buffer
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status, *rest = head.decode().split("\r\n")
        headers = {}
        for line in rest:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        return status, headers

    def take(self, count):
        while len(self.buffer) < count:
            assert self.more(), self.buffer
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def line(self):
        while b"\r\n" not in self.buffer:
            assert self.more(), self.buffer
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def body(self, headers):
        """As HTTP/1.1 frames it."""
        if headers.get("transfer-encoding") == "chunked":
            whole = b""
            while size := int(self.line(), 16):
                whole += self.take(size)
                assert self.take(2) == b"\r\n"
            assert self.line() == b""
            return whole
        return self.take(int(headers.get("content-length", 0)))

    def rest(self):
        """All until the end of the connection."""
        while self.more():
            pass
        return self.buffer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tcp.close()


HISTORY = "/api/v1/history?select=boiler-*/temp.value&from=-2h"


@pytest.mark.parametrize(
    "path", [HISTORY, "/api/v1/last?select=*/*", "/api/v1/export?select=*/*&format=ndjson", "/api/v1/series"]
)
@pytest.mark.parametrize("connection", [(), ("Connection: keep-alive",)])
def test_http_1_0_gets_no_chunks(shared_hub, path, connection):
    with Plain(shared_hub) as peer, Plain(shared_hub) as modern:
        status, headers = peer.send(f"GET {path} HTTP/1.0", *connection).head()
        assert status.startswith("HTTP/1.0 200")
        assert "transfer-encoding" not in headers
        body = peer.take(int(headers["content-length"])) if "content-length" in headers else peer.rest()
        _, headers = modern.send(f"GET {path} HTTP/1.1").head()
        expected = modern.body(headers)
        assert [len(body), body[:20]] == [len(expected), expected[:20]]


def test_a_stream_of_events_over_http_1_0(shared_hub):
    with Plain(shared_hub) as peer:
        status, headers = peer.send("GET /api/v1/live/sse?select=boiler-1/* HTTP/1.0").head()
        assert status.startswith("HTTP/1.0 200") and "transfer-encoding" not in headers
        eventually(lambda: peer.more() and b"event: snapshot\n" in peer.buffer)
        assert peer.buffer.startswith(b"retry: 1000\n\n")


PATHS = [
    "/",
    "/healthz",
    "/readyz",
    "/ping",
    "/health",
    "/metrics",
    HISTORY,
    HISTORY + "&every=1h&agg=mean&group=sum",
    "/api/v1/last?select=*/*",
    "/api/v1/series",
    "/api/v1/devices",
    "/api/v1/devices/boiler-1",
    "/api/v1/export?select=*/*",
    "/api/v1/status",
    "/api/v1/openapi.json",
    "/api/v1/session",
    "/api/v1/nothing",
    "/api/v1/history",
    "/api/v1/complete?prefix=b",
    "/api/v1/live/sse?select=*/*",
]


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_its_body(shared_hub, path):
    with Plain(shared_hub) as peer, Plain(shared_hub) as other:
        status, headers = peer.send(f"HEAD {path} HTTP/1.1").head()
        expected, wanted = other.send(f"GET {path} HTTP/1.1").head()
        assert status == expected
        for name in ["content-type", "transfer-encoding", "vary", "cache-control", "etag"]:
            assert headers.get(name) == wanted.get(name), name
        assert ("content-length" in headers) == ("content-length" in wanted)
        if headers.get("connection") != "close":
            # Nothing of a body came: the next answer begins right here.
            assert peer.send("GET /healthz HTTP/1.1").head()[0].startswith("HTTP/1.1 200")


@pytest.mark.parametrize(
    "path", ["/api/v1/history", "/api/v1/live", "/api/v1/ingest", "/api/v2/write", "/metrics", "/", "/devices/x"]
)
def test_a_preflight_of_another_origin_is_allowed_nothing(shared_hub, path):
    asked = [
        "Origin: https://elsewhere.example",
        "Access-Control-Request-Method: GET",
        "Access-Control-Request-Headers: authorization",
    ]
    with Plain(shared_hub) as peer:
        status, headers = peer.send(f"OPTIONS {path} HTTP/1.1", *asked, role=None).head()
        assert status.startswith("HTTP/1.1 204")
        assert headers["allow"]
        assert not [name for name in headers if name.startswith("access-control-")]


def test_who_expects_a_go_ahead_gets_one(shared_hub):
    body = LINE.format("expecting", 5, time.time_ns()).encode()
    with Plain(shared_hub) as peer:
        length = f"Content-Length: {len(body)}"
        peer.send("POST /api/v2/write?bucket=b HTTP/1.1", "Expect: 100-continue", length, role="agent")
        assert peer.line() == b"HTTP/1.1 100 Continue"
        assert peer.line() == b""
        peer.tcp.sendall(body)
        assert peer.head()[0].startswith("HTTP/1.1 204")
    assert len(shared_hub.history("expecting/*")) == 1


CHUNKED = b'5;name=value\r\n%s\r\n1;"quoted"\r\n%s\r\n%x\r\n%s\r\n0\r\nX-Trailer: y\r\n\r\n'


@pytest.mark.parametrize("path", ["/api/v2/write?bucket=b", "/write?db=b", "/api/v1/import?format=lp"])
def test_chunks_with_extensions_and_trailers(shared_hub, path):
    device = "chunked-" + "".join(c for c in path if c.isalnum())
    text = (LINE if "import" not in path else "m,device={} value={} {}\n").format(device, 7, time.time_ns()).encode()
    body = CHUNKED % (text[:5], text[5:6], len(text) - 6, text[6:])
    with Plain(shared_hub) as peer:
        peer.send(f"POST {path} HTTP/1.1", "Transfer-Encoding: chunked", role="agent", body=body)
        status, headers = peer.head()
        assert status.split()[1] in ("200", "204"), (status, peer.body(headers))
    assert len(shared_hub.history(f"{device}/*")) == 1


def test_gzip_in_members_and_pieces(shared_hub):
    now = time.time_ns()
    parts = [gzip.compress(LINE.format("gzipped", i, now + i).encode()) for i in range(3)]
    for i, encoding in enumerate(["gzip", "x-gzip", "GZIP"]):
        path = "/api/v2/write?bucket=b"
        sent = shared_hub.request(
            "POST", path, "agent", content=b"".join(parts), headers={"Content-Encoding": encoding}
        )
        assert sent.status_code == 204, (i, sent.text)
    assert len(shared_hub.history("gzipped/*")[("gzipped", "m.value", ())]) == 3
    for broken in [parts[0][:-3], b"no gzip", parts[0] + b"garbage"]:
        sent = shared_hub.request("POST", path, "agent", content=broken, headers={"Content-Encoding": "gzip"})
        assert sent.status_code == 400, (broken, sent.status_code, sent.text)
    sent = shared_hub.request("POST", path, "agent", content=b"x", headers={"Content-Encoding": "br"})
    assert sent.status_code in (400, 415)


def test_a_pipeline_is_answered_in_order(shared_hub):
    paths = ["/healthz", HISTORY + "&points=10", "/api/v1/nothing", "/ping", "/api/v1/last?select=boiler-1/*"]
    with Plain(shared_hub) as peer:
        for path in paths:
            peer.send(f"GET {path} HTTP/1.1")
        statuses = []
        for _ in paths:
            status, headers = peer.head()
            peer.body(headers)
            statuses.append(status.split()[1])
        assert statuses == ["200", "200", "404", "204", "200"]


@pytest.mark.parametrize("first", ["/healthz", HISTORY, "/api/v1/last?select=*/*", "/api/v1/nothing", "/ping"])
def test_a_head_before_others_in_a_pipeline_has_no_body(shared_hub, first):
    with Plain(shared_hub) as peer:
        for method, path in [("HEAD", first), ("HEAD", first), ("GET", HISTORY + "&points=10"), ("GET", "/healthz")]:
            peer.send(f"{method} {path} HTTP/1.1")
        (status, headers), again = peer.head(), peer.head()
        assert again == (status, headers)
        assert ("content-length" in headers) + ("transfer-encoding" in headers) == (first != "/ping")
        status, headers = peer.head()
        assert status.startswith("HTTP/1.1 200") and len(json.loads(peer.body(headers))["series"]) == 4
        status, headers = peer.head()
        assert peer.body(headers) == b"ok\n"


def test_a_handshake_by_head_is_none(shared_hub):
    handshake = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    with Plain(shared_hub) as peer:
        peer.send("HEAD /api/v1/live HTTP/1.1", *handshake, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        status, headers = peer.head()
        assert status.startswith("HTTP/1.1 400") and int(headers["content-length"]) > 0
        assert peer.rest() == b""


def test_the_whole_server_is_asked_what_it_takes(shared_hub):
    with Plain(shared_hub) as peer:
        status, headers = peer.send("OPTIONS * HTTP/1.1", role=None).head()
        assert status.startswith("HTTP/1.1 204") and "GET" in headers["allow"]
        status, headers = peer.send("GET * HTTP/1.1").head()
        assert status.startswith("HTTP/1.1 404") and json.loads(peer.body(headers))["error"]["code"] == "not_found"


def test_a_request_one_byte_at_a_time(shared_hub):
    with Plain(shared_hub) as peer:
        for byte in b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n":
            peer.tcp.sendall(bytes([byte]))
        assert peer.head()[0].startswith("HTTP/1.1 200")


def test_other_forms_of_a_target(shared_hub):
    host = "{}:{}".format(*shared_hub.address)
    for target in [f"http://{host}/healthz", "/healthz?", "/healthz?x=1&x=2", "/%68ealthz"]:
        with Plain(shared_hub) as peer:
            assert peer.send(f"GET {target} HTTP/1.1").head()[0].startswith("HTTP/1.1 200"), target


def test_queries_are_decoded_as_forms_write_them(shared_hub):
    def names(query):
        answer = shared_hub.request("GET", "/api/v1/history?" + query)
        assert answer.status_code == 200, (query, answer.text)
        return [series["device"] for series in answer.json()["series"]]

    odd = 'größe "1" & 100%+x'
    reading = {"device": odd, "metric": "m", "value": 1, "time": time.time_ns()}
    body = json.dumps(reading) + "\n"
    assert (
        shared_hub.request("POST", "/api/v1/import?format=ndjson", "agent", content=body.encode()).json()["stored"] == 1
    )
    for query in [
        "select=gr%C3%B6%C3%9Fe+%221%22+%26+100%25%2Bx/m&from=-1h",
        "from=%2D1h&%73elect=gr%c3%b6%c3%9fe%20%221%22%20%26%20100%25%2bx%2Fm",
        "select=gr*/m&&from=-1h&",
        "from=-1h&select=gr*/m&select=gr%C3%B6*/*",
    ]:
        assert names(query) == [odd], query
    assert names("select=boiler-1/*&from=-1h&to=%2B1h") == ["boiler-1"]
    assert names("select=boiler-1/*&from=-1h&to=+1h") == ["boiler-1"]


@pytest.mark.parametrize(
    "query, code, names",
    [
        ("select=*/*&from=-1h&from=-2h", "bad_parameter", "from"),
        ("select=*/*&from=-1h&points=5&points=5", "bad_parameter", "points"),
        ("select=*/*&from=", "bad_time", "from"),
        ("select=*/*", "bad_parameter", "from"),
        ("from=-1h", "bad_parameter", "select"),
        ("select=&from=-1h", "bad_selector", ""),
        ("select=*/*&from=-1h&points=", "bad_parameter", "points"),
        ("select=*/*&from=-1h&Points=5", "bad_parameter", "points"),
        ("select=*/*&from=-1h&every=10s", "bad_parameter", "agg"),
        ("select=*/*&from=-1h&points=5&every=10s&agg=mean", "bad_parameter", "points"),
        ("select=*/*&from=-1h&to=-2h", "bad_time", "to"),
        ("select=*/*&from=1795396030", "bad_time", "1795396030s"),
        ("select=*/*&from=2026-01-01T00:00:00", "bad_time", "offset"),
        ("select=boiler&from=-1h", "bad_selector", "boiler/*"),
    ],
)
def test_what_a_question_lacks_or_says_twice_is_named(shared_hub, query, code, names):
    answer = shared_hub.request("GET", "/api/v1/history?" + query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code), answer.text
    assert names in answer.text


def test_texts_with_a_byte_order_mark_are_taken(shared_hub):
    now = time.time_ns()
    bodies = {
        "csv": f"\ufeffdevice,metric,time,value\r\nbom-csv,m,{now},1\r\n",
        "ndjson": "\ufeff" + json.dumps({"device": "bom-ndjson", "metric": "m", "time": now, "value": 1}) + "\n",
    }
    for form, body in bodies.items():
        answer = shared_hub.request("POST", f"/api/v1/import?format={form}", "agent", content=body.encode())
        assert (answer.status_code, answer.json()["stored"]) == (200, 1), (form, answer.text)
        assert list(shared_hub.history(f"bom-{form}/*")) == [(f"bom-{form}", "m", ())]


@pytest.mark.parametrize(
    "accept, encoding",
    [
        ("gzip", "gzip"),
        ("identity;q=0, *;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("br", None),
        ("gzip;q=0.2, identity", None),
        ("", None),
    ],
)
def test_a_form_is_chosen_by_its_weight(shared_hub, accept, encoding):
    with Plain(shared_hub) as peer:
        status, headers = peer.send(f"GET {HISTORY} HTTP/1.1", f"Accept-Encoding: {accept}").head()
        body = peer.body(headers)
        assert status.startswith("HTTP/1.1 200") and headers.get("content-encoding") == encoding
        assert "accept-encoding" in headers["vary"].lower()
        assert len(json.loads(gzip.decompress(body) if encoding else body)["series"]) == 4


# ---------------------------------------------------------------- live, over a raw socket


def live(hub, **headers):
    peer = RawSocket(hub)
    status, said = peer.upgrade("/api/v1/live", hub.bearer("viewer") | headers)
    return peer, status, said


def subscribe(id, select="boiler-1/*", **more):
    return json.dumps({"type": "subscribe", "id": id, "select": [select], **more}, ensure_ascii=False).encode()


def message(peer):
    while True:
        opcode, payload = peer.read_frame()
        if opcode == raw.TEXT:
            return json.loads(payload)
        assert opcode in (raw.PING, raw.PONG), (opcode, payload)


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Connection": "keep-alive, Upgrade"}, 101),
        ({"Connection": "UPGRADE", "Upgrade": "WebSocket"}, 101),
        ({"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits, x-unknown; a=1"}, 101),
        ({"Sec-WebSocket-Protocol": "other.v1"}, 101),
        ({"Sec-WebSocket-Version": "12"}, 400),
        ({"Sec-WebSocket-Version": None}, 400),
        ({"Connection": "close"}, 400),
        ({"Upgrade": "h2c"}, 400),
    ],
)
def test_a_handshake_as_others_write_it(shared_hub, headers, status):
    peer, found, said = live(shared_hub, **headers)
    with peer:
        assert found == status, said
        assert "sec-websocket-extensions" not in said and "sec-websocket-protocol" not in said
        if "Sec-WebSocket-Version" in headers:
            assert said["sec-websocket-version"] == "13"
        if status == 101:
            peer.send_frame(raw.TEXT, subscribe("a"))
            assert message(peer)["type"] == "snapshot"


@pytest.mark.parametrize(
    "offer", ["telltale.live.v1.msgpack", "a, telltale.live.v1.msgpack ,b", "a,telltale.live.v1.msgpack"]
)
def test_the_subprotocol_is_found_among_others(shared_hub, offer):
    peer, status, said = live(shared_hub, **{"Sec-WebSocket-Protocol": offer})
    with peer:
        assert (status, said["sec-websocket-protocol"]) == (101, "telltale.live.v1.msgpack")


def test_a_message_that_comes_with_the_handshake_is_read(shared_hub):
    head = (
        "GET /api/v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {shared_hub.token('viewer')}\r\n\r\n"
    )
    with RawSocket(shared_hub) as peer:
        peer.tcp.sendall(head.encode() + raw.frame(raw.TEXT, subscribe("a")))
        assert peer.read_head()[0] == 101
        assert message(peer)["type"] == "snapshot"


def test_fragments_empty_ones_and_pings_among_them(shared_hub):
    peer, _, _ = live(shared_hub)
    with peer:
        text = subscribe("a", "größe*/*")
        middle = text.index(b"gr\xc3") + 3  # within a character
        peer.send_frame(raw.TEXT, b"", fin=False)
        peer.send_frame(raw.CONTINUATION, text[:middle], fin=False)
        peer.send_frame(raw.PING, b"p" * 125)
        assert peer.read_frame() == (raw.PONG, b"p" * 125)
        peer.send_frame(raw.CONTINUATION, text[middle:], fin=False)
        peer.send_frame(raw.CONTINUATION, b"", fin=True)
        assert (message(peer)["type"]) == "snapshot"


def test_a_flood_of_pings_is_survived_and_the_last_is_answered(shared_hub):
    peer, _, _ = live(shared_hub)
    with peer:
        flood = b"".join(raw.frame(raw.PING, b"%d" % i) for i in range(50_000))
        before = shared_hub.rss_kib()
        peer.tcp.sendall(flood)
        while peer.read_frame() != (raw.PONG, b"49999"):
            pass
        assert shared_hub.rss_kib() - before < 16 << 10
        peer.send_frame(raw.PONG, b"unasked")
        peer.send_frame(raw.TEXT, subscribe("a"))
        assert message(peer)["type"] == "snapshot"


@pytest.mark.parametrize(
    "payload, code",
    [
        (close_payload(1000), 1000),
        (close_payload(1001, "away"), 1001),
        (close_payload(3000), 3000),
        (close_payload(4999), 4999),
        (close_payload(1012), 1012),
        (b"", 1005),
        (close_payload(999), 1002),
        (close_payload(1004), 1002),
        (close_payload(1005), 1002),
        (close_payload(1006), 1002),
        (close_payload(1015), 1002),
        (close_payload(2999), 1002),
        (close_payload(5000), 1002),
        (b"\x03", 1002),
        (close_payload(1000) + b"\xff", 1002),
    ],
)
@pytest.mark.parametrize("path, role", [("/api/v1/ingest", "agent"), ("/api/v1/live", "viewer")])
def test_close_frames_and_those_that_may_not_be(shared_hub, path, role, payload, code):
    with RawSocket.upgraded(shared_hub, path, role) as peer:
        peer.send_frame(raw.CLOSE, payload)
        assert peer.read_close()[0] == code
        assert peer.read_end()


@pytest.mark.parametrize("path, role", [("/api/v1/ingest", "agent"), ("/api/v1/live", "viewer")])
def test_a_peer_that_closes_its_side_alone_is_let_go(shared_hub, path, role):
    with RawSocket.upgraded(shared_hub, path, role) as peer:
        if role == "viewer":
            peer.send_frame(raw.TEXT, subscribe("a"))
        peer.tcp.shutdown(socket.SHUT_WR)
        began = time.monotonic()
        assert peer.read_end()
        assert time.monotonic() - began < 10


def test_a_stream_goes_on_for_who_closed_its_side(shared_hub):
    with Plain(shared_hub) as peer:
        peer.send("GET /api/v1/live/sse?select=half/*&max_hz=60 HTTP/1.1")
        peer.tcp.shutdown(socket.SHUT_WR)
        assert peer.head()[0].startswith("HTTP/1.1 200")
        eventually(lambda: peer.more() and b"event: snapshot" in peer.buffer)
        line = LINE.format("half", 1, time.time_ns())
        assert shared_hub.request("POST", "/api/v2/write?bucket=b", "agent", content=line).status_code == 204
        eventually(lambda: peer.more() and b"event: update" in peer.buffer)


@pytest.mark.parametrize(
    "text, code",
    [
        ("\ufeff" + subscribe("a").decode(), "bad_parameter"),
        (subscribe("a").decode() + "x", "bad_parameter"),
        (subscribe("a").decode() * 2, "bad_parameter"),
        ("", "bad_parameter"),
        ("null", "bad_parameter"),
        ('{"type":"subscribe","type":"unsubscribe","id":"a"}', "bad_parameter"),
        (subscribe("a", points=100).decode(), "bad_parameter"),
        (subscribe("a", max_hz=0.09).decode(), "bad_parameter"),
        (subscribe("a", max_hz=60.5).decode(), "bad_parameter"),
        (subscribe("a", max_hz="10").decode(), "bad_parameter"),
        (subscribe("a", history="15m", points=0).decode(), "bad_parameter"),
        (subscribe("a", history=15).decode(), "bad_parameter"),
        (subscribe("a", history="-15m").decode(), "bad_parameter"),
        (subscribe("").decode(), "bad_parameter"),
        (subscribe("a", "boiler").decode(), "bad_selector"),
        ('{"type":"subscribe","id":"a","select":[]}', "bad_parameter"),
        ('{"type":"subscribe","id":"a","select":"*/*"}', "bad_parameter"),
        ('{"type":"unsubscribe","id":"never"}', "not_found"),
        ('{"type":"snapshot","id":"a"}', "bad_parameter"),
    ],
)
def test_a_message_that_is_refused_leaves_the_connection(shared_hub, text, code):
    peer, _, _ = live(shared_hub)
    with peer:
        peer.send_frame(raw.TEXT, text.encode())
        answer = message(peer)
        assert (answer["type"], answer["error"]["code"]) == ("error", code), answer
        peer.send_frame(raw.TEXT, subscribe("a"))
        assert message(peer)["type"] == "snapshot"


def test_ids_are_the_clients_own(shared_hub):
    ids = ["a", "ü" * 128, "x" * 256, " ", "\u0000", '"']
    peer, _, _ = live(shared_hub)
    with peer:
        for id in ids:
            peer.send_frame(raw.TEXT, subscribe(id))
            first, second = message(peer), message(peer)
            assert (first["type"], first["id"], second["type"], second["id"]) == ("snapshot", id, "state", id)
        peer.send_frame(raw.TEXT, subscribe("a"))
        error = message(peer)
        assert (error["id"], error["error"]["code"]) == ("a", "conflict")
        peer.send_frame(raw.TEXT, json.dumps({"type": "unsubscribe", "id": "a"}).encode())
        peer.send_frame(raw.TEXT, subscribe("a", history=None, points=None, max_hz=None, cursor=None))
        assert message(peer)["type"] == "snapshot"


def test_a_client_that_packs_its_messages_is_spoken_to_plainly(shared_hub):
    """`websockets` as it is by default offers permessage-deflate."""
    with connect(shared_hub.ws("/api/v1/live"), additional_headers=shared_hub.bearer("viewer")) as viewer:
        assert viewer.protocol.extensions == []
        viewer.send(iter([subscribe("a").decode()[:10], "", subscribe("a").decode()[10:]]))
        assert json.loads(viewer.recv(timeout=20))["type"] == "snapshot"
