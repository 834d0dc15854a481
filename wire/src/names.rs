//! The names that people sign in with: their forms, and how letters are compared. Pure.
//!
//! These names sign in: the userPrincipalName; the further name that phs's administrator chose, if it has the form
//! `user@domain`; `NETBIOS\sam` and `dns.domain\sam`; and `sam@dns.domain`, which AD accepts too. GUIDs, SIDs, DNs and
//! bare names do not sign in.
//!
//! Letters and blanks are compared as Samba's directory compares them; the whole table is tested beside Samba's. A
//! Windows domain controller also ignores accents and widths, by its documents. So the tenant may refuse a name that a
//! domain controller accepts.
//! Neighbours: the tenant derives an account's names by this, and looks names up.

use std::cmp::Ordering;

/// Limits of AD on userPrincipalName and sAMAccountName (rangeUpper, MS-ADA3), in UTF-16 units.
const MAX_UPN: usize = 1024;
const MAX_SAM: usize = 256;

/// Limit on the bytes of a name: the longest UPN in any script (a unit of UTF-16 takes at most three bytes of UTF-8), and
/// 256 for a domain before it.
pub const MAX_NAME: usize = 3 * MAX_UPN + 256;

/// The name, as a person typed it, in the form in which it is looked up. None: the name has no form that signs in.
///
/// Blanks (U+0020) at the ends of a name, and beside a backslash, do not count, and several in a row count as one, as in
/// the directory. Those beside an `@` count. The directory takes `sam @dns.domain` too, but only after it has looked for
/// such a userPrincipalName.
pub fn folded(name: &str) -> Option<String> {
    if name.len() > MAX_NAME || !is_clean(name) {
        return None;
    }
    if let Some((domain, sam)) = name.split_once('\\') {
        let (domain, sam) = (single_spaced(domain), single_spaced(sam));
        let fits = !domain.is_empty() && is_sam(&sam);
        return fits.then(|| fold_case(&format!("{domain}\\{sam}")));
    }
    of_upn(name)
}

/// The name that a userPrincipalName, or a further sign-in name, yields. Blanks count as in [`folded`]. None: it has no
/// form that signs in.
pub fn of_upn(upn: &str) -> Option<String> {
    let upn = single_spaced(upn);
    is_upn(&upn).then(|| fold_case(&upn))
}

/// The name `sam@dns.domain` that a sAMAccountName yields. None: it has no form that signs in.
pub fn of_sam_at(sam: &str, dns_name: &str) -> Option<String> {
    of_upn(&format!("{sam}@{dns_name}"))
}

/// The names that a sAMAccountName yields in a domain with these names: three, or none if it has no form that signs in.
pub fn of_sam(sam: &str, dns_name: &str, netbios_name: &str) -> Vec<String> {
    let sam = single_spaced(sam);
    if !is_sam(&sam) {
        return Vec::new();
    }
    let forms = [format!("{netbios_name}\\{sam}"), format!("{dns_name}\\{sam}"), format!("{sam}@{dns_name}")];
    forms.iter().map(|form| fold_case(form)).collect()
}

/// Whether the text can be the DNS name of a domain: labels of 1 to 63 ASCII letters, digits, `-` and `_`, joined by
/// dots, at most 253 bytes. AD takes `_` and a single label too, and advises against both. Not accepted are letters
/// beyond ASCII, which certificates and Kerberos have no common form for.
pub fn is_domain_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let sound = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(plain);
    text.len() <= 253 && text.split('.').all(sound)
}

/// The text with each letter in the form in which letters are compared: the small one, where the directory takes the
/// capital and the small letter as equal. The result for a letter never depends on its neighbours.
pub fn fold_case(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.chars().map(folded_letter).collect()
}

/// The text in capitals, letter by letter. Two texts have the same capitals if, and only if, [`fold_case`] gives the
/// same text for both.
pub fn capitals(name: &str) -> String {
    name.chars().map(capital).collect()
}

