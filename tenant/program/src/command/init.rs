//! Creates a tenant: configuration if there is none, keys, root certificate, database. After a failure nothing remains.
//! Neighbours: [`super::new_directory`] writes the data directory; `serve` reads it.

use super::Init;
use super::new_directory::{NewDirectory, cannot_create};
use crate::config::{Config, TenantUrl, template};
use crate::error::TenantError;
use landbridge_crypto::seal::{SealKey, SealKeys};
use landbridge_host::key_file;
use landbridge_tenant_core::agents::authority::Authority;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_store::{Location, Store};
use std::path::Path;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Creates a tenant. Returns a text with the next steps.
pub fn init(config_file: &Path, flags: &Init) -> Result<String, TenantError> {
    let (config, text) = configuration(config_file, flags)?;
    let mut directory = make(&config)?;
    if let Some(text) = &text {
        if let Some(folder) = config_file.parent() {
            std::fs::create_dir_all(folder).map_err(|e| cannot_create(folder, &e))?;
        }
        key_file::create_with_mode(config_file, text.as_bytes(), 0o644)?;
        directory.remove_on_failure(config_file);
    }
    directory.finish()?;
    Ok(next_steps(config_file, &config, text.is_some()))
}

/// Reads the configuration, or creates its text if the file does not exist.
fn configuration(file: &Path, flags: &Init) -> Result<(Config, Option<String>), TenantError> {
    if file.exists() {
        let config = Config::load(file)?;
        let other = flags.url.as_deref().filter(|url| url.trim_end_matches('/') != config.url.as_str());
        return match other {
            None => Ok((config, None)),
            Some(_) => {
                let what = format!("it exists and has url = \"{}\"", config.url.as_str());
                Err(TenantError::file(file, what, "omit --url, or edit the file"))
            }
        };
    }
    let url = flags.url.as_deref().ok_or_else(|| {
        TenantError::Usage(format!("{} does not exist: init needs --url https://host[:port]", file.display()))
    })?;
    // An error must name the flag, because the file does not exist yet.
    TenantUrl::parse(url).map_err(|why| TenantError::Usage(format!("--url: {why}")))?;
    if !flags.observe.ip().is_loopback() {
        let why =
            "is not a loopback address: the metrics are not protected, so only this machine may read them";
        return Err(TenantError::Usage(format!("--observe: {} {why}", flags.observe)));
    }
    let data_directory =
        std::path::absolute(&flags.data_directory).map_err(|e| cannot_create(&flags.data_directory, &e))?;
    let text = template(url, flags.listen, flags.observe, &data_directory);
    Ok((Config::parse(file, &text)?, Some(text)))
}

fn make(config: &Config) -> Result<NewDirectory, TenantError> {
    // 1. The CA.
    let mut directory = NewDirectory::begin_data_directory(config)?;
    let (tenant, now) = (Uuid::new_v4(), unix_now());
    let root =
        Authority::create(tenant, config.url.host(), now).map_err(|e| TenantError::Defect(e.to_string()))?;
    directory.write_key(&config.ca_key, &root.key)?;
    let certificate = directory.path().join("tls").join("root.pem");
    key_file::create_with_mode(&certificate, root.certificate.as_bytes(), 0o644)?;

    // 2. The seal keys, numbered from 1, and the database.
    let mut keys = Vec::new();
    for (source, id) in config.seal_keys.iter().zip(1_u32..) {
        let key = SealKey::generate(id);
        let mut line = Zeroizing::new(String::with_capacity(128));
        line.push_str(&key.to_text());
        line.push('\n');
        directory.write_key(source, &line)?;
        keys.push(key);
    }
    // A database on a server is made last: what failed before leaves nothing there.
    let at = match config.server_address()? {
        Some(address) => Location::Server(Box::new(address)),
        None => Location::File(directory.path().join("tenant.db")),
    };
    drop(Store::create(at, SealKeys::new(keys), tenant, now)?);
    Ok(directory)
}

fn next_steps(file: &Path, config: &Config, file_made: bool) -> String {
    let configuration = if file_made { "created; please check it" } else { "unchanged" };
    format!(
        "The tenant is created.\n\
         \x20 configuration   {file} ({configuration})\n\
         \x20 data directory  {data}\n\
         \x20 keys            {data}/secrets; keep a copy apart from backups of the database\n\
         \n\
         Next:\n\
         \x20 landbridge-tenant serve\n\
         \x20 landbridge-tenant domains add --name corp.example.com --netbios CORP --sid S-1-5-21-…\n\
         \x20     (`landbridge-phs check` prints the SID; so does `(Get-ADDomain).DomainSID.Value` in PowerShell)\n\
         \x20 landbridge-tenant token create --role phs --domain corp.example.com\n\
         \x20 landbridge-tenant agents approve ID\n\
         \x20 landbridge-tenant apps create --name NAME\n\
         \x20 landbridge-tenant backup DIRECTORY --keys OTHER_DIRECTORY\n",
        file = file.display(),
        data = config.data_directory.display(),
    )
}
