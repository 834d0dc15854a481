"""What programs that use python-ldap do. Standard input: the settings as JSON."""

import json
import sys

import ldap
import ldap.controls
import ldap.filter
import ldap.schema
from ldap.controls import SimplePagedResultsControl
from ldap.controls.sss import SSSRequestControl

given = json.load(sys.stdin)
BASE = given["base"]
PEOPLE = f"ou=people,{BASE}"


def connect():
    """As python-ldap's own documentation opens a connection."""
    connection = ldap.initialize(given["url"])
    connection.protocol_version = ldap.VERSION3
    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, given["ca"])
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    if given["url"].startswith("ldap://"):
        connection.start_tls_s()
    return connection


def application(prefix=""):
    connection = connect()
    by = given[prefix] if prefix else given
    with open(by["secret"]) as file:
        connection.simple_bind_s(by["name"], file.read())
    return connection


def refused(error, call):
    """The call fails with this error, and no other."""
    try:
        result = call()
    except error as why:
        return why.args[0]
    raise AssertionError(f"expected {error.__name__}, got {result!r}")


def dn_of(sam):
    return f"uid={ldap.dn.escape_dn_chars(sam)},{PEOPLE}"


def person(connection, sam, attributes=None):
    """The one entry with this name."""
    text = ldap.filter.filter_format("(uid=%s)", [sam])
    found = connection.search_s(BASE, ldap.SCOPE_SUBTREE, text, attributes)
    assert len(found) == 1, (sam, found)
    return found[0]


def sign_ins():
    for sam, password in given["accepted"]:
        for name in (dn_of(sam), sam):
            connection = application()
            connection.simple_bind_s(name, password)
            assert connection.whoami_s() == f"dn:{dn_of(sam)}", connection.whoami_s()
            # Who is signed in reads the own entry, and no other.
            assert [dn for dn, _ in connection.search_s(BASE, ldap.SCOPE_SUBTREE)] == [dn_of(sam)]
            connection.unbind_s()
    for sam, password in given["refused"]:
        connection = application()
        refused(ldap.INVALID_CREDENTIALS, lambda: connection.simple_bind_s(dn_of(sam), password))
        assert connection.whoami_s() == "", connection.whoami_s()
        refused(ldap.INSUFFICIENT_ACCESS, lambda: connection.search_s(BASE, ldap.SCOPE_SUBTREE))
        # The connection is still of use to the application.
        refused(ldap.UNWILLING_TO_PERFORM, lambda: connection.simple_bind_s(dn_of(sam), ""))
        connection.unbind_s()


def comparing(connection):
    staff = f"cn=Staff,ou=groups,{BASE}"
    for sam, member in given["members"]:
        assert connection.compare_s(staff, "member", dn_of(sam).encode()) is member, sam
    first = given["accepted"][0][0]
    assert connection.compare_s(dn_of(first), "uid", first.upper().encode()) is True
    refused(ldap.NO_SUCH_ATTRIBUTE, lambda: connection.compare_s(dn_of(first), "employeeNumber", b"1"))
    for unknown in ("noSuchAttribute", "userPassword"):
        refused(ldap.UNDEFINED_TYPE, lambda: connection.compare_s(dn_of(first), unknown, b"1"))
    refused(ldap.NO_SUCH_OBJECT, lambda: connection.compare_s(f"uid=nobody,{PEOPLE}", "uid", b"x"))


def search_of(connection, text, size, cookie=b"", more=()):
    control = SimplePagedResultsControl(True, size=size, cookie=cookie)
    return connection.search_ext(BASE, ldap.SCOPE_SUBTREE, text, ["1.1"], serverctrls=[control, *more])


def page_of(connection, message):
    """The names on a page, and the cookie of the next one."""
    names, kind = [], None
    # One message at a time: of an answer that has arrived already, python-ldap returns the controls only so.
    while kind != ldap.RES_SEARCH_RESULT:
        kind, entries, _, controls = connection.result3(message, all=0)
        names += [dn for dn, _ in entries]
    paged = [c for c in controls if c.controlType == SimplePagedResultsControl.controlType]
    assert len(paged) == 1, controls
    return names, paged[0].cookie


