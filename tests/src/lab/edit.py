"""Edits the lab's domain while its DC runs, as an administrator would: one JSON request a line, one
JSON answer a line. Works on the database itself, as `samba-tool -H <the database>` does.
"""

import json
import os
import re
import sys
import uuid

import ldb
from samba import dsdb, enable_net_export_keytab
from samba.auth import system_session
from samba.credentials import Credentials
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

RIGHTS = ("1131f6aa-9c07-11d1-f79f-00c04fc2dcd2", "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2")
# Lets pwdLastSet be written as it is wished (DSDB_CONTROL_PASSWORD_BYPASS_LAST_SET).
BYPASS_LAST_SET = "local_oid:1.3.6.1.4.1.7165.4.3.20:0"

lp = LoadParm()
lp.load(sys.argv[1])
sam = SamDB(url=lp.private_path("sam.ldb"), session_info=system_session(), lp=lp)
domain = str(sam.domain_dn())


def found(name, attrs=("objectGUID", "objectSid")):
    expression = f"(sAMAccountName={ldb.binary_encode(name)})"
    answer = sam.search(base=domain, expression=expression, attrs=list(attrs))
    if len(answer) != 1:
        raise LookupError(f"{len(answer)} accounts are named {name}")
    return answer[0]


def replace(dn, controls=(), **values):
    change = ldb.Message(dn)
    for name, value in values.items():
        value = [] if value is None else values_of(value)
        change[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
    sam.modify(change, controls=list(controls))


def read(sam_name):
    entry = found(sam_name)
    return {
        "dn": str(entry.dn),
        "guid": str(uuid.UUID(bytes_le=entry["objectGUID"][0])),
        "sid": sam.schema_format_value("objectSID", entry["objectSid"][0]).decode(),
    }


def resultant_policy(sam_name):
    """msDS-ResultantPSO, as the DC computes it."""
    entry = found(sam_name, ["msDS-ResultantPSO"])
    return str(entry["msDS-ResultantPSO"][0]) if "msDS-ResultantPSO" in entry else None


def set_password(sam_name, password):
    change = ldb.Message(found(sam_name).dn)
    value = password.encode("utf-16-le")
    change["clearTextPassword"] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, "clearTextPassword")
    sam.modify(change)


def create(sam_name, password, flags, parent):
    change = ldb.Message(ldb.Dn(sam, f"CN={sam_name},{parent},{domain}"))
    values = {
        "objectClass": "user",
        "sAMAccountName": sam_name,
        "userPrincipalName": f"{sam_name}@{lp.get('realm').lower()}",
        "userAccountControl": str(flags),
    }
    if password:
        values["clearTextPassword"] = password.encode("utf-16-le")
    for name, value in values.items():
        change[name] = ldb.MessageElement(value, ldb.FLAG_MOD_ADD, name)
    sam.add(change)


def values_of(value):
    value = value if isinstance(value, list) else [value]
    return [bytes.fromhex(v["hex"]) if isinstance(v, dict) else str(v) for v in value]


def add(dn, values):
    change = ldb.Message(ldb.Dn(sam, f"{dn},{domain}"))
    for name, value in values.items():
        change[name] = ldb.MessageElement(values_of(value), ldb.FLAG_MOD_ADD, name)
    sam.add(change)


def set_at(dn, values):
    replace(ldb.Dn(sam, f"{dn},{domain}"), **values)


def set_attributes(sam_name, values):
    replace(found(sam_name).dn, **values)


def force_attribute(sam_name, name, value):
    dn = found(sam_name).dn
    path = os.path.join(lp.private_path("sam.ldb.d"), domain.upper() + ".ldb")
    change = ldb.Message(dn)
    change[name] = ldb.MessageElement(values_of(value), ldb.FLAG_MOD_REPLACE, name)
    ldb.Ldb(path, options=["modules:"]).modify(change)


def option(name, value):
    """What this process writes follows the option, too."""
    lp.set(name, value)


def new_invocation_id():
    fresh = uuid.uuid4()
    settings = ldb.Dn(sam, sam.get_dsServiceName())
    path = os.path.join(lp.private_path("sam.ldb.d"), str(sam.get_config_basedn()).upper() + ".ldb")
    change = ldb.Message(settings)
    change["invocationId"] = ldb.MessageElement(fresh.bytes_le, ldb.FLAG_MOD_REPLACE, "invocationId")
    ldb.Ldb(path, options=["modules:"]).modify(change)
    sam.set_invocation_id(str(fresh))


