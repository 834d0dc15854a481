//! The groups and accounts that count as privileged, by relative id (MS-ADTS 3.1.1.6.1). One list, so that phs, pta-agent
//! and tenant protect the same accounts. No message carries it.

/// Domain Admins, Domain Controllers, Schema Admins, Enterprise Admins, Read-only Domain Controllers, Key Admins,
/// Enterprise Key Admins: groups of a domain.
pub const GROUPS_OF_A_DOMAIN: [u32; 7] = [512, 516, 518, 519, 521, 526, 527];
/// Administrators, Account Operators, Server Operators, Print Operators, Backup Operators, Replicator: groups under
/// S-1-5-32.
pub const BUILT_IN_GROUPS: [u32; 6] = [544, 548, 549, 550, 551, 552];
/// Protected Users, a group of a domain.
pub const PROTECTED_USERS: u32 = 525;
/// Administrator and krbtgt: accounts of a domain.
pub const ACCOUNTS: [u32; 2] = [500, 502];
