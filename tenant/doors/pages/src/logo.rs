//! The logo of an installation: an image that the operator provides.

use crate::assets::hashed_path;
use crate::link::Path;
use std::fmt;

/// Limit on the bytes of a logo. Every sign-in page loads it.
pub const MAX_LOGO: usize = 256 * 1024;

/// The first bytes of a PNG file (PNG 5.2).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A logo that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    path: Path,
    media_type: &'static str,
    content: Vec<u8>,
}

/// Why a file is no logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLogo {
    /// It is empty or longer than [`MAX_LOGO`].
    Length,
    /// It is neither PNG nor SVG.
    Kind,
}

impl fmt::Display for BadLogo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a logo has at most 256 KiB",
            Self::Kind => "a logo is a PNG or SVG image",
        })
    }
}

impl std::error::Error for BadLogo {}

impl Logo {
    /// The policy with which the image is served. Opened by itself, an SVG image is a page of the issuer: no script of it
    /// runs, and nothing is loaded.
    pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

    /// Checks the content of a file.
    pub fn new(content: Vec<u8>) -> Result<Self, BadLogo> {
        if content.is_empty() || content.len() > MAX_LOGO {
            return Err(BadLogo::Length);
        }
        let (media_type, ending) = if content.starts_with(PNG) {
            ("image/png", "png")
        } else if std::str::from_utf8(&content).is_ok_and(|text| text.contains("<svg")) {
            ("image/svg+xml", "svg")
        } else {
            return Err(BadLogo::Kind);
        };
        let path = hashed_path("logo", &content, ending).parse().map_err(|_| BadLogo::Kind)?;
        Ok(Self { path, media_type, content })
    }

    /// The path below the issuer, with a hash of the content.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// The bytes of the image.
    pub fn content(&self) -> &[u8] {
        &self.content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_a_png_or_an_svg_of_bounded_length() {
        let kind = |content: &[u8]| {
            Logo::new(content.to_vec()).map(|logo| (logo.media_type(), logo.path().to_string()))
        };
        let svg = kind(b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
        assert!(
            matches!(&svg, Ok(("image/svg+xml", path)) if path.starts_with("/assets/logo-") && path.ends_with(".svg"))
        );
        assert!(matches!(kind(b"\x89PNG\r\n\x1a\nxyz"), Ok(("image/png", _))));
        assert_eq!(kind(b""), Err(BadLogo::Length));
        assert_eq!(kind(&[b'<'; MAX_LOGO + 1]), Err(BadLogo::Length));
        for other in [&b"GIF89a"[..], b"<html></html>", b"\xff\xd8\xff"] {
            assert_eq!(kind(other), Err(BadLogo::Kind));
        }
    }
}
