"""An application by Authlib in Django, with a browser as far as it needs one: cookies, one form, redirects that are read and
not followed. Standard input: a line of settings, then lines that answer. Standard output: "now" when it is time for what the
test does meanwhile, and at last what was seen."""

import base64
import html
import json
import re
import sys
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.test import RequestFactory

given = json.loads(sys.stdin.readline())
# The state of a sign-in is in a cookie of the application; the key of it lives as long as this process.
settings.configure(
    SECRET_KEY="of this process alone",
    ALLOWED_HOSTS=["*"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)
django.setup()

import requests  # noqa: E402
from authlib.integrations.base_client.errors import OAuthError  # noqa: E402
from authlib.integrations.django_client import OAuth  # noqa: E402
from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: E402

issuer, who = given["issuer"], given["who"]
oauth = OAuth()
oauth.register(
    "wiki",
    client_id=given["client"],
    client_secret=given["secret"],
    server_metadata_url=f"{issuer}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email groups offline_access", "code_challenge_method": "S256"},
)
wiki = oauth.wiki
session = SessionStore()
browser = requests.Session()


def request(url):
    """A request that Django receives, of the one person of this process."""
    made = RequestFactory().get(url)
    made.session = session
    return made


def sign_in():
    """Through the page, or without it if there is a session. Returns the tokens, whose ID token Authlib has checked."""
    redirect = wiki.authorize_redirect(request("/login"), given["callback"])
    page = browser.get(redirect["Location"], allow_redirects=False)
    typed = page.status_code == 200
    if typed:
        field = lambda name: html.unescape(re.search(f'name="{name}" value="([^"]*)"', page.text)[1])  # noqa: E731
        form = {"csrf": field("csrf"), "request": field("request"), "name": who["user"], "password": who["password"]}
        page = browser.post(f"{issuer}/sign-in", form, allow_redirects=False)
    assert page.status_code == 303, page.status_code
    back = urlsplit(page.headers["Location"])
    return wiki.authorize_access_token(request(f"{back.path}?{back.query}")), typed


def refresh(tokens):
    """The next tokens, and what they say of the person."""
    metadata = wiki.load_server_metadata()
    with wiki._get_oauth_client(**metadata) as client:
        new = client.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])
    return new, wiki.parse_id_token(new, nonce=tokens["userinfo"]["nonce"])


def key_of(tokens):
    """Which key has signed an ID token."""
    head = tokens["id_token"].split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


steps = []
first, typed = sign_in()
assert typed
claims = first["userinfo"]
steps.append("signed in")
second, again = refresh(first)
assert again["sub"] == claims["sub"]
assert wiki.userinfo(token=second)["preferred_username"] == who["sam"]
steps.append("refreshed")

print("now", flush=True)
sys.stdin.readline()
third, typed = sign_in()
assert not typed
assert key_of(third) != key_of(first), "another key signs"
steps.append("signed in by the next key")
# What the older key has signed is good until it is over.
assert wiki.userinfo(token=second)["sub"] == claims["sub"]
assert wiki.parse_id_token(first, nonce=claims["nonce"])["sub"] == claims["sub"]
steps.append("the older key is known")

# The ID token that ends the session is of the older key.
out = wiki.create_logout_url(given["signed_out"], id_token_hint=first["id_token"], state="s")
answer = browser.get(out["url"], allow_redirects=False)
assert answer.headers["Location"] == f'{given["signed_out"]}?state=s', answer.status_code
for tokens in (second, third):
    try:
        refresh(tokens)
        raise AssertionError("refreshed after the sign-out")
    except OAuthError as why:
        assert why.error == "invalid_grant", why.error
_, typed = sign_in()
assert typed
steps.append("signed out")
print(json.dumps({**claims, "steps": ", ".join(steps)}))