/// The small letters that the directory takes as equal to their capitals: 636 letters, those of the case table that
/// Windows NT had and that Samba compares by. Unicode has more pairs; AD tells these letters apart, so the tenant does
/// too: ı and I, ſ and S, µ and Μ, ß and ẞ, ǅ and ǆ, K (Kelvin) and k, Georgian, Cherokee, and all beyond U+FFFF.
const SMALL: [(char, char); 56] = [
    ('a', 'z'),
    ('\u{e0}', '\u{12f}'),
    ('\u{133}', '\u{137}'),
    ('\u{13a}', '\u{148}'),
    ('\u{14b}', '\u{17e}'),
    ('\u{183}', '\u{18c}'),
    ('\u{192}', '\u{192}'),
    ('\u{199}', '\u{199}'),
    ('\u{1a1}', '\u{1a8}'),
    ('\u{1ad}', '\u{1b9}'),
    ('\u{1bd}', '\u{1bd}'),
    ('\u{1c6}', '\u{1c6}'),
    ('\u{1c9}', '\u{1c9}'),
    ('\u{1cc}', '\u{1ef}'),
    ('\u{1f3}', '\u{1f5}'),
    ('\u{1fb}', '\u{217}'),
    ('\u{253}', '\u{254}'),
    ('\u{256}', '\u{257}'),
    ('\u{259}', '\u{259}'),
    ('\u{25b}', '\u{25b}'),
    ('\u{260}', '\u{260}'),
    ('\u{263}', '\u{263}'),
    ('\u{268}', '\u{269}'),
    ('\u{26f}', '\u{26f}'),
    ('\u{272}', '\u{272}'),
    ('\u{275}', '\u{275}'),
    ('\u{283}', '\u{283}'),
    ('\u{288}', '\u{288}'),
    ('\u{28a}', '\u{28b}'),
    ('\u{292}', '\u{292}'),
    ('\u{3ac}', '\u{3af}'),
    ('\u{3b1}', '\u{3ce}'),
    ('\u{3e3}', '\u{3ef}'),
    ('\u{430}', '\u{44f}'),
    ('\u{451}', '\u{45c}'),
    ('\u{45e}', '\u{481}'),
    ('\u{491}', '\u{4c4}'),
    ('\u{4c8}', '\u{4c8}'),
    ('\u{4cc}', '\u{4cc}'),
    ('\u{4d1}', '\u{4eb}'),
    ('\u{4ef}', '\u{4f5}'),
    ('\u{4f9}', '\u{4f9}'),
    ('\u{561}', '\u{586}'),
    ('\u{1e01}', '\u{1e95}'),
    ('\u{1ea1}', '\u{1ef9}'),
    ('\u{1f00}', '\u{1f15}'),
    ('\u{1f20}', '\u{1f45}'),
    ('\u{1f51}', '\u{1f57}'),
    ('\u{1f60}', '\u{1f7d}'),
    ('\u{1fb0}', '\u{1fb1}'),
    ('\u{1fd0}', '\u{1fd1}'),
    ('\u{1fe0}', '\u{1fe1}'),
    ('\u{1fe5}', '\u{1fe5}'),
    ('\u{2170}', '\u{217f}'),
    ('\u{24d0}', '\u{24e9}'),
    ('\u{ff41}', '\u{ff5a}'),
];

/// The capital of a letter of [`SMALL`] by Unicode, if it is one letter. Any other character itself.
fn capital(letter: char) -> char {
    let paired = |range: &(char, char)| {
        if letter < range.0 {
            Ordering::Greater
        } else if letter > range.1 {
            Ordering::Less
        } else {
            Ordering::Equal
        }
    };
    if SMALL.binary_search_by(paired).is_err() {
        return letter;
    }
    only(letter.to_uppercase()).unwrap_or(letter)
}

/// The small letter of the pair that the letter is in. Any other character itself. Σ, σ and ς are one letter.
fn folded_letter(letter: char) -> char {
    let capital_letter = capital(letter);
    match only(capital_letter.to_lowercase()) {
        Some(small) if capital(small) == capital_letter => small,
        Some(_) | None => capital_letter,
    }
}

