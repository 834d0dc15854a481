//! The stylesheet, the icon and the script of the pages, and the paths below the issuer at which the caller serves them.

use std::sync::LazyLock;

/// The stylesheet of every page. Its media type is `text/css; charset=utf-8`.
pub const STYLESHEET: &str = include_str!("../assets/pages.css");

/// The icon of every page of an installation without a logo. Its media type is `image/svg+xml`. Without a link to it browsers
/// ask for `/favicon.ico`.
pub const ICON: &str = include_str!("../assets/icon.svg");

/// The script that submits the form of [`crate::form_post`]. Its media type is `text/javascript; charset=utf-8`.
pub const FORM_POST_SCRIPT: &str = include_str!("../assets/form-post.js");

/// The path of [`FORM_POST_SCRIPT`]. It stays the same when the script changes, so the caller lets browsers ask again.
pub const FORM_POST_SCRIPT_PATH: &str = "/assets/form-post.js";

/// The value of `Cache-Control` for a file whose path holds the hash of its content.
pub const CACHE_FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The path of [`STYLESHEET`], with a hash of its content that is computed at the first use.
pub fn stylesheet_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| hashed_path("pages", STYLESHEET.as_bytes(), "css"));
    &PATH
}

/// The path of [`ICON`], with a hash of its content that is computed at the first use.
pub fn icon_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| hashed_path("icon", ICON.as_bytes(), "svg"));
    &PATH
}

/// The path of a file with this ending. A changed content has another path, so browsers may keep each one for ever.
pub(crate) fn hashed_path(name: &str, content: &[u8], ending: &str) -> String {
    format!("/assets/{name}-{:016x}.{ending}", fnv1a(content))
}

/// FNV-1a with 64 bits. It tells versions of our own files apart; it protects nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::{STYLESHEET, fnv1a, hashed_path, stylesheet_path};

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn another_content_has_another_path() {
        assert_eq!(stylesheet_path(), hashed_path("pages", STYLESHEET.as_bytes(), "css"));
        let changed = STYLESHEET.replacen("1rem", "2rem", 1);
        assert_ne!(stylesheet_path(), hashed_path("pages", changed.as_bytes(), "css"));
    }
}
