"""A Django site with django-auth-ldap, as its documentation configures it. Standard input: settings and sign-ins as JSON.
Standard output: a person for each sign-in, or null."""

import json
import logging
import sys

import django
import ldap
from django.conf import settings
from django_auth_ldap.config import GroupOfNamesType, LDAPSearch, NestedGroupOfNamesType

given = json.load(sys.stdin)
BASE = given["base"]
with open(given["secret"]) as file:
    secret = file.read()
logging.basicConfig(stream=sys.stderr)
logging.getLogger("django_auth_ldap").setLevel(logging.DEBUG)

settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    AUTHENTICATION_BACKENDS=["django_auth_ldap.backend.LDAPBackend"],
    AUTH_LDAP_SERVER_URI=given["url"],
    AUTH_LDAP_START_TLS=given["url"].startswith("ldap://"),
    AUTH_LDAP_CONNECTION_OPTIONS={
        ldap.OPT_X_TLS_CACERTFILE: given["ca"],
        ldap.OPT_X_TLS_REQUIRE_CERT: ldap.OPT_X_TLS_DEMAND,
        ldap.OPT_REFERRALS: 0,
        ldap.OPT_X_TLS_NEWCTX: 0,
    },
    AUTH_LDAP_BIND_DN=given["name"],
    AUTH_LDAP_BIND_PASSWORD=secret,
    AUTH_LDAP_USER_SEARCH=LDAPSearch(f"ou=people,{BASE}", ldap.SCOPE_SUBTREE, "(uid=%(user)s)"),
    AUTH_LDAP_GROUP_SEARCH=LDAPSearch(f"ou=groups,{BASE}", ldap.SCOPE_SUBTREE, "(objectClass=groupOfNames)"),
    AUTH_LDAP_GROUP_TYPE=NestedGroupOfNamesType() if given["nested"] else GroupOfNamesType(),
    AUTH_LDAP_MIRROR_GROUPS=True,
    AUTH_LDAP_USER_ATTR_MAP={"first_name": "displayName", "last_name": "sn", "email": "mail"},
    AUTH_LDAP_USER_FLAGS_BY_GROUP={"is_staff": f"cn=Staff,ou=groups,{BASE}"},
    AUTH_LDAP_REQUIRE_GROUP=given.get("require"),
)
django.setup()

from django.contrib.auth import authenticate  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)


def sign_in(name, password):
    user = authenticate(username=name, password=password)
    if user is None:
        return None
    return {
        "name": user.username,
        "first_name": user.first_name,
        "staff": user.is_staff,
        "groups": sorted(group.name for group in user.groups.all()),
        "dn": user.ldap_user.dn,
    }


print(json.dumps([sign_in(name, password) for name, password in given["sign_ins"]]))