/// The only character of these; none: there are more.
fn only(mut characters: impl Iterator<Item = char>) -> Option<char> {
    match (characters.next(), characters.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// The text without blanks at its ends, and with one blank where several are in a row.
fn single_spaced(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether the text has the form of a UPN. A backslash is refused, because such a UPN could equal another account's
/// `DOMAIN\sam`.
fn is_upn(upn: &str) -> bool {
    let parted = upn.rsplit_once('@').is_some_and(|(user, suffix)| !user.is_empty() && !suffix.is_empty());
    parted && is_within(upn, MAX_UPN) && is_clean(upn) && !upn.contains('\\')
}

fn is_sam(sam: &str) -> bool {
    !sam.is_empty() && is_within(sam, MAX_SAM) && is_clean(sam) && !sam.contains('\\')
}

/// Whether the text has at most this many UTF-16 units.
fn is_within(text: &str, units: usize) -> bool {
    // A unit takes one to three bytes of UTF-8, so most texts need not be counted.
    text.len() <= units || (text.len() <= 3 * units && text.encode_utf16().count() <= units)
}

fn is_clean(name: &str) -> bool {
    !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_one(names: &[&str]) -> bool {
        let folded: Vec<String> = names.iter().map(|name| fold_case(name)).collect();
        let capitals: Vec<String> = names.iter().map(|name| capitals(name)).collect();
        let one = |texts: &[String]| texts.windows(2).all(|two| two.first() == two.last());
        assert_eq!(one(&folded), one(&capitals), "{names:?}");
        one(&folded)
    }

    #[test]
    fn letters_are_one_where_the_directory_says_so_and_nowhere_else() {
        for same in [
            ["zoë", "ZOË", "Zoë"],
            ["γιώργος", "ΓΙΏΡΓΟΣ", "γιώργοσ"],
            ["жанна", "ЖАННА", "Жанна"],
            ["ÿ", "Ÿ", "Ÿ"],
            ["ա", "Ա", "ա"],
            ["ⅳ", "Ⅳ", "ⅳ"],
            ["ａ", "Ａ", "ａ"],
        ] {
            assert!(are_one(&same), "{same:?}");
        }
        // The ends of each pair are letters that Unicode joins in some way.
        for other in [
            ["ı", "I"],
            ["İ", "i"],
            ["ſ", "s"],
            ["µ", "μ"],
            ["ß", "ẞ"],
            ["ß", "ss"],
            ["\u{212a}", "k"],
            ["\u{212b}", "å"],
            ["\u{2126}", "ω"],
            ["ǅ", "ǆ"],
            ["ϐ", "β"],
            ["ϑ", "θ"],
            ["ა", "Ა"],
            ["ꭰ", "Ꭰ"],
            ["ⴀ", "Ⴀ"],
            ["ⰰ", "Ⰰ"],
            ["\u{10428}", "\u{10400}"],
            ["ﬁ", "FI"],
            ["é", "e"],
            ["é", "e\u{301}"],
            ["ａ", "a"],
            ["\u{345}", "ι"],
            ["ᾳ", "ᾼ"],
        ] {
            assert!(!are_one(&other), "{other:?}");
        }
    }

    #[test]
    fn the_table_has_636_small_letters_in_order_and_each_has_one_capital() {
        assert!(SMALL.windows(2).all(|two| matches!(two, [(_, end), (begin, _)] if end < begin)));
        let small = |letter: &char| capital(*letter) != *letter;
        assert_eq!(('\0'..=char::MAX).filter(small).count(), 636);
        for letter in ('\0'..=char::MAX).filter(small) {
            let one = capital(letter);
            assert_eq!((capital(one), folded_letter(one)), (one, folded_letter(letter)), "{letter}");
            assert!(folded_letter(letter) == letter || letter == 'ς', "{letter}");
        }
    }

    #[test]
    fn a_name_is_folded_once() {
        for name in
            ["CORP\\Zoë", " CORP \\  anna   maria ", "Alice@Corp.Example.Com", "alice@corp.example.com  "]
        {
            let once = folded(name).unwrap_or_default();
            assert_eq!(folded(&once).as_deref(), Some(once.as_str()), "{name}");
        }
    }

    #[test]
    fn blanks_count_as_the_directory_counts_them() {
        for (typed, looked_up) in [
            ("CORP\\alice ", Some("corp\\alice")),
            (" CORP\\ alice", Some("corp\\alice")),
            ("CORP \\anna  maria", Some("corp\\anna maria")),
            ("alice@corp.example.com ", Some("alice@corp.example.com")),
            ("  alice@corp.example.com  ", Some("alice@corp.example.com")),
            ("anna maria@corp.example.com", Some("anna maria@corp.example.com")),
            (" anna   maria@corp.example.com ", Some("anna maria@corp.example.com")),
            // Other names, which an account may have.
            ("alice@ corp.example.com", Some("alice@ corp.example.com")),
            ("alice  @corp.example.com", Some("alice @corp.example.com")),
            ("alice@corp.example.com\u{a0}", Some("alice@corp.example.com\u{a0}")),
            ("annamaria@corp.example.com", Some("annamaria@corp.example.com")),
            ("alice@corp.example.com\t", None),
            ("\talice@corp.example.com", None),
            ("alice@ ", None),
            ("CORP\\ ", None),
            (" \\alice", None),
            ("alice", None),
            (" ", None),
        ] {
            assert_eq!(folded(typed).as_deref(), looked_up, "{typed:?}");
        }
        assert_eq!(of_upn(" Alice@corp.example.com  ").as_deref(), Some("alice@corp.example.com"));
        let names = of_sam(" anna  maria ", "corp.example.com", "CORP");
        assert_eq!(
            names,
            ["corp\\anna maria", "corp.example.com\\anna maria", "anna maria@corp.example.com"]
        );
        assert!(of_sam("  ", "corp.example.com", "CORP").is_empty());
    }
}
