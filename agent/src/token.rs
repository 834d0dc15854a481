//! Where a one-time token comes from: a file of one's own, a terminal without echo, or standard input; never the
//! command line, which others see. After it: `enroll`.

use crate::config::ConfigError;
use crate::key::{self, FileError};
use landbridge_host::text_file;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;
use zeroize::Zeroizing;

const MAX_TOKEN: usize = 4096;

/// Reads the token: from this file (0600), or else from standard input.
pub fn read(file: Option<&Path>) -> Result<Zeroizing<String>, ConfigError> {
    file.map_or_else(of_terminal, of_file)
}

fn of_file(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let content = |why: &str| FileError::Content { path: path.to_owned(), why: why.to_owned() };
    let bytes = key::read_secret(path, MAX_TOKEN)?;
    let text = text_file::decode(&bytes).map_err(|why| ConfigError::from(content(&why.to_string())))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// Standard input; a terminal is asked without echo. Other lines around the token do no harm, so that the whole
/// output of `token create` may be piped in.
fn of_terminal() -> Result<Zeroizing<String>, ConfigError> {
    let unreadable = |why: io::Error| ConfigError::Unreadable { path: "standard input".into(), why };
    if io::stdin().is_terminal() {
        let token = rpassword::prompt_password("Token: ").map_err(unreadable)?;
        return Ok(Zeroizing::new(token));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_TOKEN));
    io::stdin().take(MAX_TOKEN as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = text_file::decode(&bytes).map_err(|why| unreadable(io::Error::other(why)))?;
    let token = text.split_whitespace().find(|word| word.starts_with("lbt1.")).unwrap_or_default();
    Ok(Zeroizing::new(token.to_owned()))
}
