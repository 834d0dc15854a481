//! Distinguished names as people type them: RFC 4514, and the older spellings that AD accepts as well (RFC 2253 and RFC
//! 1779: `;`, blanks, quotes, `OID.`). A name has many spellings, so names are compared by what they say. Pure.
//! Neighbours: phs reads the names of its scope with it, and carries the text to a DC as it was typed.

use std::fmt::{self, Write as _};

/// Limit on the bytes of a name that is typed. AD's own limit on a whole name is about 4,000 characters.
const MAX_TEXT: usize = 16 * 1024;
/// Limit on the parts of a name.
const MAX_PARTS: usize = 256;

/// Limit on the bytes of a type that is taken from a name. AD's have at most six.
const MAX_TYPE: usize = 64;

/// Attribute types that a name of AD is made of, each with its OID (RFC 4519, RFC 4524).
const TYPES: [(&str, &str); 9] = [
    ("CN", "2.5.4.3"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
];

/// A distinguished name. `Display` writes it in the one spelling that every DC reads: RFC 4514 without blanks, with
/// types in capitals and values as they were typed. Two names are equal if they say the same, in whatever spelling and
/// case. Letters are compared by Unicode's simple lower case; a DC may take more letters for equal.
#[derive(Debug, Clone)]
pub struct DistinguishedName {
    /// From the object up to the root. Each has one pair of type and value, or several.
    parts: Vec<Vec<Pair>>,
}

/// A type and its value.
#[derive(Debug, Clone)]
struct Pair {
    /// A key of [`TYPES`], or any other type as it was typed.
    kind: String,
    value: String,
}

/// Why a text is no distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at character {at}")]
pub struct NoName {
    /// The place in the text, from 1.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl DistinguishedName {
    /// Reads a name in any of its legal spellings.
    pub fn parse(text: &str) -> Result<Self, NoName> {
        if text.len() > MAX_TEXT {
            return Err(NoName { at: 1, what: "the name is too long" });
        }
        let mut typed = Typed { chars: text.chars().collect(), at: 0 };
        let mut parts = vec![vec![typed.pair()?]];
        let mut pairs = 1;
        while let Some(separator) = typed.next() {
            let pair = typed.pair()?;
            match parts.last_mut() {
                Some(last) if separator == '+' => last.push(pair),
                Some(_) | None => parts.push(vec![pair]),
            }
            pairs += 1;
            if pairs > MAX_PARTS {
                return Err(typed.wrong("the name has too many parts"));
            }
        }
        let name = Self { parts };
        // What is written of a name that was read can be read.
        if name.to_string().len() > MAX_TEXT { Err(typed.wrong("the name is too long")) } else { Ok(name) }
    }

    /// The name of the head of the domain with this DNS name.
    pub fn of_domain(dns_name: &str) -> Self {
        let part = |label: &str| vec![Pair { kind: "DC".to_owned(), value: label.to_owned() }];
        Self { parts: dns_name.split('.').map(part).collect() }
    }

    /// The part that an object has in front of the name of its container, as `Display` writes it.
    pub fn part(kind: &str, value: &str) -> String {
        Pair { kind: kind.to_owned(), value: value.to_owned() }.to_string()
    }

    /// The type of the first part of a name, as it is written there. None: the text begins with no type.
    pub fn first_type(name: &str) -> Option<&str> {
        let (kind, _) = name.split_once('=')?;
        let is_type = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        ((1..=MAX_TYPE).contains(&kind.len()) && kind.bytes().all(is_type)).then_some(kind)
    }

    /// This name with one part below it.
    #[must_use]
    pub fn child(&self, kind: &str, value: &str) -> Self {
        let part = vec![Pair { kind: kind_of(kind).unwrap_or_default(), value: value.to_owned() }];
        Self { parts: [part].into_iter().chain(self.parts.iter().cloned()).collect() }
    }

    /// The name without its first part; none: it has one part.
    pub fn parent(&self) -> Option<Self> {
        let rest = self.parts.get(1..).filter(|rest| !rest.is_empty())?;
        Some(Self { parts: rest.to_vec() })
    }

    /// Type and value of the first part; none: it has several pairs. The type is in capitals if it is one that AD uses.
    pub fn first(&self) -> Option<(&str, &str)> {
        match self.parts.first()?.as_slice() {
            [pair] => Some((&pair.kind, &pair.value)),
            _ => None,
        }
    }

    /// The parts in the form in which they are compared, from the object up to the root.
    pub fn part_keys(&self) -> Vec<String> {
        self.folded()
    }

    /// Whether this is `other`, or inside it.
    pub fn is_within(&self, other: &Self) -> bool {
        let above = self.parts.len().checked_sub(other.parts.len()).and_then(|own| self.parts.get(own..));
        above.is_some_and(|above| above.iter().map(folded).eq(other.parts.iter().map(folded)))
    }

    /// A text that is the same for every spelling of a name, and another one for every other name.
    pub fn key(&self) -> String {
        self.folded().join(",")
    }

    /// Each part in lower case and in one spelling.
    fn folded(&self) -> Vec<String> {
        self.parts.iter().map(folded).collect()
    }
}

/// A part in lower case and in one spelling.
fn folded(part: &Vec<Pair>) -> String {
    if let [pair] = part.as_slice() {
        return fold_case(&pair.to_string());
    }
    let mut pairs: Vec<String> = part.iter().map(|pair| fold_case(&pair.to_string())).collect();
    pairs.sort_unstable();
    pairs.join("+")
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for DistinguishedName {}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            for (further, pair) in part.iter().enumerate() {
                let before = if further > 0 {
                    "+"
                } else if at > 0 {
                    ","
                } else {
                    ""
                };
                write!(f, "{before}{pair}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        f.write_str("=")?;
        let needs_escapes = |c: char| {
            matches!(c, '\0'..=' ' | '\u{7f}' | ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' | '#')
        };
        // Most values need no escapes.
        if !self.value.contains(needs_escapes) {
            return f.write_str(&self.value);
        }
        let last = self.value.chars().count().saturating_sub(1);
        for (at, c) in self.value.chars().enumerate() {
            match c {
                ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' | '#' => write!(f, "\\{c}")?,
                ' ' if at == 0 || at == last => f.write_str("\\ ")?,
                // All of them are one byte in UTF-8.
                '\0'..' ' | '\u{7f}' => write!(f, "\\{:02X}", u32::from(c))?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// In simple lower case, letter by letter.
fn fold_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The text, and how far it was read.
struct Typed {
    chars: Vec<char>,
    at: usize,
}

impl Typed {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    /// An error at the character that was read last.
    fn wrong(&self, what: &'static str) -> NoName {
        NoName { at: self.at.max(1), what }
    }

    /// `type=value`, up to the separator after it or the end.
    fn pair(&mut self) -> Result<Pair, NoName> {
        // 1. The type.
        self.skip_blanks();
        let mut kind = String::new();
        loop {
            match self.next() {
                Some('=') => break,
                Some(c) if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') => kind.push(c),
                Some(c) if is_blank(c) => {
                    self.skip_blanks();
                    if self.peek() != Some('=') {
                        return Err(self.wrong("no `=` after the type"));
                    }
                }
                Some(_) => return Err(self.wrong("a character that no type has, or no `=` before it")),
                None if kind.is_empty() => return Err(self.wrong("a part is missing")),
                None => return Err(self.wrong("no `=`")),
            }
        }
        let kind = kind_of(&kind).ok_or(self.wrong("no type before the `=`"))?;
        // 2. The value.
        self.skip_blanks();
        let value = match self.peek() {
            Some('#') => self.hexadecimal()?,
            Some('"') => self.quoted()?,
            Some(_) | None => self.plain()?,
        };
        if value.is_empty() {
            return Err(self.wrong("no value after the `=`"));
        }
        // 3. The separator is read by the caller.
        self.skip_blanks();
        match self.peek() {
            None | Some(',' | ';' | '+') => Ok(Pair { kind, value }),
            Some(_) => {
                self.at += 1;
                Err(self.wrong("something between the value and the next part"))
            }
        }
    }

    /// A value with escapes; blanks at its end do not belong to it unless they are escaped.
    fn plain(&mut self) -> Result<String, NoName> {
        let mut bytes = Vec::new();
        let mut end = 0;
        while let Some(c) = self.peek().filter(|c| !matches!(c, ',' | ';' | '+')) {
            self.at += 1;
            match c {
                '\\' => {
                    self.escape(&mut bytes)?;
                    end = bytes.len();
                }
                '"' => return Err(self.wrong("a quotation mark inside a value: write \\\" for it")),
                c => {
                    bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                    if !is_blank(c) {
                        end = bytes.len();
                    }
                }
            }
        }
        bytes.truncate(end);
        self.text(bytes)
    }

    /// A value between quotation marks (RFC 1779).
    fn quoted(&mut self) -> Result<String, NoName> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.next() {
                Some('"') => return self.text(bytes),
                Some('\\') => self.escape(&mut bytes)?,
                Some(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
                None => return Err(self.wrong("no quotation mark at the end of the value")),
            }
        }
    }

    /// What follows a backslash: a special character, or two hexadecimal digits for a byte.
    fn escape(&mut self, into: &mut Vec<u8>) -> Result<(), NoName> {
        match self.next() {
            Some(c @ (',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' | '#' | ' ')) => {
                into.extend(c.encode_utf8(&mut [0; 4]).bytes());
                Ok(())
            }
            Some(c) if c.is_ascii_hexdigit() => {
                self.at -= 1;
                let byte =
                    self.byte().ok_or(self.wrong("one hexadecimal digit after a backslash: write two"))?;
                into.push(byte);
                Ok(())
            }
            Some(_) => Err(self.wrong("a backslash before a character that needs none")),
            None => Err(self.wrong("nothing after the backslash")),
        }
    }

    /// `#` and the BER of the value, in hexadecimal digits: a text type of ASN.1, or an octet string.
    fn hexadecimal(&mut self) -> Result<String, NoName> {
        self.at += 1;
        let mut bytes = Vec::new();
        while self.peek().is_some_and(|c| c.is_ascii_hexdigit()) {
            bytes.push(self.byte().ok_or(self.wrong("an odd number of hexadecimal digits after #"))?);
        }
        let what = self.wrong("what follows # is not the BER of a text");
        let (tag, content) = content_of(&bytes).ok_or(what.clone())?;
        match tag {
            // OCTET STRING, UTF8String, PrintableString, IA5String
            0x04 | 0x0c | 0x13 | 0x16 => self.text(content.to_vec()),
            // BMPString
            0x1e => {
                let (units, rest) = content.as_chunks::<2>();
                let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
                let text = char::decode_utf16(units).collect::<Result<String, _>>();
                text.ok().filter(|_| rest.is_empty()).ok_or(what)
            }
            _ => Err(what),
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (high, low) = (self.next()?.to_digit(16)?, self.next()?.to_digit(16)?);
        u8::try_from(high * 16 + low).ok()
    }

    fn text(&self, bytes: Vec<u8>) -> Result<String, NoName> {
        String::from_utf8(bytes).map_err(|_| self.wrong("the bytes of the value are no UTF-8"))
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The type in its one spelling: a key of [`TYPES`] for such a name or its OID. None: it is no type.
fn kind_of(typed: &str) -> Option<String> {
    let oid = match typed.get(..4) {
        Some(head) if head.eq_ignore_ascii_case("oid.") => typed.get(4..).unwrap_or_default(),
        Some(_) | None => typed,
    };
    let known = TYPES.iter().find(|(name, known)| name.eq_ignore_ascii_case(typed) || *known == oid);
    if let Some((name, _)) = known {
        return Some((*name).to_owned());
    }
    let number = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_digit());
    let is_oid = oid.contains('.') && oid.split('.').all(number);
    let is_word = typed.starts_with(|c: char| c.is_ascii_alphabetic()) && !typed.contains('.');
    if is_oid {
        return Some(oid.to_owned());
    }
    is_word.then(|| typed.to_owned())
}

/// The tag of a BER value and its content; none: it is not one whole value of a definite length.
fn content_of(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, content) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => rest.split_first().map(|(one, rest)| (usize::from(*one), rest))?,
        0x82 => {
            rest.split_first_chunk::<2>().map(|(two, rest)| (usize::from(u16::from_be_bytes(*two)), rest))?
        }
        _ => return None,
    };
    (content.len() == length).then_some((*tag, content))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> DistinguishedName {
        DistinguishedName::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn every_legal_spelling_says_the_same_name() {
        let plain = name("OU=Odd,DC=hunt,DC=example,DC=org");
        for spelling in [
            "OU=Odd, DC=hunt, DC=example, DC=org",
            " ou = Odd ;DC=hunt;\n dc=EXAMPLE , DC=org ",
            "OU=\"Odd\",DC=hunt,DC=example,DC=org",
            "OU=O\\64d,DC=hunt,DC=example,DC=org",
            "OID.2.5.4.11=odd,oid.0.9.2342.19200300.100.1.25=hunt,DC=example,DC=org",
            "2.5.4.11=ODD,DC=hunt,DC=example,DC=org",
            "OU=#04034f6464,DC=hunt,DC=example,DC=org",
            "ou=#0C034F6464,dc=#1604 68756E74,DC=example,DC=org".replace(' ', "").as_str(),
            "OU=#1E06004F00640064,DC=hunt,DC=example,DC=org",
        ] {
            assert_eq!(name(spelling), plain, "{spelling}");
            assert_eq!(name(spelling).key(), plain.key(), "{spelling}");
        }
        assert_eq!(
            name(" ou = Odd ;DC=hunt").to_string(),
            "OU=Odd,DC=hunt",
            "in the case in which it was typed"
        );
    }

    #[test]
    fn special_characters_are_the_same_escaped_quoted_and_in_hexadecimal() {
        for (spellings, shown) in [
            (
                &["OU=Sales\\, West,DC=b", "OU=Sales\\2C West,DC=b", "OU=\"Sales, West\",DC=b"][..],
                "OU=Sales\\, West,DC=b",
            ),
            (&["CN=a\\+b,DC=c", "CN=\"a+b\",DC=c", "CN=a\\2bb,DC=c"], "CN=a\\+b,DC=c"),
            (&["CN=\\ a\\ ,DC=c", "CN=\" a \",DC=c", "CN=\\20a\\20 ,DC=c"], "CN=\\ a\\ ,DC=c"),
            (&["CN=\\#1,DC=c", "CN=\"#1\",DC=c"], "CN=\\#1,DC=c"),
            (&["CN=a=b,DC=c", "CN=a\\=b,DC=c"], "CN=a\\=b,DC=c"),
            (&["CN=x\\\\y,DC=c", "CN=\"x\\\\y\",DC=c", "CN=x\\5Cy,DC=c"], "CN=x\\\\y,DC=c"),
            (&["CN=\\\"q\\\",DC=c", "CN=\"\\\"q\\\"\",DC=c"], "CN=\\\"q\\\",DC=c"),
            (&["CN=Zo\\C3\\AB,DC=c", "CN=Zoë,DC=c"], "CN=Zoë,DC=c"),
            (&["CN=a\\0ADEL:1,DC=c"], "CN=a\\0ADEL:1,DC=c"),
            (&["CN=a<b>c,DC=c", "CN=a\\<b\\>c,DC=c"], "CN=a\\<b\\>c,DC=c"),
        ] {
            for spelling in spellings {
                assert_eq!(name(spelling).to_string(), shown, "{spelling}");
            }
            assert_eq!(name(shown).to_string(), shown, "it reads back");
        }
    }

    #[test]
    fn the_first_part_of_a_name_is_made_of_its_type_and_its_value_and_reads_back() {
        for (typed, kind, value) in [
            ("OU=Sales\\, West,DC=b", "OU", "Sales, West"),
            ("CN=a\\0ACNF:1,DC=c", "CN", "a\nCNF:1"),
            ("cn=Zoë,DC=c", "cn", "Zoë"),
            ("CN=\\ a\\ ,DC=c", "CN", " a "),
        ] {
            assert_eq!(DistinguishedName::first_type(typed), Some(kind));
            let part = DistinguishedName::part(kind, value);
            let rest = typed.rsplit_once(',').unwrap().1;
            assert_eq!(name(&format!("{part},{rest}")), name(typed), "{part}");
        }
        for none in ["", "Sales", "=a", "O U=a", &format!("{}=a", "x".repeat(65))] {
            assert_eq!(DistinguishedName::first_type(none), None, "{none}");
        }
    }

    #[test]
    fn other_names_are_other_names() {
        let one = name("OU=a,OU=b,DC=c");
        for other in [
            "OU=b,OU=a,DC=c",
            "OU=a,DC=c",
            "CN=a,OU=b,DC=c",
            "OU=a b,DC=c",
            "OU=a\\,OU\\=b,DC=c",
            "OU=a+OU=b,DC=c",
        ] {
            assert_ne!(name(other), one, "{other}");
            assert_ne!(name(other).key(), one.key(), "{other}");
        }
        assert_eq!(name("CN=a+UID=b,DC=c"), name("uid=B + cn=A,DC=c"), "the order in a part is free");
        assert_ne!(name("OU=a  b,DC=c"), name("OU=a b,DC=c"), "blanks inside a value count");
    }

    #[test]
    fn a_name_is_within_itself_and_what_is_above_it_and_nothing_else() {
        let domain = DistinguishedName::of_domain("corp.example.com");
        assert_eq!(domain, name("DC=corp,DC=example,DC=com"));
        let inside = name("OU=a, DC=CORP, DC=example, DC=com");
        assert!(inside.is_within(&domain) && domain.is_within(&domain) && !domain.is_within(&inside));
        assert!(!name("OU=a,DC=example,DC=com").is_within(&domain));
        assert!(!name("OU=a,DC=xcorp,DC=example,DC=com").is_within(&domain));
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_place_and_the_reason() {
        for (text, at, says) in [
            ("", 1, "missing"),
            ("Staff", 5, "no `=`"),
            ("OU=Staff,", 9, "missing"),
            ("OU=Staff,,DC=b", 10, "no type has"),
            ("OU Staff=1", 3, "after the type"),
            ("=a,DC=b", 1, "no type before"),
            ("OU=,DC=b", 3, "no value"),
            ("OU=a\\", 5, "nothing after the backslash"),
            ("OU=a\\xb,DC=c", 6, "needs none"),
            ("OU=a\\4,DC=c", 7, "write two"),
            ("OU=\"a,DC=c", 10, "quotation mark at the end"),
            ("OU=\"a\"b,DC=c", 7, "between"),
            ("OU=a\"b,DC=c", 5, "quotation mark inside"),
            ("OU=#04,DC=c", 6, "BER"),
            ("OU=#0402414,DC=c", 12, "odd number"),
            ("OU=#0201FF,DC=c", 10, "BER"),
            ("OU=\\FF,DC=c", 6, "UTF-8"),
            ("O!U=a,DC=c", 2, "no type has"),
        ] {
            let refused = DistinguishedName::parse(text).unwrap_err();
            assert!(refused.what.contains(says), "{text}: {refused}");
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
        assert!(DistinguishedName::parse(&"OU=a,".repeat(4_000)).is_err());
        assert!(DistinguishedName::parse(&format!("{}DC=c", "OU=a,".repeat(300))).is_err());
        assert!(DistinguishedName::parse(&format!("OU={},DC=c", "x".repeat(20_000))).is_err());
    }
}
