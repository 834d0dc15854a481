"""A service of MIT's GSS-API in DCE style, for tests: reads one JSON object a line, and answers with one.

Bytes are hexadecimal digits. {"do": "accept", "token"} answers {"token", "done"}; {"do": "open", "before", "body",
"after", "token"} answers {"body"}; {"do": "seal", "before", "body", "after"} answers {"body", "token"}. What goes wrong
is {"error"}. The keytab is the one of the environment.
"""
import json
import sys

import gssapi
from gssapi.raw import IOV, IOVBufferType, unwrap_iov, wrap_iov

context = gssapi.SecurityContext(creds=gssapi.Credentials(usage="accept"), usage="accept")


def layout(head, before, body, after):
    # With None for its bytes, the header is allocated.
    parts = [(IOVBufferType.header, head is None, head), (IOVBufferType.sign_only, before)]
    return IOV(*parts, (IOVBufferType.data, body), (IOVBufferType.sign_only, after), std_layout=False)


def accept(token):
    answer = context.step(token) or b""
    return {"token": answer.hex(), "done": context.complete}


def open_(before, body, after, token):
    message = layout(token, before, body, after)
    result = unwrap_iov(context, message)
    return {"body": message[2].value.hex(), "sealed": result.encrypted}


def seal(before, body, after):
    message = layout(None, before, body, after)
    wrap_iov(context, message, confidential=True)
    return {"body": message[2].value.hex(), "token": message[0].value.hex()}


for line in sys.stdin:
    wish = json.loads(line)
    do = {"accept": accept, "open": open_, "seal": seal}[wish.pop("do")]
    try:
        answer = do(**{name: bytes.fromhex(value) for name, value in wish.items()})
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