def outbound_replication(allowed):
    settings = ldb.Dn(sam, sam.get_dsServiceName())
    now = int(sam.search(base=settings, scope=ldb.SCOPE_BASE, attrs=["options"])[0]["options"][0])
    bit = dsdb.DS_NTDSDSA_OPT_DISABLE_OUTBOUND_REPL
    replace(settings, options=now & ~bit if allowed else now | bit)


def set_domain(values):
    replace(ldb.Dn(sam, domain), **values)


def set_pwd_last_set(sam_name, filetime):
    replace(found(sam_name).dn, controls=[BYPASS_LAST_SET], pwdLastSet=filetime)


def flags(sam_name, add, remove):
    entry = found(sam_name, ["userAccountControl"])
    replace(entry.dn, userAccountControl=(int(entry["userAccountControl"][0]) | add) & ~remove)


def create_container(kind, name, parent):
    where = f"{parent},{domain}" if parent else domain
    values = {"objectClass": kind}
    if kind == "group":
        values["sAMAccountName"] = name
    change = ldb.Message(ldb.Dn(sam, f"{'OU' if kind == 'organizationalUnit' else 'CN'}={name},{where}"))
    for attribute, value in values.items():
        change[attribute] = ldb.MessageElement(value, ldb.FLAG_MOD_ADD, attribute)
    sam.add(change)


def move(sam_name, parent):
    dn = found(sam_name).dn
    rdn = f"{dn.get_rdn_name()}={ldb.Dn.get_rdn_value(dn)}"
    sam.rename(dn, ldb.Dn(sam, f"{rdn},{parent},{domain}"))


def rename_container(old, new):
    sam.rename(ldb.Dn(sam, f"{old},{domain}"), ldb.Dn(sam, f"{new},{domain}"))


def members(group, names, present):
    sam.add_remove_group_members(group, names, add_members_operation=present)


def delete(sam_name):
    sam.delete(found(sam_name).dn)


def rename(sam_name, to):
    dn = found(sam_name).dn
    new = ldb.Dn(sam, f"CN={to},{dn.parent()}")
    sam.rename(dn, new)
    replace(new, sAMAccountName=to, userPrincipalName=f"{to}@{lp.get('realm').lower()}")


def rename_rdn(sam_name, to):
    dn = found(sam_name).dn
    sam.rename(dn, ldb.Dn(sam, f"CN={to},{dn.parent()}"))


def reanimate(guid, sam_name, parent):
    """A tombstone is made an account again (MS-ADTS 3.1.1.5.3.7.3): it has no password, and no links."""
    change = ldb.Message(ldb.Dn(sam, f"<GUID={guid}>"))
    change["isDeleted"] = ldb.MessageElement([], ldb.FLAG_MOD_DELETE, "isDeleted")
    values = {
        "distinguishedName": f"CN={sam_name},{parent},{domain}",
        "sAMAccountName": sam_name,
        "userPrincipalName": f"{sam_name}@{lp.get('realm').lower()}",
    }
    for name, value in values.items():
        change[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
    sam.modify(change, controls=["show_recycled:1"])


def recycle_bin():
    """The optional feature, for good (MS-ADTS 3.1.1.9.1): from now on whoever is deleted keeps links and password."""
    change = ldb.Message(ldb.Dn(sam, ""))
    value = f"CN=Partitions,{sam.get_config_basedn()}:766ddcd8-acd0-445e-f3b9-a7f9b6744f2a"
    change["enableOptionalFeature"] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, "enableOptionalFeature")
    sam.modify(change)


def extend_schema(name, values, numbered):
    """Adds an attribute to the forest's schema and to the class mailRecipient, which users, groups and contacts have, as
    Exchange's setup does, and gives its msDS-IntId. AD chooses that number (at functional level 2003 or higher); not
    `numbered`, it is added without one, as in a forest of 2000."""
    lp.set("dsdb:schema update allowed", "yes")
    schema = str(sam.get_schema_basedn())
    entry = ldb.Message(ldb.Dn(sam, f"CN={name},{schema}"))
    text = {"attributeSyntax": "2.5.5.12", "oMSyntax": "64", "isSingleValued": "TRUE"}
    for attribute, value in ({"objectClass": "attributeSchema", "lDAPDisplayName": name} | text | values).items():
        entry[attribute] = ldb.MessageElement(values_of(value), ldb.FLAG_MOD_ADD, attribute)
    sam.add(entry, controls=[] if numbered else ["relax:0"])
    sam.set_schema_update_now()
    change = ldb.Message(ldb.Dn(sam, f"CN=Mail-Recipient,{schema}"))
    change["mayContain"] = ldb.MessageElement(name, ldb.FLAG_MOD_ADD, "mayContain")
    sam.modify(change)
    sam.set_schema_update_now()
    found = sam.search(base=entry.dn, scope=ldb.SCOPE_BASE, attrs=["msDS-IntId"])[0]
    return int(str(found["msDS-IntId"][0])) if "msDS-IntId" in found else None


