//! Searches everything that the programs wrote for secrets that are known, in every form that a careless
//! line would give them: raw, as JSON and as Rust's `Debug` would escape it, hex of both cases, base64 of
//! both alphabets at every alignment, and each of these in UTF-16LE.

use super::error::{Doing as _, LabError, failed};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use md4::{Digest as _, Md4};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Shorter than this, chance would find it.
const SHORTEST: usize = 6;

/// A secret that no file may hold.
#[derive(Debug, Clone)]
pub struct Needle {
    /// What it is, for the report; never the secret itself.
    pub what: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The one file that may hold it.
    pub home: Option<PathBuf>,
}

impl Needle {
    /// A secret that may be nowhere.
    pub fn new(what: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { what: what.into(), bytes: bytes.into(), home: None }
    }

    /// A password and its NT hash.
    pub fn password(whose: &str, password: &str) -> [Self; 2] {
        let utf16: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
        [
            Self::new(format!("password of {whose}"), password),
            Self::new(format!("NT hash of {whose}"), Md4::digest(&utf16).to_vec()),
        ]
    }

    /// The secret of a key file, which alone may hold it.
    pub fn key_file(path: &Path) -> Result<Self, LabError> {
        let content = fs::read(path).doing(format!("read {}", path.display()))?;
        let bytes = private_part(&content).ok_or_else(|| failed("looking for a key", path.display()))?;
        Ok(Self { what: format!("key of {}", path.display()), bytes, home: Some(path.to_path_buf()) })
    }

    fn forms(&self) -> BTreeSet<Vec<u8>> {
        let raw = &self.bytes;
        let lower: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = BTreeSet::from([raw.clone(), lower.to_uppercase().into_bytes(), lower.into_bytes()]);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.extend((0..3).map(|before| base64_core(&engine, raw, before)));
        }
        if let Ok(text) = std::str::from_utf8(raw) {
            let json = serde_json::to_string(text).unwrap_or_default();
            for escaped in [json, format!("{text:?}")] {
                forms.insert(escaped.trim_matches('"').as_bytes().to_vec());
            }
        }
        let wide: Vec<Vec<u8>> = forms
            .iter()
            .filter_map(|form| std::str::from_utf8(form).ok())
            .map(|text| text.encode_utf16().flat_map(u16::to_le_bytes).collect())
            .collect();
        let mut forms_of_wide = Vec::new();
        if let Ok(text) = std::str::from_utf8(raw) {
            // What the DC and Windows programs handle is UTF-16, so its encodings count too.
            let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let hex: String = utf16.iter().map(|byte| format!("{byte:02x}")).collect();
            forms_of_wide.extend([hex.to_uppercase().into_bytes(), hex.into_bytes()]);
            forms_of_wide.extend((0..3).map(|before| base64_core(&STANDARD_NO_PAD, &utf16, before)));
        }
        forms.extend(wide.into_iter().chain(forms_of_wide));
        forms.retain(|form| form.len() >= SHORTEST);
        forms
    }
}

/// The part of the base64 that does not depend on the bytes around the secret, of which `before` precede it.
fn base64_core(engine: &base64::engine::GeneralPurpose, raw: &[u8], before: usize) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(raw);
    let whole = engine.encode(&padded).into_bytes();
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    whole.get(first..last).unwrap_or_default().to_vec()
}

/// The secret inside a key file: the scalar of an EC key in PKCS #8 (DER or PEM), or the longest word.
fn private_part(content: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content).ok();
    let der = match text.filter(|text| text.contains("-----BEGIN")) {
        Some(pem) => {
            let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
            base64::engine::general_purpose::STANDARD.decode(body.trim()).ok()?
        }
        None => content.to_vec(),
    };
    // RFC 5915: version 1, then an OCTET STRING of 32 bytes; RFC 8410: an OCTET STRING alone.
    let marks: [&[u8]; 2] = [&[0x02, 0x01, 0x01, 0x04, 0x20], &[0x04, 0x22, 0x04, 0x20]];
    let scalar = marks.iter().find_map(|mark| {
        let at = der.windows(mark.len()).position(|window| window == *mark)? + mark.len();
        der.get(at..at + 32).map(<[u8]>::to_vec)
    });
    let word =
        || text?.split(|c: char| c.is_whitespace() || ".:=\"".contains(c)).max_by_key(|word| word.len());
    scalar.or_else(|| word().map(|word| word.as_bytes().to_vec()))
}

/// A place where a secret was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// Which secret.
    pub what: String,
    /// Where.
    pub file: PathBuf,
    /// At which byte.
    pub at: usize,
}

