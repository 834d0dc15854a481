"""An application that signs people in by LDAP and by OpenID Connect, with a browser as far as it needs one: cookies, one form,
redirects that are read and not followed. Standard input: a line of settings, then a sign-in on each line. Standard output:
"ready", then how each ended: "accepted", "refused" or "lost", which is no answer, or that no decision is possible now."""

import base64
import hashlib
import html
import http.client
import http.cookiejar
import json
import re
import secrets
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

import ldap

PATIENCE = 15
given = json.loads(sys.stdin.readline())
trusting = ssl.create_default_context(cafile=given["ca"])
print(json.dumps("ready"), flush=True)


def by_ldap(user, password):
    """As an application does: its own bind, then that of the person."""
    connection = ldap.initialize(given["ldap"])
    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, given["ca"])
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, PATIENCE)
    connection.set_option(ldap.OPT_TIMEOUT, PATIENCE)
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    try:
        connection.simple_bind_s(f"cn={given['client']},ou=applications", given["secret"])
    except ldap.INVALID_CREDENTIALS as why:
        raise AssertionError("the application's own bind was refused") from why
    try:
        connection.simple_bind_s(user, password)
        return "accepted"
    except ldap.INVALID_CREDENTIALS:
        return "refused"


class Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Lost(Exception):
    """No answer, or that no decision is possible now."""


def by_oidc(user, password):
    """A code flow with PKCE, until the tokens."""
    browser = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=trusting),
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        Unfollowed(),
    )

    def load(path, form=None, headers={}):  # noqa: B006
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(given["issuer"] + path, data=data, headers=headers)
        try:
            answer = browser.open(request, timeout=PATIENCE)
        except urllib.error.HTTPError as error:
            answer = error
        if answer.code == 503:
            raise Lost(path)
        return answer.code, answer.headers.get("Location"), answer.read().decode()

    # 1. The page and its form.
    verifier, state = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    request = {
        "response_type": "code",
        "client_id": given["client"],
        "redirect_uri": given["callback"],
        "scope": "openid",
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    code, to, page = load(given["authorize"] + "?" + urllib.parse.urlencode(request))
    assert code == 200, (code, to)

    def field(name):
        return html.unescape(re.search(f'name="{name}" value="([^"]*)"', page)[1])

    form = {"csrf": field("csrf"), "request": field("request"), "name": user, "password": password}
    code, to, page = load("/sign-in", form)
    if code == 403:
        assert 'name="password"' in page, "no form again"
        return "refused"
    assert code == 303, code
    # 2. The code.
    answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(to).query))
    assert answer["state"] == state
    if answer.get("error") == "temporarily_unavailable":
        raise Lost("the code")
    # 3. The tokens.
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": given["callback"],
        "code_verifier": verifier,
    }
    client = base64.b64encode(f"{given['client']}:{given['secret']}".encode()).decode()
    code, _, body = load(given["token"], form, {"Authorization": f"Basic {client}"})
    assert code == 200, (code, json.loads(body).get("error"))
    assert json.loads(body)["id_token"]
    return "accepted"


NO_ANSWER = (
    Lost,
    urllib.error.URLError,
    http.client.HTTPException,
    OSError,
    ldap.BUSY,
    ldap.CONNECT_ERROR,
    ldap.SERVER_DOWN,
    ldap.TIMEOUT,
    ldap.UNAVAILABLE,
)
for line in sys.stdin:
    asked = json.loads(line)
    try:
        said = {"ldap": by_ldap, "oidc": by_oidc}[asked["door"]](asked["user"], asked["password"])
    except NO_ANSWER:
        said = "lost"
    except Exception as why:  # noqa: BLE001
        said = f"wrong: {asked['door']}: {type(why).__name__}: {why}"
    print(json.dumps(said), flush=True)