def pages(connection, text, size):
    found, cookie, count = [], b"", 0
    while True:
        names, cookie = page_of(connection, search_of(connection, text, size, cookie))
        assert len(names) <= size
        found += names
        count += 1
        if not cookie:
            return found, count


def paging(connection):
    everybody = "(objectClass=inetOrgPerson)"
    whole = sorted(dn for dn, _ in connection.search_s(BASE, ldap.SCOPE_SUBTREE, everybody, ["1.1"]))
    assert len(whole) >= given["people"], len(whole)
    for size in (1, 7, 1000):
        found, count = pages(connection, everybody, size)
        assert sorted(found) == whole, size
        assert count >= len(whole) // size, (size, count)
    assert pages(connection, "(uid=nobody)", 1) == ([], 1)
    # Several at a time on one connection, their pages requested before the pages of the others are read.
    filters = [everybody, "(uid=user*)", "(objectClass=posixGroup)", "(!(uid=user*))"]
    alone = [sorted(pages(connection, text, 1000)[0]) for text in filters]
    together = {text: [] for text in filters}
    going = {text: b"" for text in filters}
    while going:
        asked = {text: search_of(connection, text, 3, cookie) for text, cookie in going.items()}
        for text, message in reversed(asked.items()):
            names, going[text] = page_of(connection, message)
            together[text] += names
        going = {text: cookie for text, cookie in going.items() if cookie}
    for text, expected in zip(filters, alone):
        assert sorted(together[text]) == expected, text
    # A cookie of another search, and one that no server made.
    _, cookie = page_of(connection, search_of(connection, everybody, 1))
    for text, value in (("(uid=user*)", cookie), (everybody, cookie[:-1]), (everybody, b"\0" * 40)):
        refused(ldap.UNWILLING_TO_PERFORM, lambda: page_of(connection, search_of(connection, text, 1, value)))


def sorting(connection):
    for rules, attribute, backwards in (
        (["uid"], "uid", False),
        (["-uid"], "uid", True),
        (["uid:caseIgnoreOrderingMatch"], "uid", False),
        (["-uidNumber"], "uidNumber", True),
    ):
        control = SSSRequestControl(criticality=True, ordering_rules=rules)
        message = connection.search_ext(
            PEOPLE, ldap.SCOPE_ONELEVEL, "(uid=user*)", [attribute], serverctrls=[control]
        )
        _, entries, _, controls = connection.result3(message)
        assert len(controls) == 1, controls
        values = [one[attribute][0] for _, one in entries]
        values = [int(value) for value in values] if attribute == "uidNumber" else values
        assert len(values) > 50 and values == sorted(values, reverse=backwards), rules
    # Sorted, and in pages.
    found, cookie = [], b""
    control = SSSRequestControl(criticality=True, ordering_rules=["-uid"])
    while True:
        message = search_of(connection, "(uid=user*)", 50, cookie, [control])
        names, cookie = page_of(connection, message)
        found += names
        if not cookie:
            break
    assert found == sorted(found, reverse=True) and len(found) > 50


def binary(connection):
    for sam, _ in given["accepted"]:
        dn, one = person(connection, sam, ["objectGUID", "objectSid", "entryUUID"])
        for attribute, length in (("objectGUID", 16), ("objectSid", 28)):
            value = one[attribute][0]
            assert len(value) == length, value
            text = f"({attribute}={ldap.filter.escape_filter_chars(value.decode('latin-1'), 2)})"
            assert [found for found, _ in connection.search_s(BASE, ldap.SCOPE_SUBTREE, text)] == [dn], text
        text = f"(entryUUID={one['entryUUID'][0].decode().upper()})"
        assert [found for found, _ in connection.search_s(BASE, ldap.SCOPE_SUBTREE, text)] == [dn], text