/// What a search went through.
#[derive(Debug, Default)]
pub struct Searched {
    /// How many files.
    pub files: usize,
    /// How many bytes.
    pub bytes: usize,
    /// What was found, at most one per secret and file.
    pub found: Vec<Find>,
}

/// Searches all files under these folders.
pub fn search(needles: &[Needle], folders: &[&Path]) -> Result<Searched, LabError> {
    let (mut patterns, mut owners) = (Vec::new(), Vec::new());
    for needle in needles {
        for form in needle.forms() {
            patterns.push(form);
            owners.push(needle);
        }
    }
    let automaton = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(&patterns)
        .map_err(|why| failed("preparing the search", why))?;
    let mut searched = Searched::default();
    let mut files = Vec::new();
    for folder in folders {
        list(folder, &mut files)?;
    }
    for file in files {
        let content = fs::read(&file).doing(format!("read {}", file.display()))?;
        searched.files += 1;
        searched.bytes += content.len();
        for hit in automaton.find_overlapping_iter(&content) {
            let Some(needle) = owners.get(hit.pattern().as_usize()) else { continue };
            let known = searched.found.iter().any(|find| find.what == needle.what && find.file == file);
            if !known && needle.home.as_ref() != Some(&file) {
                searched.found.push(Find { what: needle.what.clone(), file: file.clone(), at: hit.start() });
            }
        }
    }
    Ok(searched)
}

fn list(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), LabError> {
    for entry in fs::read_dir(folder).doing(format!("list {}", folder.display()))? {
        let entry = entry.doing(format!("list {}", folder.display()))?;
        let kind = entry.file_type().doing(format!("look at {}", entry.path().display()))?;
        if kind.is_dir() {
            list(&entry.path(), into)?;
        } else if kind.is_file() {
            into.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_planted_secret_is_found_in_every_form_and_only_there() {
        let secret = "Grüße \"aus\" Köln";
        let [password, hash] = Needle::password("anna", secret);
        let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        let nt = Md4::digest(utf16(secret)).to_vec();
        let mut planted: Vec<Vec<u8>> = vec![
            secret.into(),
            utf16(secret),
            serde_json::to_vec(&serde_json::json!({ "password": secret })).unwrap(),
            format!("{secret:?}").into(),
            nt.clone(),
            hex(&nt).into(),
            hex(&nt).to_uppercase().into(),
            utf16(&hex(&nt).to_uppercase()),
            hex(secret.as_bytes()).into(),
        ];
        for before in ["", "x", "xy", "xyz"] {
            let text = [before.as_bytes(), secret.as_bytes(), b"!"].concat();
            planted.push(STANDARD.encode(&text).into());
            let text = [before.as_bytes(), &nt, b"?"].concat();
            planted.push(URL_SAFE_NO_PAD.encode(&text).into());
            planted.push(utf16(&STANDARD.encode(&text)));
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("clean"), "Gruesse aus Koeln").unwrap();
        for (at, form) in planted.iter().enumerate() {
            let content = [b"before ", form.as_slice(), b" after"].concat();
            fs::write(folder.path().join(format!("deep/{at:02}")), content).unwrap();
        }
        let searched = search(&[password, hash], &[folder.path()]).unwrap();
        assert_eq!(searched.files, planted.len() + 1);
        let found: BTreeSet<PathBuf> = searched.found.iter().map(|find| find.file.clone()).collect();
        let all = (0..planted.len()).map(|at| folder.path().join(format!("deep/{at:02}"))).collect();
        assert_eq!(found, all);
    }

    #[test]
    fn a_key_file_may_hold_its_own_key_and_no_other_file_may() {
        let folder = tempfile::tempdir().unwrap();
        let (pem, der) = (folder.path().join("ca.key"), folder.path().join("agent.key"));
        let [one, other] = [0, 1].map(|_| rcgen::KeyPair::generate().unwrap());
        fs::write(&pem, one.serialize_pem()).unwrap();
        fs::write(&der, other.serialize_der()).unwrap();
        let needles = [Needle::key_file(&pem).unwrap(), Needle::key_file(&der).unwrap()];
        assert!(needles.iter().all(|needle| needle.bytes.len() == 32));
        assert!(search(&needles, &[folder.path()]).unwrap().found.is_empty());
        fs::write(folder.path().join("copy"), other.serialize_der()).unwrap();
        assert_eq!(search(&needles, &[folder.path()]).unwrap().found.len(), 1);
    }
}
