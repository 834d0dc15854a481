//! The texts of settings, as in the database and in files.

/// A text and a value for each variant.
macro_rules! texts {
    ($kind:ident, $($variant:ident = $text:literal),+) => {
        impl $kind {
            /// The texts of all variants.
            pub const TEXTS: &[&str] = &[$($text),+];

            /// The text of this one, as in the database and in settings.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads a text.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(super) use texts;
