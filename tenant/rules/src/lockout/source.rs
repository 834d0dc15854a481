//! The source of a sign-in: the place of the person, as the caller states it. Pure.
//!
//! A success makes its source known for that account and that caller. A known source has a counter of its own; all
//! unknown sources of an account share one.
//! Neighbours: the doors parse what their callers state; [`super::Rules`] counts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Seconds for which a source stays known after a success from it: 30 days.
pub const KNOWN_SECONDS: i64 = 30 * 86_400;
/// Limit on the known sources of an account. The one whose last success is oldest is forgotten first.
pub const KNOWN_SOURCES: i64 = 16;
/// A success from a known source is noted again when the last noted one is this old, in seconds. One write a day
/// suffices for 30 days.
const NOTED_SECONDS: i64 = 86_400;
/// Limit on the characters of a named source.
const MAX_NAME: usize = 64;
/// What a source that is not an address begins with.
const NAME: &str = "name:";

/// The place of the person who signs in, as the caller states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An IP address. An IPv4 address inside an IPv6 address is the IPv4 address.
    Address(IpAddr),
    /// A place with a name that the caller chose, such as a kiosk. In lower case.
    Name(String),
    /// A browser from which this account was let in before, which its device cookie proves. It is known for every
    /// application, and wherever the browser is.
    Device {
        /// SHA-256 of the cookie's secret.
        mark: [u8; 32],
        /// Where the browser is now.
        address: IpAddr,
    },
    /// The caller states no place, so its sign-ins come from everywhere. It is never known.
    Unstated,
    /// The caller cannot state a place: all its sign-ins come from the application's own address, as by LDAP. It is never
    /// known. Wrong passwords are counted for this account and this caller alone, so that guesses through one application
    /// lock an account out of that application only.
    Application,
}

/// Why a text is not a source. The messages are for the developer of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotASource {
    /// Neither an address nor a name.
    #[error(
        "source: an IP address, with or without a port, or name: and a word; send one address, not a list"
    )]
    Unreadable,
    /// An IPv6 address with a zone.
    #[error("source: an address with a zone (%) has a meaning on one machine only; leave the source out")]
    Zone,
    /// `0.0.0.0`, `::` or a multicast address.
    #[error("source: this address is not the address of a device")]
    NoDevice,
    /// A name that is empty, too long, or not of visible ASCII characters.
    #[error("source: after name: 1 to 64 visible ASCII characters without spaces")]
    BadName,
}

impl Source {
    /// Reads a source: an address as proxies write it (`203.0.113.7`, `203.0.113.7:51234`, `2001:db8::1`,
    /// `[2001:db8::1]`, `[2001:db8::1]:443`), or `name:` and a word. Spaces around it are ignored.
    pub fn parse(text: &str) -> Result<Self, NotASource> {
        let text = text.trim_matches(' ');
        if let Some(name) = text.strip_prefix(NAME) {
            let fits = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
            return if fits { Ok(Self::Name(name.to_ascii_lowercase())) } else { Err(NotASource::BadName) };
        }
        if text.contains('%') {
            return Err(NotASource::Zone);
        }
        let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
        let address = text
            .parse::<IpAddr>()
            .ok()
            .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
            .or_else(|| in_brackets().map(IpAddr::V6))
            .map(canonical)
            .ok_or(NotASource::Unreadable)?;
        if address.is_unspecified() || address.is_multicast() {
            return Err(NotASource::NoDevice);
        }
        Ok(Self::Address(address))
    }

    /// What the source is counted and remembered as. An IPv6 address stands for its /64, because a household has all
    /// of it. None: the source is never known.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Address(IpAddr::V4(address)) => Some(address.to_string()),
            Self::Address(IpAddr::V6(address)) => {
                let network = u128::from(*address) & !u128::from(u64::MAX);
                Some(format!("{}/64", Ipv6Addr::from(network)))
            }
            Self::Name(name) => Some(format!("{NAME}{name}")),
            Self::Device { mark, .. } => Some(format!("device:{}", hex(mark))),
            Self::Unstated | Self::Application => None,
        }
    }
}

/// As the audit log shows it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => write!(f, "{NAME}{name}"),
            Self::Device { address, .. } => write!(f, "{address} (known browser)"),
            Self::Unstated => f.write_str("an unstated source"),
            Self::Application => f.write_str("the application's address"),
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The IPv4 address inside a mapped address (`::ffff:0:0/96`) or a translated one (`64:ff9b::/96`, RFC 6052). Without
/// this, everybody behind a translator would be one source.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if v6.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]) {
        let [.., a, b, c, d] = v6.octets();
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    address.to_canonical()
}

