//! Makes a tenant: configuration if there is none, keys, root certificate, database. All of it or nothing.
//! What it makes is read by `serve`.

use super::Init;
use crate::authority::Authority;
use crate::config::{Config, TenantUrl, template};
use crate::error::TenantError;
use crate::key_file::{self, KeySource};
use crate::serve::unix_now;
use crate::store::Store;
use landbridge_crypto::seal::{SealKey, SealKeys};
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Does it, and gives the text that says what comes next.
pub fn init(config_file: &Path, flags: &Init) -> Result<String, TenantError> {
    let (config, text) = configuration(config_file, flags)?;
    let mut begun = Begun::default();
    make(&config, &mut begun)?;
    if let Some(text) = &text {
        if let Some(folder) = config_file.parent() {
            std::fs::create_dir_all(folder).map_err(|e| cannot(folder, &e))?;
        }
        key_file::create_with_mode(config_file, text.as_bytes(), 0o644)?;
        begun.files.push(config_file.to_owned());
    }
    begun.finish(&config.data_directory)?;
    Ok(next_steps(config_file, &config, text.is_some()))
}

/// The configuration that is there, or the one that will be.
fn configuration(file: &Path, flags: &Init) -> Result<(Config, Option<String>), TenantError> {
    if file.exists() {
        let config = Config::load(file)?;
        let other = flags.url.as_deref().filter(|url| url.trim_end_matches('/') != config.url.as_str());
        return match other {
            None => Ok((config, None)),
            Some(_) => {
                let what = format!("it is there already and says url = \"{}\"", config.url.as_str());
                Err(TenantError::file(file, what, "leave --url away, or edit the file"))
            }
        };
    }
    let url = flags.url.as_deref().ok_or_else(|| {
        TenantError::Usage(format!(
            "{} is not there yet: init needs --url https://host[:port]",
            file.display()
        ))
    })?;
    // Said of the flag, not of a file that is not there yet.
    TenantUrl::parse(url).map_err(|why| TenantError::Usage(format!("--url: {why}")))?;
    let data_directory =
        std::path::absolute(&flags.data_directory).map_err(|e| cannot(&flags.data_directory, &e))?;
    let text = template(url, &flags.listen.to_string(), &data_directory);
    Ok((Config::parse(file, &text)?, Some(text)))
}

/// What was made so far; removed again unless all of it is made.
#[derive(Default)]
struct Begun {
    files: Vec<PathBuf>,
    staging: Option<PathBuf>,
}

impl Begun {
    fn finish(mut self, data_directory: &Path) -> Result<(), TenantError> {
        if let Some(staging) = &self.staging {
            // Over nothing, or over an empty directory; the kernel refuses everything else.
            std::fs::rename(staging, data_directory).map_err(|e| cannot(data_directory, &e))?;
            if let Some(parent) = data_directory.parent() {
                let _ = File::open(parent).and_then(|parent| parent.sync_all());
            }
        }
        self.staging = None;
        self.files.clear();
        Ok(())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
        if let Some(staging) = &self.staging {
            let _ = std::fs::remove_dir_all(staging);
        }
    }
}

fn make(config: &Config, begun: &mut Begun) -> Result<(), TenantError> {
    let data = &config.data_directory;
    let occupied = match std::fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_some(),
        Err(e) if e.kind() == ErrorKind::NotFound => false,
        Err(e) => return Err(cannot(data, &e)),
    };
    if occupied {
        let todo = "it is never overwritten: serve it, or configure another data_directory";
        return Err(TenantError::file(data, "there is something in the data directory already", todo));
    }
    let parent = data.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).map_err(|e| cannot(parent, &e))?;
    let staging = parent.join(format!(".landbridge-tenant.{}", Uuid::new_v4()));
    closed_directory(&staging)?;
    begun.staging = Some(staging.clone());
    for folder in ["secrets", "tls"] {
        closed_directory(&staging.join(folder))?;
    }

    let (tenant, now) = (Uuid::new_v4(), unix_now());
    let root = Authority::create(tenant, now).map_err(|e| TenantError::Defect(e.to_string()))?;
    write_key(config, &config.ca_key, &root.key, &staging, begun)?;
    key_file::create_with_mode(&staging.join("tls").join("root.pem"), root.certificate.as_bytes(), 0o644)?;

    let mut keys = Vec::new();
    for (source, id) in config.seal_keys.iter().zip(1_u32..) {
        let key = SealKey::generate(id);
        let mut line = Zeroizing::new(String::with_capacity(128));
        line.push_str(&key.to_text());
        line.push('\n');
        write_key(config, source, &line, &staging, begun)?;
        keys.push(key);
    }
    drop(Store::create(&staging.join("tenant.db"), SealKeys::new(keys), tenant, now)?);
    Ok(())
}

/// Writes a key where it is configured: below the data directory, which is still being made, or elsewhere.
fn write_key(
    config: &Config,
    source: &KeySource,
    text: &str,
    staging: &Path,
    begun: &mut Begun,
) -> Result<(), TenantError> {
    let path = match source {
        KeySource::File(path) => path,
        KeySource::Credential(name) => {
            let todo = "configure key files for `init`, and make credentials of them afterwards";
            let name = format!("credential:{name}");
            return Err(TenantError::file(Path::new(&name), "init cannot write a systemd credential", todo));
        }
    };
    match path.strip_prefix(&config.data_directory) {
        Ok(below) => {
            let path = staging.join(below);
            if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
                closed_directory(folder)?;
            }
            key_file::create(&path, text.as_bytes())
        }
        Err(_) => {
            key_file::create(path, text.as_bytes())?;
            begun.files.push(path.clone());
            Ok(())
        }
    }
}

fn closed_directory(path: &Path) -> Result<(), TenantError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| cannot(path, &e))
}

fn cannot(path: &Path, error: &std::io::Error) -> TenantError {
    TenantError::file(path, format_args!("cannot be made: {error}"), "run init as a user who may write there")
}

fn next_steps(file: &Path, config: &Config, file_made: bool) -> String {
    let configuration = if file_made { "made; read it through" } else { "as it was" };
    format!(
        "The tenant is made.\n\
         \x20 configuration   {file} ({configuration})\n\
         \x20 data directory  {data}\n\
         \x20 keys            keep a copy of {data}/secrets apart from the copies of the database\n\
         \n\
         Next:\n\
         \x20 landbridge-tenant serve\n\
         \x20 landbridge-tenant domains add --name corp.example.com --netbios CORP --sid S-1-5-21-…\n\
         \x20 landbridge-tenant token create --role phs --domain corp.example.com\n\
         \x20 landbridge-tenant agents approve ID\n\
         \x20 landbridge-tenant apps create --name NAME\n",
        file = file.display(),
        data = config.data_directory.display(),
    )
}
