"""Reads a domain whole as Samba's own replication client does (samba.drs_utils), all attributes, and keeps nothing.
Prints seconds, objects, and KiB of memory at the peak. Told the DC's smb.conf and its address; the password comes by standard input."""
import sys
import time
import uuid

from samba.credentials import MUST_USE_KERBEROS, Credentials
from samba.dcerpc import drsuapi, misc
from samba.drs_utils import drs_DsBind
from samba.param import LoadParm

lp = LoadParm()
lp.load(sys.argv[1])
credentials = Credentials()
credentials.guess(lp)
credentials.set_username("svc-landbridge")
credentials.set_realm("CORP.EXAMPLE.COM")
credentials.set_password(sys.stdin.readline().rstrip("\n"))
credentials.set_kerberos_state(MUST_USE_KERBEROS)

began = time.perf_counter()
binding = f"ncacn_ip_tcp:{sys.argv[2]}[seal,target_hostname=dc1.corp.example.com]"
drs = drsuapi.drsuapi(binding, lp, credentials)
handle, _ = drs_DsBind(drs)
request = drsuapi.DsGetNCChangesRequest8()
request.destination_dsa_guid = misc.GUID(str(uuid.uuid4()))
request.source_dsa_invocation_id = misc.GUID()
request.naming_context = drsuapi.DsReplicaObjectIdentifier()
request.naming_context.dn = "DC=corp,DC=example,DC=com"
request.highwatermark = drsuapi.DsReplicaHighWaterMark()
request.uptodateness_vector = None
request.replica_flags = drsuapi.DRSUAPI_DRS_INIT_SYNC | drsuapi.DRSUAPI_DRS_PER_SYNC | drsuapi.DRSUAPI_DRS_WRIT_REP
request.max_object_count = 402
request.max_ndr_size = 402116
request.extended_op = drsuapi.DRSUAPI_EXOP_NONE
request.fsmo_info = 0
request.partial_attribute_set = None
request.partial_attribute_set_ex = None
request.mapping_ctr.num_mappings = 0
request.mapping_ctr.mappings = None
objects = 0
while True:
    _, reply = drs.DsGetNCChanges(handle, 8, request)
    objects += reply.object_count
    if not reply.more_data:
        break
    request.highwatermark = reply.new_highwatermark
seconds = time.perf_counter() - began
with open("/proc/self/status", encoding="ascii") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
print(seconds, objects, peak)
