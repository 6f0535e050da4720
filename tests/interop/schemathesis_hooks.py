"""What schemathesis loads beside its settings (SCHEMATHESIS_HOOKS), in a process of its own."""

import json
import os
from urllib.parse import urlencode

import schemathesis

# The server's URLs have less than 64 KiB; a request with a longer one is no HTTP to it, and answered 400 without body.
URL_BYTES = 60_000

OWN_TOKENS = set(os.environ.get("OWN_TOKENS", "").split())


@schemathesis.hook
def filter_case(context, case):
    """The run does not revoke the tokens it runs with, others it may; and its URLs are as long as a server reads."""
    if len(urlencode(case.query or {}, doseq=True)) > URL_BYTES:
        return False
    if case.method == "DELETE" and case.operation.path == "/api/v1/tokens/{id}":
        return str(case.path_parameters.get("id")) not in OWN_TOKENS
    return True


@schemathesis.deserializer("application/x-ndjson")
def lines(context, response):
    """The document describes an item a line."""
    return [json.loads(line) for line in response.content.splitlines() if line]


@schemathesis.deserializer("application/vnd.msgpack")
def message_pack(context, response):
    import msgpack

    return msgpack.unpackb(response.content)