def schema(connection):
    """python-ldap reads every definition, and every entry is as they say."""
    where = connection.search_subschemasubentry_s("")
    assert where == connection.search_subschemasubentry_s(BASE) == "cn=subschema", where
    entry = connection.read_subschemasubentry_s(where)
    known = ldap.schema.SubSchema(entry, check_uniqueness=2)
    kinds = {
        "attributeTypes": ldap.schema.AttributeType,
        "objectClasses": ldap.schema.ObjectClass,
        "ldapSyntaxes": ldap.schema.LDAPSyntax,
        "matchingRules": ldap.schema.MatchingRule,
        "matchingRuleUse": ldap.schema.MatchingRuleUse,
    }
    read = 0
    for name, kind in kinds.items():
        values = entry[name]
        assert len(values) > 3, name
        for value in values:
            one = kind(value.decode())
            # What python-ldap writes of it is what it would read.
            assert kind(str(one)).__dict__ == one.__dict__, value
            read += 1
        assert len(known.listall(kind)) == len(values), name
    syntaxes, rules = known.listall(ldap.schema.LDAPSyntax), known.name2oid[ldap.schema.MatchingRule]
    for oid in known.listall(ldap.schema.AttributeType):
        one = known.get_obj(ldap.schema.AttributeType, oid)
        assert one.syntax in syntaxes, one
        for rule in (one.equality, one.ordering, one.substr):
            assert rule is None or rule in rules, one
    for oid in known.listall(ldap.schema.ObjectClass):
        one = known.get_obj(ldap.schema.ObjectClass, oid)
        for name in (*one.must, *one.may):
            assert known.get_obj(ldap.schema.AttributeType, name), (one, name)
        assert all(known.get_obj(ldap.schema.ObjectClass, name) for name in one.sup), one
    for dn, values in connection.search_s(BASE, ldap.SCOPE_SUBTREE, "(objectClass=*)", ["*", "+"]):
        classes = [value.decode() for value in values["objectClass"]]
        must, may = known.attribute_types(classes)
        for name, stored in values.items():
            one = known.get_obj(ldap.schema.AttributeType, name)
            assert one, (dn, name)
            # memberOf is operational in OpenLDAP, and in AD it is not.
            operational = one.usage != 0 or name == "memberOf"
            assert operational or one.oid in must or one.oid in may, (dn, name)
            assert not one.single_value or len(stored) == 1, (dn, name)
        missing = [one.names for oid, one in must.items() if not set(one.names) & set(values)]
        assert not missing or missing == [("member",)], (dn, missing)
    return read


def changes(connection):
    dn = dn_of(given["accepted"][0][0])
    refused(ldap.UNWILLING_TO_PERFORM, lambda: connection.modify_s(dn, [(ldap.MOD_REPLACE, "title", [b"x"])]))
    refused(ldap.UNWILLING_TO_PERFORM, lambda: connection.add_s(f"uid=new,{PEOPLE}", [("uid", [b"new"])]))
    refused(ldap.UNWILLING_TO_PERFORM, lambda: connection.delete_s(dn))
    refused(ldap.UNWILLING_TO_PERFORM, lambda: connection.rename_s(dn, "uid=other"))
    refused(ldap.UNWILLING_TO_PERFORM, lambda: connection.modify_s(dn, [(ldap.MOD_ADD, "title", [b"x"])]))