def inside(group):
    """The users in a group, through however many groups between, as the DC itself works it out."""
    dn = sam.search(base=f"<SID={group}>", scope=ldb.SCOPE_BASE, attrs=[])[0].dn
    expression = f"(&(objectClass=user)(memberOf:1.2.840.113556.1.4.1941:={dn}))"
    return {entry["objectGUID"][0] for entry in sam.search(base=domain, expression=expression, attrs=["objectGUID"])}


def people():
    """Every person's account, and whether it is held back: privileged (MS-ADTS 3.1.1.6.1), one that AD itself needs, or
    with a right of its own at the domain's head that reads every password; anew and by the DC's own means."""
    sid = sam.get_domain_sid()
    rids = (512, 516, 518, 519, 521, 526, 527)
    groups = [f"{sid}-{rid}" for rid in rids] + [f"S-1-5-32-{rid}" for rid in (544, 548, 549, 550, 551, 552)]
    known = [g for g in groups if sam.search(base=domain, expression=f"(objectSid={g})", attrs=[])]
    privileged = set().union(*map(inside, known))
    protected = inside(f"{sid}-525")
    changes_all = r";1131f6ad-9c07-11d1-f79f-00c04fc2dcd2;;(S-1-5-21-[0-9-]+)\)"
    readers = set(re.findall(changes_all, SDUtils(sam).get_sd_as_sddl(domain)))
    attrs = ("sAMAccountName", "userPrincipalName", "displayName")
    numbers = ("userAccountControl", "accountExpires", "pwdLastSet", "adminCount", "primaryGroupID")
    listed = []
    for entry in sam.search(
        base=domain,
        expression="(&(objectClass=user)(!(objectClass=computer))(!(sAMAccountName=krbtgt)))",
        attrs=["objectGUID", "objectSid", "isCriticalSystemObject", *attrs, *numbers],
    ):
        guid = entry["objectGUID"][0]
        one = {name: str(entry[name][0]) if name in entry else None for name in attrs}
        one |= {name: int(entry[name][0]) if name in entry else None for name in numbers}
        own = sam.schema_format_value("objectSID", entry["objectSid"][0]).decode()
        rid = own.rsplit("-", 1)[1]
        one["guid"] = str(uuid.UUID(bytes_le=guid))
        one["privileged"] = (
            guid in privileged
            or rid == "500"
            or "isCriticalSystemObject" in entry
            or own in readers
            or bool(one["adminCount"])
            or one["primaryGroupID"] in rids
        )
        one["protected_user"] = guid in protected
        listed.append(one)
    return listed


def which_password(candidates):
    """Of each account's candidates the one that is its password, by the hash that the DC holds; it stays in here."""
    answers = {}
    for guid, passwords in candidates.items():
        held = sam.search(base=f"<GUID={guid}>", scope=ldb.SCOPE_BASE, attrs=["unicodePwd"])[0].get("unicodePwd")
        answers[guid] = None
        for at, password in enumerate(passwords):
            maker = Credentials()
            maker.set_password(password)
            if held is not None and maker.get_nt_hash() == held[0]:
                answers[guid] = at
    return answers


def rights(sam_name, granted):
    sid = read(sam_name)["sid"]
    descriptors = SDUtils(sam)
    aces = [f"(OA;;CR;{right};;{sid})" for right in RIGHTS]
    if granted:
        for ace in aces:
            descriptors.dacl_add_ace(domain, ace)
        return
    text = descriptors.get_sd_as_sddl(domain)
    for ace in aces:
        text = text.replace(ace, "")
    descriptors.modify_sd_on_dn(domain, text, controls=["sd_flags:1:4"])


def grant(sam_name, ace):
    SDUtils(sam).dacl_add_ace(domain, ace.replace("{sid}", read(sam_name)["sid"]))


def keytab(sam_name, path):
    enable_net_export_keytab()
    Net(None, lp).export_keytab(keytab=path, principal=sam_name)


VERBS = {
    verb.__name__: verb
    for verb in (
        read, set_password, create, add, set_at, set_attributes, force_attribute, new_invocation_id, set_domain,
        set_pwd_last_set, flags, members, create_container, move, rename_container, delete, rename, rename_rdn,
        reanimate, recycle_bin, people, resultant_policy, which_password, rights, grant, outbound_replication, keytab,
        extend_schema, option,
    )
}  # fmt: skip

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"ok": VERBS[request.pop("do")](**request)}
    except Exception as error:  # the test that asked decides what it means
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
