"""The same searches at a tenant and at slapd. Standard input: the settings as JSON.

`do: dump` writes what the tenant has as LDIF for slapd. `do: compare` draws searches from a seed, requests them of both,
and prints those whose answers differ. The searches of DIFFERENCES, each with its reason, must still differ: one that does
not any more is removed from the list, and none is added without a reason that users can live with."""

import json
import random
import sys

import ldap
import ldap.dn
import ldap.filter
import ldif

given = json.load(sys.stdin)
BASE = given["base"]
PEOPLE = f"ou=people,{BASE}"

# Attributes that have the same rules at both, by how they are compared.
TEXTS = ["cn", "sn", "givenName", "displayName", "uid", "title", "description", "l", "employeeNumber", "ou"]
MAILS = ["mail"]
PHONES = ["telephoneNumber", "mobile"]
NUMBERS = ["uidNumber", "gidNumber"]
TIMES = ["createTimestamp"]
NAMES = ["member", "memberOf"]
IDS = ["entryUUID"]
CLASSES = ["objectClass"]
SUBSTRINGS = TEXTS + MAILS + PHONES
ALL = TEXTS + MAILS + PHONES + NUMBERS + TIMES + NAMES + IDS + CLASSES
UNKNOWN = ["noSuchAttribute", "x-unknown", "1.2.3.4.5"]
# The other names of attributes.
ALIASES = {"cn": "commonName", "sn": "surname", "uid": "userid", "mail": "rfc822Mailbox", "l": "localityName"}

# Letters whose case is special, and others that are easily mistaken: both find the same.
SAME = [
    "(title=STRASSE)", "(title=STRA\u1e9eE)", "(title=\u0130)", "(title=caf\u00c9\u00a0owner)",
    "(l=zurich)", "(title=Cafe owner)", "(displayName=*\u041f\u0420\u041e*)", "(uid=ZO\u00cb.*)", "(title=\u00adx)",
    "(title=)", "(title= )", "(uidNumber=007)", "(uidNumber= 1)", "(uidNumber=-0)", "(createTimestamp=20200101)",
    "(createTimestamp>=2020010100Z)", "(createTimestamp>=202001010000+0130)", "(createTimestamp<=20990101000060Z)",
    "(member=)", "(member=nonsense)", "(entryUUID=x)", "(telephoneNumber=+49221555001)", "(telephoneNumber=)",
    "(telephoneNumber=*221555*)", "(mail=*@corp.example.COM)", "(objectClass=2.5.6.6)", "(objectClass=*erson)",
    "(member=*One*)", "(uidNumber=1*)", "(entryUUID=*-*)", "(cn;lang-de=x)", "(2.5.4.3=Person*)",
    "(userPassword=*)", "(|(noSuch=1)(uid=*))", "(&(noSuch=1)(uid=*))", "(!(&(noSuch=1)(uid=x)))",
    "(&)", "(|)", "(!(&))", "(uid:=user00001)", "(uid:caseIgnoreMatch:=USER00001)", "(uid:2.5.13.2:=USER00001)",
    "(uid:caseExactMatch:=USER00001)", "(uid:noSuchRule:=x)",
]

DIFFERENCES = [
    # slapd brings letters into the form NFKC, as RFC 4518 says. A tenant compares as AD and as sign-ins do.
    ("(title=Cafe\u0301 owner)", "slapd: composed and decomposed letters are one"),
    ("(title=\uff23af\u00e9 owner)", "slapd: wide letters are narrow ones"),
    ("(sn=MU\u0308LLER)", "slapd: composed and decomposed letters are one"),
    # RFC 4518 2.6.1: a prepared value begins and ends with a blank.
    ("(title=* engineer)", "tenant: a part that begins with a blank fits the beginning of a value"),
    ("(title=engineer *)", "tenant: a part that ends with a blank fits the end of a value"),
    # RFC 4517 4.2.26 wants Undefined for a class that is unknown. Clients of AD exclude classes that a tenant does not
    # have, as in (!(objectClass=computer)), and would find nobody.
    ("(!(objectClass=noSuchClass))", "tenant: everybody is not of an unknown class"),
    # AD has rules for the order of texts, and so has a tenant. slapd's schema has none.
    ("(cn>=a)", "tenant: texts have an order"),
    ("(uid<=user00050)", "tenant: texts have an order"),
    # What a tenant does not know is Undefined: neither the filter nor its opposite finds anybody.
    ("(!(cn;lang-de=x))", "tenant: languages of values are unknown"),
    ("(!(userPassword=*))", "tenant: there is no such attribute"),
    ("(:caseIgnoreMatch:=user00001)", "tenant: a rule needs an attribute"),
    ("(ou:dn:=people)", "tenant: the parts of the name are not looked at"),
]