def programs(connection):
    """The searches of programs that are not run here, with the settings of their pages in docs/ldap."""
    sam = given["accepted"][0][0]
    dn, groups = dn_of(sam), f"ou=groups,{BASE}"
    staff = f"cn=Staff,{groups}"
    stored = person(connection, sam, ["entryUUID", "objectGUID", "modifyTimestamp", "userPrincipalName"])[1]
    uuid, upn = stored["entryUUID"][0].decode(), stored["userPrincipalName"][0].decode()
    since = stored["modifyTimestamp"][0].decode()
    octets = "".join(f"\\{octet:02x}" for octet in stored["objectGUID"][0])
    member = f"(member={ldap.filter.escape_filter_chars(dn)})"
    of_group = "(memberOf:1.2.840.113556.1.4.1941:=" + staff + ")"
    for program, base, text, expected in (
        ("keycloak", PEOPLE, f"(&(uid={sam})(objectclass=inetOrgPerson))", dn),
        ("keycloak", PEOPLE, f"(&(entryUUID={uuid})(objectclass=inetOrgPerson))", dn),
        ("keycloak", PEOPLE, f"(&(objectGUID={octets})(objectclass=inetOrgPerson))", dn),
        ("keycloak", PEOPLE, f"(&(modifyTimestamp>={since})(uid={sam}))", dn),
        ("keycloak", groups, f"(&{member}(objectclass=groupOfNames))", staff),
        ("nextcloud", PEOPLE, f"(&(objectClass=inetOrgPerson)(|(uid={sam})(mail={sam})))", dn),
        ("nextcloud", PEOPLE, f"(&(objectClass=inetOrgPerson)(entryUUID={uuid}))", dn),
        ("gitlab", BASE, f"(sAMAccountName={sam})", dn),
        ("gitlab", dn, "(!(userAccountControl:1.2.840.113556.1.4.803:=2))", dn),
        ("gitlab", BASE, f"(&(uid={sam}){of_group})", dn),
        ("grafana", BASE, f"(uid={sam})", dn),
        ("dex", PEOPLE, f"(&(objectClass=person)(uid={sam}))", dn),
        ("dex", groups, f"(&(objectClass=groupOfNames){member})", staff),
        ("authelia", PEOPLE, f"(&(|(uid={sam})(mail={sam}))(objectClass=person))", dn),
        ("authelia", groups, f"(&{member}(objectClass=groupOfNames))", staff),
        ("jenkins", PEOPLE, f"uid={sam}", dn),
        ("jenkins", groups, "(&(objectClass=groupOfNames)(cn=Staff))", staff),
        ("gitea", PEOPLE, f"(&(objectClass=person)(|(uid={sam})(mail={sam})))", dn),
        ("gitea", dn, f"(memberOf={staff})", dn),
        ("proxmox", BASE, f"(uid={sam})", dn),
        ("a client of Active Directory", BASE, f"(&(objectCategory=person)(userPrincipalName={upn}))", dn),
    ):
        found = [name for name, _ in connection.search_s(base, ldap.SCOPE_SUBTREE, text, ["1.1"])]
        assert found == [expected], (program, text, found)
    # A name that is requested in any case and twice comes once, as the schema spells it: Dex looks it up by that.
    _, one = person(connection, sam, ["MEMBEROF", "memberof", "Uid", "displayname"])
    assert sorted(one) == ["displayName", "memberOf", "uid"], one
    assert one["memberOf"] == [staff.encode()], one
    # A person reads the own memberships, as Gitea does without "Fetch attributes in Bind DN context".
    own = application()
    own.simple_bind_s(dn, given["accepted"][0][1])
    assert person(own, sam, ["memberOf"])[1] == {"memberOf": [staff.encode()]}
    assert own.search_s(groups, ldap.SCOPE_SUBTREE, member) == []
    own.unbind_s()


def others(connection):
    dse = connection.read_rootdse_s()
    assert dse["defaultNamingContext"] == connection.get_naming_contexts() == [BASE.encode()], dse
    assert connection.whoami_s() == f"dn:{given['name']}"
    refused(ldap.NO_SUCH_OBJECT, lambda: connection.search_s(f"ou=nowhere,{BASE}", ldap.SCOPE_BASE))
    assert connection.search_s(BASE, ldap.SCOPE_SUBTREE, "(noSuchAttribute=1)") == []
    assert connection.search_s(BASE, ldap.SCOPE_SUBTREE, "(!(noSuchAttribute=1))") == []
    message = connection.search(BASE, ldap.SCOPE_SUBTREE, "(memberOf=cn=missing,ou=groups," + BASE + ")")
    assert connection.result(message)[1] == []
    # Abandoned: the connection goes on.
    connection.abandon(connection.search(BASE, ldap.SCOPE_SUBTREE))
    assert connection.whoami_s() == f"dn:{given['name']}"


def anonymous():
    """Before the sign-in: the root DSE and the schema, nothing more."""
    connection = connect()
    dse = connection.read_rootdse_s(attrlist=["*", "+"])
    assert SimplePagedResultsControl.controlType.encode() in dse["supportedControl"], dse
    assert "attributeTypes" in connection.read_subschemasubentry_s("cn=subschema")
    refused(ldap.INSUFFICIENT_ACCESS, lambda: connection.search_s(BASE, ldap.SCOPE_SUBTREE))
    connection.unbind_s()


anonymous()
sign_ins()
connection = application()
comparing(connection)
binary(connection)
changes(connection)
programs(connection)
others(connection)
connection.unbind_s()
# What follows compares searches with each other, so the application sees what does not change meanwhile.
connection = application("everybody")
paging(connection)
sorting(connection)
definitions = schema(connection)
connection.unbind_s()
print(json.dumps({"definitions": definitions}))