/// Whether a source counts as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The account was let in from here within the last 30 days.
    Known,
    /// It was not.
    Unknown,
}

impl Standing {
    /// The standing of a source whose last noted success was at `seen_at`; none: it had no success. Both times are in
    /// seconds since 1970.
    pub fn of(seen_at: Option<i64>, now: i64) -> Self {
        match seen_at {
            Some(seen_at) if now.saturating_sub(seen_at) < KNOWN_SECONDS => Self::Known,
            Some(_) | None => Self::Unknown,
        }
    }
}

/// Whether a success at `now` must be noted, when the last noted one was at `seen_at`.
pub fn must_be_noted(seen_at: Option<i64>, now: i64) -> bool {
    seen_at.is_none_or(|seen_at| now.saturating_sub(seen_at) >= NOTED_SECONDS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn place(text: &str) -> Option<String> {
        Source::parse(text).unwrap().place()
    }

    #[test]
    fn addresses_as_proxies_write_them_are_the_address() {
        for text in [
            "203.0.113.7",
            " 203.0.113.7 ",
            "203.0.113.7:51234",
            "203.0.113.7:0",
            "::ffff:203.0.113.7",
            "::FFFF:203.0.113.7",
            "::ffff:cb00:7107",
            "[::ffff:203.0.113.7]",
            "[::ffff:203.0.113.7]:51234",
            "64:ff9b::203.0.113.7",
            "[64:ff9b::cb00:7107]:443",
        ] {
            assert_eq!(place(text).as_deref(), Some("203.0.113.7"), "{text}");
        }
        for text in ["2001:db8:1:2::1", "[2001:db8:1:2:3:4:5:6]", "[2001:DB8:1:2::9]:443"] {
            assert_eq!(place(text).as_deref(), Some("2001:db8:1:2::/64"), "{text}");
        }
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
    }

    #[test]
    fn what_looks_like_an_address_and_is_none_is_refused() {
        for text in [
            "",
            " ",
            "kiosk",
            "unknown",
            "_hidden",
            "203.0.113.256",
            "203.0.113",
            "203.0.113.07",
            "203.0.113.7:",
            "203.0.113.7:99999",
            "203.0.113.7:http",
            "203.0.113.7/32",
            "203.0.113.7, 198.51.100.9",
            "203.0.113.7,198.51.100.9",
            "[203.0.113.7]",
            "[203.0.113.7]:80",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]443",
            "[[2001:db8::1]]",
            "2001:db8:1:2:3:4:5:6:443",
            "2001:db8::g",
            "for=203.0.113.7",
            "\"[2001:db8::1]:443\"",
            "host.example.com",
            "3405803783",
            "0xcb.0.0x71.7",
            "203.0.113.7\n",
            "203.0.113.7\0",
            "２０３.0.113.7",
        ] {
            assert_eq!(Source::parse(text), Err(NotASource::Unreadable), "{text:?}");
        }
        for text in ["fe80::1%eth0", "[fe80::1%2]:443", "fe80::1%"] {
            assert_eq!(Source::parse(text), Err(NotASource::Zone), "{text:?}");
        }
        for text in ["0.0.0.0", "::", "[::]:80", "224.0.0.1", "ff02::1", "::ffff:0.0.0.0"] {
            assert_eq!(Source::parse(text), Err(NotASource::NoDevice), "{text:?}");
        }
    }

    #[test]
    fn other_words_are_sources_only_by_name() {
        assert_eq!(place("name:Kiosk-1").as_deref(), Some("name:kiosk-1"));
        assert_eq!(place("name:203.0.113.7").as_deref(), Some("name:203.0.113.7"), "and no address");
        for text in ["name:", "name: ", "name:two words", "name:ä", "name:a\nb"] {
            assert_eq!(Source::parse(text), Err(NotASource::BadName), "{text:?}");
        }
        assert!(Source::parse(&format!("name:{}", "x".repeat(64))).is_ok());
        assert_eq!(Source::parse(&format!("name:{}", "x".repeat(65))), Err(NotASource::BadName));
        assert_eq!(Source::Unstated.place(), None);
    }

    #[test]
    fn a_source_is_known_for_thirty_days_after_a_success() {
        let then = 1_800_000_000;
        assert_eq!(Standing::of(None, then), Standing::Unknown);
        for (days, standing) in
            [(0, Standing::Known), (29, Standing::Known), (30, Standing::Unknown), (300, Standing::Unknown)]
        {
            assert_eq!(Standing::of(Some(then), then + days * 86_400), standing, "{days}");
        }
        assert!(must_be_noted(None, then));
        assert!(!must_be_noted(Some(then), then + 86_399));
        assert!(must_be_noted(Some(then), then + 86_400));
    }
}
