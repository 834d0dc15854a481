//! The domain's own certificate authority and the DC's certificate, with its names in it.
//! Samba's self-made certificate has none and is refused, rightly.

use super::error::{Doing as _, LabError, failed};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Writes `ca.pem`, `dc.pem` and `dc.key` (0600: Samba refuses looser) into `folder`.
pub(crate) fn write(folder: &Path, name: &str, address: IpAddr) -> Result<(), LabError> {
    let made = make(name, address).map_err(|why| failed("making the DC's certificate", why))?;
    fs::create_dir_all(folder).doing(format!("make {}", folder.display()))?;
    for (file, text) in made {
        let path = folder.join(file);
        fs::write(&path, text).doing(format!("write {}", path.display()))?;
        let mode = fs::Permissions::from_mode(if file.ends_with("key") { 0o600 } else { 0o644 });
        fs::set_permissions(&path, mode).doing(format!("set the mode of {}", path.display()))?;
    }
    Ok(())
}

fn make(name: &str, address: IpAddr) -> Result<[(&'static str, String); 3], rcgen::Error> {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "the lab's domain CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate()?;
    let ca_certificate = ca.self_signed(&ca_key)?;

    let mut dc = CertificateParams::new([name.to_owned(), address.to_string()])?;
    dc.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate()?;
    let certificate = dc.signed_by(&key, &Issuer::from_params(&ca, &ca_key))?;
    Ok([("ca.pem", ca_certificate.pem()), ("dc.pem", certificate.pem()), ("dc.key", key.serialize_pem())])
}
