"""A program by Authlib that acts for itself: tokens of its own, by a secret and by a key; introspection; revocation. Standard
input: a line of settings. Standard output: what was seen."""

import base64
import json
import sys
import time

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey, RSAKey

given = json.loads(sys.stdin.readline())
issuer, key = given["issuer"], given["key"]
kind = ECKey if key["alg"] == "ES256" else RSAKey
private = kind.import_key(base64.b64decode(key["pkcs8"]))


def endpoint(name):
    return f"{issuer}/{name}"


def by_secret():
    return OAuth2Session(given["client"], given["secret"])


def by_key():
    """Each has an assertion of its own: Authlib repeats the jti of one that is given claims."""
    ways = {f"{of}_endpoint_auth_method": "private_key_jwt" for of in ("token", "revocation")}
    session = OAuth2Session(given["client"], private, **ways)
    claims = {"exp": int(time.time()) + 60}
    session.register_client_auth_method(
        PrivateKeyJWT(endpoint("token"), claims=claims, headers={"kid": key["kid"]}, alg=key["alg"])
    )
    return session


steps = []
for made in (by_secret, by_key):
    token = made().fetch_token(endpoint("token"), grant_type="client_credentials")["access_token"]
    worth = lambda: made().introspect_token(endpoint("introspect"), token=token).json()  # noqa: E731, B023
    said = worth()
    assert said["active"] and said["client_id"] == given["client"] and "sub" not in said, said
    answer = made().revoke_token(endpoint("revoke"), token=token)
    assert answer.status_code == 200, answer.text
    assert worth() == {"active": False}
    steps.append(made.__name__)
print(json.dumps({"steps": ", ".join(steps)}))
