//! Makes the files of a domain once, and keeps them as a tar under `target/lab/`.
//! The tar knows no address and no path: `domain` writes the configuration each time.

use super::error::{Doing as _, LabError, failed};
use super::population::{ACCOUNT, ACCOUNT_PASSWORD, ADMINISTRATOR_PASSWORD, Population};
use super::program::build_folder;
use super::{view, watchdog};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// samba-tool and python3-samba belong to the system's Python, whatever else is in the path.
pub(crate) const PYTHON: &str = "/usr/bin/python3";
pub(crate) const SAMBA: &str = "/usr/sbin/samba";
const SAMBA_TOOL: &str = "/usr/bin/samba-tool";

/// Passwords expire after 180 days, counted from when the tar was made.
const KEPT: Duration = Duration::from_secs(60 * 24 * 3600);

/// Puts the files of a domain with this population into `folder`, which exists.
pub(crate) fn restore(population: Population, folder: &Path) -> Result<(), LabError> {
    for program in [SAMBA, SAMBA_TOOL, PYTHON] {
        if !Path::new(program).exists() {
            return Err(LabError::Missing { program });
        }
    }
    let tar = tar_of(population)?;
    run(Command::new("tar").arg("-C").arg(folder).arg("-xf").arg(&tar), "restoring the domain", None)
        .map(drop)
}

/// The tar of this population; made when it is not there. Tests that want the same one wait for the first.
fn tar_of(population: Population) -> Result<PathBuf, LabError> {
    let cache = build_folder()?.join("lab");
    fs::create_dir_all(&cache).doing(format!("make {}", cache.display()))?;
    let Population { users, groups, names: _ } = population;
    let name = format!("{users}-users-{groups}-groups-{:016x}", fingerprint(population)?);
    let tar = cache.join(format!("{name}.tar"));
    let lock = File::create(cache.join(format!("{name}.lock"))).doing("create a lock file in target/lab")?;
    lock.lock().doing("lock a file in target/lab")?;
    let age =
        fs::metadata(&tar).and_then(|m| m.modified()).ok().map(|then| SystemTime::now().duration_since(then));
    if age.is_some_and(|age| age.unwrap_or_default() < KEPT) {
        return Ok(tar);
    }
    let build = watchdog::folder("landbridge-lab-")?;
    make(population, build.path())?;
    let unfinished = cache.join(format!("{name}.unfinished"));
    run(
        Command::new("tar").arg("-C").arg(build.path()).arg("-cf").arg(&unfinished).args([
            "private",
            "state",
            "sid",
            "svc.keytab",
        ]),
        "keeping the domain",
        None,
    )?;
    fs::rename(&unfinished, &tar).doing(format!("rename to {}", tar.display()))?;
    Ok(tar)
}

fn fingerprint(population: Population) -> Result<u64, LabError> {
    let version = run(view::command(SAMBA)?.arg("--version"), "asking Samba for its version", None)?;
    let mut all = DefaultHasher::new();
    (version, include_str!("recipe.rs"), include_str!("provision.py")).hash(&mut all);
    let (users, groups) = population.to_json();
    (users.to_string(), groups.to_string(), population.names, ACCOUNT, ACCOUNT_PASSWORD).hash(&mut all);
    Ok(all.finish())
}

fn make(population: Population, folder: &Path) -> Result<(), LabError> {
    let any_address = IpAddr::from([127, 0, 1, 9]);
    let mut provision = view::command(PYTHON)?;
    provision
        .args([
            SAMBA_TOOL,
            "domain",
            "provision",
            "--server-role=dc",
            "--dns-backend=NONE",
            "--host-name=dc1",
        ])
        .arg(format!("--realm={}", population.names.dns.to_uppercase()))
        .arg(format!("--domain={}", population.names.netbios))
        .arg(format!("--host-ip={any_address}"))
        .arg(format!("--targetdir={}", folder.display()))
        // samba-tool reads it from the command line only. The lab's passwords are not secret.
        .arg(format!("--adminpass={ADMINISTRATOR_PASSWORD}"));
    for (name, value) in options(folder, any_address) {
        if !name.contains("tls") {
            provision.arg(format!("--option={name}={value}"));
        }
    }
    run(&mut provision, "provisioning the domain", None)?;
    let conf = folder.join("etc/smb.conf");
    let keytab = folder.join("svc.keytab");
    let (users, groups) = population.to_json();
    let request = json!({
        "conf": conf, "keytab": keytab, "users": users, "groups": groups,
        "delegate": {"sam": ACCOUNT, "password": ACCOUNT_PASSWORD},
    });
    let mut fill = view::command(PYTHON)?;
    fill.args(["-c", include_str!("provision.py")]);
    let said = run(&mut fill, "filling the domain", Some(request.to_string().as_bytes()))?;
    let answer: Value = serde_json::from_str(&said).map_err(|_| failed("filling the domain", &said))?;
    let sid = answer.get("sid").and_then(Value::as_str).unwrap_or_default();
    fs::write(folder.join("sid"), sid).doing("write the domain's SID")
}

/// smb.conf, section `[global]`, for a domain in this folder at this address.
pub(crate) fn options(folder: &Path, address: IpAddr) -> Vec<(&'static str, String)> {
    let at = |name: &str| folder.join(name).display().to_string();
    vec![
        ("interfaces", format!("{address}/8")),
        ("bind interfaces only", "yes".into()),
        ("vfs objects", "dfs_samba4 acl_xattr".into()),
        ("server services", "rpc, ldap, cldap, kdc".into()),
        ("log file", at("log.%m")),
        ("pid directory", at("run")),
        ("ncalrpc dir", at("ncalrpc")),
        ("winbindd socket directory", at("winbindd")),
        ("ntp signd socket directory", at("ntp")),
        ("tls certfile", at("tls/dc.pem")),
        ("tls keyfile", at("tls/dc.key")),
        ("tls cafile", at("tls/ca.pem")),
    ]
}

/// Runs a step to its end and gives its standard output.
fn run(command: &mut Command, step: &str, input: Option<&[u8]>) -> Result<String, LabError> {
    let mut child = command
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing(step)?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        pipe.write_all(input).doing(step)?;
    }
    let output = child.wait_with_output().doing(step)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(step, String::from_utf8_lossy(&output.stderr)))
    }
}
