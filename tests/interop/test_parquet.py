"""Parquet: pyarrow, as pandas and others use it, reads what the hub writes, and the hub takes what pyarrow writes."""

import datetime
import json

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plain import Sender

T0 = 1_767_225_600_000_000_000
READINGS = [
    {"device": "d", "metric": "i", "time": T0 + 1, "value": 2**63 - 1, "labels": {"room": 'a "b"'}, "unit": "Wh"},
    {"device": "d", "metric": "i", "time": T0 + 2, "value": -(2**63), "labels": {"room": 'a "b"'}},
    {"device": "d", "metric": "i", "time": T0 + 3, "value": 0.1, "labels": {"room": 'a "b"'}},
    {"device": "d", "metric": "on", "time": T0 + 1, "value": True},
    {"device": "d", "metric": "say", "time": T0 + 1, "value": "°C\n"},
    {"device": "d", "metric": "say", "time": T0 + 2, "value": ""},
]


@pytest.fixture
def admin(hub):
    with Sender(hub) as sender:
        sender.stored(READINGS)
    headers = {"Authorization": f"Bearer {hub.token('admin')}"}
    with httpx.Client(base_url=hub.url, headers=headers, timeout=30) as client:
        yield client


def table(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/vnd.apache.parquet"
    return pq.read_table(pa.BufferReader(response.content))


def imported(client, table, **options):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return client.post("/api/v1/import?format=parquet", content=sink.getvalue().to_pybytes())


def test_pyarrow_reads_an_export(admin):
    found = table(admin.get("/api/v1/export", params={"select": "*/*", "format": "parquet"}))
    assert str(found.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    types = {name: str(found.schema.field(name).type) for name in found.column_names}
    assert types["value_int"] == "int64" and types["value_float"] == "double" and types["value_bool"] == "bool"
    assert types["device"] == types["labels"] == types["value_text"] == "string"
    times = found["time"].cast(pa.int64()).to_pylist()
    rows = found.drop_columns(["time"]).to_pylist()
    assert times == [T0 + 1, T0 + 2, T0 + 3, T0 + 1, T0 + 1, T0 + 2]
    assert [row["value_int"] for row in rows] == [2**63 - 1, -(2**63), None, None, None, None]
    assert [row["value_float"] for row in rows] == [None, None, 0.1, None, None, None]
    assert [row["value_bool"] for row in rows] == [None, None, None, True, None, None]
    assert [row["value_text"] for row in rows] == [None, None, None, None, "°C\n", ""]
    assert json.loads(rows[0]["labels"]) == {"room": 'a "b"'} and rows[0]["unit"] == "Wh"
    assert {row["metric"] for row in rows} == {"i", "on", "say"}


def test_an_export_comes_back_equal_through_pyarrow(admin, hub):
    export = {"select": "*/*", "format": "parquet"}
    before = table(admin.get("/api/v1/export", params=export))
    answer = imported(admin, before).json()
    assert answer == {"stored": 0, "duplicate": len(READINGS), "refused": 0, "refusals": []}
    devices = pa.array(["copy"] * before.num_rows)
    copy = before.set_column(before.column_names.index("device"), "device", devices)
    # Other pages, packing and row groups than ours.
    options = {"row_group_size": 2, "compression": "snappy", "data_page_version": "2.0", "use_dictionary": False}
    assert imported(admin, copy, **options).json()["stored"] == len(READINGS)
    after = table(admin.get("/api/v1/export", params=export | {"select": "copy/*"}))
    names = [name for name in before.column_names if name != "device"]
    assert after.select(names).equals(before.select(names))


def test_a_table_of_ones_own_is_taken(admin):
    time = [datetime.datetime(2026, 1, 1, 0, 0, n, tzinfo=datetime.UTC) for n in range(4)]
    own = pa.table(
        {
            "device": pa.array(["own"] * 4).dictionary_encode(),
            "metric": ["m"] * 4,
            "time": pa.array(time, pa.timestamp("us", "UTC")),
            "value": [1.5, float("nan"), None, 2.5],
        }
    )
    answer = imported(admin, own).json()
    assert (answer["stored"], answer["refused"]) == (2, 2)
    assert [(line["line"], line["code"]) for line in answer["refusals"]] == [(2, "not_finite"), (3, "bad_value")]
    history = admin.get("/api/v1/history", params={"select": "own/*", "from": "0s", "format": "parquet"})
    assert table(history)["value_float"].to_pylist() == [1.5, 2.5]


def test_sums_of_buckets_are_columns(admin):
    params = {"select": "d/i", "from": f"{T0}ns", "to": f"{T0 + 60_000_000_000}ns", "every": "1m"}
    found = table(admin.get("/api/v1/history", params=params | {"agg": "count,max,mean", "format": "parquet"}))
    row = found.to_pylist()[0]
    assert (row["count"], row["max_int"], row["max_float"]) == (3, 2**63 - 1, None) and isinstance(row["mean"], float)


def test_what_is_no_such_table_is_refused_by_name(admin):
    good = {"device": ["d"], "metric": ["m"], "time": pa.array([T0], pa.timestamp("ns", "UTC")), "value": [1]}
    tables = [
        (pa.table({k: v for k, v in good.items() if k != "value"}), "no column `value`"),
        (pa.table(good | {"vlaue": [1]}), "there is a column `vlaue`"),
        (pa.table(good | {"time": pa.array([T0], pa.timestamp("ns"))}), "tz_localize"),
        (pa.table(good | {"labels": pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string()))}), "JSON object"),
        (pa.table(good | {"value": pa.array([datetime.date(2026, 1, 1)])}), "column `value` is INT32 (Date)"),
    ]
    for wrong, said in tables:
        answer = imported(admin, wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_parameter"), answer.text
        assert said in answer.json()["error"]["message"], answer.text
    for body in [b"", b"PAR1", b"PAR1" * 10, b"device,metric\n" * 10]:
        assert admin.post("/api/v1/import?format=parquet", content=body).status_code == 400
    for options, said in [({"compression": "zstd"}, "ZSTD"), ({"column_encoding": "DELTA_BYTE_ARRAY"}, "encoding 7")]:
        plain = {"use_dictionary": False} if "column_encoding" in options else {}
        names = pa.table({k: pa.array(v) if isinstance(v, list) else v for k, v in good.items()})
        if "column_encoding" in options:
            options = {"column_encoding": {"device": "DELTA_BYTE_ARRAY"}}
        answer = imported(admin, names, **options, **plain)
        assert answer.status_code == 400 and said in answer.json()["error"]["message"], answer.text