def tenant():
    connection = ldap.initialize(given["url"])
    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, given["ca"])
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    with open(given["secret"]) as file:
        connection.simple_bind_s(given["name"], file.read())
    return connection


def entries(connection):
    return connection.search_s(BASE, ldap.SCOPE_SUBTREE, "(objectClass=*)", ALL + ["dc"])


def dump():
    found = entries(tenant())
    # Parents come first.
    found.sort(key=lambda entry: len(ldap.dn.str2dn(entry[0])))
    with open(given["ldif"], "w") as file:
        writer = ldif.LDIFWriter(file)
        for dn, values in found:
            writer.unparse(dn, values)
    return len(found)


class Dice:
    def __init__(self, seed, found):
        self.dice = random.Random(seed)
        self.values = {}
        for dn, values in found:
            for name, stored in values.items():
                self.values.setdefault(name, []).extend(stored)
        self.names = [dn for dn, _ in found]

    def of(self, attribute):
        return self.dice.choice(self.values.get(attribute) or [b"x"]).decode()

    def cased(self, text):
        """Another case, of letters whose case is one letter for everybody."""
        kind = self.dice.randrange(4)
        if kind == 0:
            return text
        change = [str.upper, str.lower, str.swapcase][kind - 1]
        return "".join(change(letter) if letter.isascii() or letter in "éöëПрохорü" else letter for letter in text)

    def spaced(self, text):
        kind = self.dice.randrange(5)
        return [text, text, f" {text}", f"{text}  ", text.replace(" ", "   ")][kind]

    def written(self, text):
        """A value in a filter; each octet may be escaped."""
        octets = text.encode()
        return "".join(
            chr(octet) if 0x20 <= octet < 0x7F and octet not in b"\\*()" and self.dice.random() < 0.9
            else f"\\{octet:02{self.dice.choice('xX')}}"
            for octet in octets
        )

    def description(self, attribute):
        alias = self.dice.random() < 0.2 and ALIASES.get(attribute)
        return self.cased(alias or attribute)

    def spoiled(self, text):
        """Mostly the value, or one that nearly is."""
        if self.dice.random() < 0.75 or not text:
            return text
        place = self.dice.randrange(len(text))
        return text[:place] + self.dice.choice(["", "x", "0"]) + text[place + 1 :] or "x"

    def equal(self):
        kinds = [TEXTS] * 4 + [MAILS, PHONES, NUMBERS, TIMES, NAMES, IDS, CLASSES]
        kind = self.dice.choice(kinds)
        attribute = self.dice.choice(kind)
        value = self.of(attribute)
        if kind is CLASSES:
            value = self.cased(value)
        elif kind is NAMES:
            value = self.dn(value)
        elif kind is IDS:
            value = self.cased(value)
        elif kind is NUMBERS:
            value = self.dice.choice([value, str(int(value) + 1), f"-{value}", "0", "x"])
        elif kind is TIMES:
            value = self.time(value)
        elif kind is PHONES:
            value = self.dice.choice([value, value.replace("-", " "), value.replace(" ", ""), "+0"])
        else:
            value = self.spaced(self.cased(self.spoiled(value)))
            if not value.strip():
                value = "x"
        return f"({self.description(attribute)}={self.written(value)})"

    def substrings(self):
        attribute = self.dice.choice(SUBSTRINGS)
        text = self.cased(self.of(attribute))
        cuts = sorted(self.dice.randrange(len(text) + 1) for _ in range(self.dice.choice([2, 2, 4, 6])))
        # Every second piece between two cuts is left out.
        pieces = [text[start:end] for start, end in zip([0, *cuts[1::2]], [*cuts[::2], len(text)])]
        if self.dice.random() < 0.4:
            pieces[0] = ""
        if self.dice.random() < 0.4:
            pieces[-1] = ""
        first, *middle, last = (piece.strip(" -") for piece in pieces)
        parts = [self.written(piece) for piece in (first, *filter(None, middle), last)]
        if not any(parts):
            return f"({attribute}=*)"
        return f"({self.description(attribute)}={'*'.join(parts)})"

    def ordered(self):
        attribute = self.dice.choice(NUMBERS + TIMES)
        value = self.of(attribute)
        if attribute in TIMES:
            value = self.time(value)
        else:
            value = self.dice.choice([value, str(int(value) - 1), "-1", "99999999999999", "x"])
        return f"({self.description(attribute)}{self.dice.choice(['>=', '<='])}{value})"

    def time(self, value):
        second = value[:14]
        return self.dice.choice([value, f"{second}.0Z", f"{second}.5Z", f"{second}+0000", value[:12] + "Z", "19991231235959Z"])

    def dn(self, text):
        """The same name in another spelling, or nearly the same."""
        parts = ldap.dn.str2dn(text)
        written = []
        for [(kind, value, _)] in parts:
            kind = self.cased(self.dice.random() < 0.2 and {"uid": "0.9.2342.19200300.100.1.1", "cn": "2.5.4.3"}.get(kind) or kind)
            value = self.cased(value)
            if self.dice.random() < 0.05:
                value = value.replace("0", "1", 1)
            escaped = ldap.dn.escape_dn_chars(value)
            if self.dice.random() < 0.2:
                escaped = "".join(f"\\{octet:02x}" for octet in value.encode())
            blank = self.dice.choice(["", "", " "])
            written.append(f"{kind}{blank}={blank}{escaped}{blank}")
        return self.dice.choice([",", ",", ", "]).join(written)

    def leaf(self):
        kind = self.dice.randrange(12)
        if kind < 5:
            return self.equal()
        if kind < 8:
            return self.substrings()
        if kind < 10:
            return self.ordered()
        if kind < 11:
            return f"({self.description(self.dice.choice(ALL))}=*)"
        unknown = self.dice.choice(UNKNOWN)
        return self.dice.choice([f"({unknown}=*)", f"({unknown}=x)", f"({unknown}>=1)", f"({unknown}=a*b)"])

    def filter(self, depth):
        kind = self.dice.randrange(7) if depth else 0
        if kind < 3:
            return self.leaf()
        if kind < 5:
            return f"(!{self.filter(depth - 1)})"
        inner = "".join(self.filter(depth - 1) for _ in range(self.dice.choice([1, 2, 2, 3])))
        return f"({'&' if kind == 5 else '|'}{inner})"


