//! The parameters of a request: of its query, or of a form. Each name at most once (RFC 6749 3.1).

use url::form_urlencoded;
use zeroize::Zeroize as _;

/// Limit on the bytes of a query or a form: a state or a nonce of some KiB is usual.
pub const MAX_PARAMETERS: usize = 16 * 1024;
/// Limit on the bytes of the form of the sign-in page, which carries a query. In a form each byte of it may be three.
pub const MAX_SIGN_IN: usize = 3 * MAX_PARAMETERS + 8 * 1024;
/// The parameter of the person's own page that says what came of a change of password.
pub const NOTICE: &str = "password";
/// Limit on their number.
const MAX_COUNT: usize = 64;

/// Why the parameters cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoParameters {
    /// More bytes than the limit, or more than 64 of them.
    #[error("there are too many parameters, or they are too long")]
    TooLong,
    /// One is there twice.
    #[error("a parameter is there twice")]
    Twice,
    /// One is no UTF-8.
    #[error("a parameter is no text")]
    NotText,
}

/// The parameters. Wiped when dropped: one may be a password.
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded` of at most [`MAX_PARAMETERS`] bytes.
    pub fn parse(text: &[u8]) -> Result<Self, NoParameters> {
        Self::parse_up_to(text, MAX_PARAMETERS)
    }

    /// The same with a limit of its own.
    pub fn parse_up_to(text: &[u8], limit: usize) -> Result<Self, NoParameters> {
        if text.len() > limit {
            return Err(NoParameters::TooLong);
        }
        let mut parameters = Self(Vec::new());
        for (name, value) in form_urlencoded::parse(text) {
            if parameters.0.len() == MAX_COUNT {
                return Err(NoParameters::TooLong);
            }
            // The library puts this character where the bytes are no UTF-8.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(NoParameters::NotText);
            }
            if parameters.0.iter().any(|(own, _)| *own == name) {
                return Err(NoParameters::Twice);
            }
            parameters.0.push((name.into_owned(), value.into_owned()));
        }
        Ok(parameters)
    }

    /// A parameter. An empty one is absent (RFC 6749 3.1), but for a password.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| own == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// The same without those of these names.
    pub fn without(&self, names: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        Self(kept.cloned().collect())
    }

    /// The same with one more behind them.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same as a query.
    pub fn to_query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// Takes a parameter out of them.
    pub fn extract(&mut self, name: &str) -> Option<String> {
        let found = self.0.iter_mut().find(|(own, _)| own == name)?;
        Some(std::mem::take(&mut found.1))
    }
}

impl Drop for Parameters {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_name_is_there_once_and_an_empty_value_is_absent() {
        let parameters = Parameters::parse(b"a=1&b=&c=x%20y+z").unwrap();
        assert_eq!(
            (parameters.get("a"), parameters.get("b"), parameters.get("c")),
            (Some("1"), None, Some("x y z"))
        );
        assert_eq!(format!("{parameters:?}"), r#"["a", "b", "c"]"#);
        for (text, why) in [
            (&b"a=1&a=2"[..], NoParameters::Twice),
            (b"a=&a=2", NoParameters::Twice),
            (b"a&%61", NoParameters::Twice),
            (b"a=%ff", NoParameters::NotText),
            (&b"a=1&".repeat(5000), NoParameters::TooLong),
        ] {
            assert_eq!(Parameters::parse(text).err(), Some(why));
        }
    }
}
