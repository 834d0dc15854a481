"""Fills a domain that was just provisioned: its users, the delegated account and its keytab.

Reads one JSON object from standard input. Passwords come that way only. Users are made on the database itself, a
thousand in a transaction (each costs more the longer it is): real Kerberos keys and hashes, at the price of deriving them.
"""

import json
import sys

import ldb
from samba import enable_net_export_keytab
from samba.auth import system_session
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

RIGHTS = ("1131f6aa-9c07-11d1-f79f-00c04fc2dcd2", "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2")
DAY = 24 * 3600 * 10_000_000

wish = json.load(sys.stdin)
lp = LoadParm()
lp.load(wish["conf"])
sam = SamDB(url=lp.private_path("sam.ldb"), session_info=system_session(), lp=lp)
domain = str(sam.domain_dn())


def policy(**values):
    change = ldb.Message(ldb.Dn(sam, domain))
    for name, value in values.items():
        change[name] = ldb.MessageElement(str(value), ldb.FLAG_MOD_REPLACE, name)
    sam.modify(change)


def add(dn, **values):
    change = ldb.Message(ldb.Dn(sam, dn))
    for name, value in values.items():
        change[name] = ldb.MessageElement(value, ldb.FLAG_MOD_ADD, name)
    sam.add(change)


def escaped(text):
    for special in '\\,"+<>;=':
        text = text.replace(special, "\\" + special)
    return text


sam.transaction_start()
policy(pwdProperties=0, minPwdLength=0, minPwdAge=0, pwdHistoryLength=0, maxPwdAge=-180 * DAY)
people = f"OU=People,{domain}"
add(people, objectClass="organizationalUnit")
for number, user in enumerate(wish["users"]):
    if number % 1000 == 999:
        sam.transaction_commit()
        sam.transaction_start()
    add(
        f"CN={escaped(user['sam'])},{people}",
        objectClass="user",
        sAMAccountName=user["sam"],
        userPrincipalName=user["upn"],
        displayName=user["display"],
        userAccountControl="512",
        clearTextPassword=user["password"].encode("utf-16-le"),
    )
dns = {user["sam"]: f"CN={escaped(user['sam'])},{people}" for user in wish["users"]}
dns |= {group["sam"]: f"CN={group['sam']},{people}" for group in wish["groups"]}
# From the last to the first: a group holds later ones only.
for group in reversed(wish["groups"]):
    members = [dns[member] for member in group["members"]]
    add(dns[group["sam"]], objectClass="group", sAMAccountName=group["sam"], member=members)
delegate = wish["delegate"]
add(
    f"CN={delegate['sam']},CN=Users,{domain}",
    objectClass="user",
    sAMAccountName=delegate["sam"],
    userAccountControl=str(0x200 | 0x10000),
    clearTextPassword=delegate["password"].encode("utf-16-le"),
)
# Samba registers these names some seconds after its first start, in a service that the lab leaves out.
controller = f"CN=DC1,OU=Domain Controllers,{domain}"
change = ldb.Message(ldb.Dn(sam, controller))
name = "ldap/dc1." + sam.domain_dns_name()
names = [name, name + "/" + sam.domain_dns_name()]
change["servicePrincipalName"] = ldb.MessageElement(names, ldb.FLAG_MOD_ADD, "servicePrincipalName")
sam.modify(change)
sam.transaction_commit()

found = sam.search(base=domain, expression=f"(sAMAccountName={delegate['sam']})", attrs=["objectSid"])
sid = sam.schema_format_value("objectSID", found[0]["objectSid"][0]).decode()
for right in RIGHTS:
    SDUtils(sam).dacl_add_ace(domain, f"(OA;;CR;{right};;{sid})")

enable_net_export_keytab()
Net(None, lp).export_keytab(keytab=wish["keytab"], principal=delegate["sam"])
json.dump({"sid": str(sam.get_domain_sid())}, sys.stdout)