def key(dn):
    return tuple((kind.lower(), value.lower()) for [(kind, value, _)] in ldap.dn.str2dn(dn))


def answer(connection, base, scope, text):
    """The names of what is found, or that of the error."""
    try:
        return {key(dn) for dn, _ in connection.search_s(base, scope, text, ["1.1"])}
    except ldap.LDAPError as why:
        return type(why).__name__


def compare():
    here, there = tenant(), ldap.initialize(given["slapd"])
    found = entries(here)
    dice = Dice(given["seed"], found)
    different, count, hits = [], 0, 0

    def same(base, scope, text, among):
        nonlocal count, hits
        answers = [answer(connection, base, scope, text) for connection in (here, there)]
        names = [one if isinstance(one, str) else one & among for one in answers]
        count += 1
        hits += 0 < len(names[0]) < len(among)
        if names[0] != names[1]:
            sizes = [one if isinstance(one, str) else len(one) for one in names]
            different.append({"base": base, "scope": scope, "filter": text, "tenant": sizes[0], "slapd": sizes[1]})

    everything = {key(dn) for dn, _ in found}
    # The domain and the units have no times at a tenant, and slapd gives them its own.
    objects = {key(dn) for dn, values in found if "modifyTimestamp" in values}
    # 1. Filters.
    for _ in range(given["filters"]):
        same(BASE, ldap.SCOPE_SUBTREE, dice.filter(3), objects)
    for text in SAME:
        same(BASE, ldap.SCOPE_SUBTREE, text, objects)
    # 2. Names of entries as the base, in other spellings.
    for _ in range(given["bases"]):
        name = dice.dn(dice.dice.choice(dice.names))
        same(name, dice.dice.choice([ldap.SCOPE_BASE, ldap.SCOPE_ONELEVEL, ldap.SCOPE_SUBTREE]), "(objectClass=*)", everything)
    # 3. What is known to differ.
    gone = [
        (text, why)
        for text, why in DIFFERENCES
        if answer(here, BASE, ldap.SCOPE_SUBTREE, text) == answer(there, BASE, ldap.SCOPE_SUBTREE, text)
    ]
    return {"searches": count, "found": hits, "different": different, "gone": gone}


print(json.dumps({"dump": dump, "compare": compare}[given["do"]]()))
