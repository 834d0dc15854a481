//! The spelling of a name: letters and blanks are compared as the directory compares them.

use crate::stage::{Road, own_domain};
use landbridge_tests::lab::population::DOMAIN as NAME;
use landbridge_tests::lab::{Try, person};
use landbridge_wire::names::{capitals, fold_case};
use serde_json::json;
use std::collections::HashMap;
use std::process::Command;

/// Prints each character beyond ASCII for which Samba's directory compares another one, and that one. An RDN in the
/// form in which it is compared shows it.
const SAMBAS_TABLE: &str = "
import ldb
from samba import Ldb
samba = Ldb()
for code in list(range(0x80, 0xd800)) + list(range(0xe000, 0x110000)):
    dn = ldb.Dn(samba, 'CN=a')
    dn.set_component(0, 'CN', 'x' + chr(code) + 'x')
    compared = dn.get_casefold().removeprefix('CN=X').removesuffix('X')
    if compared != chr(code):
        print(code, *map(ord, compared))
";

#[test]
fn over_all_of_unicode_the_same_letters_are_one_as_in_sambas_directory() {
    let output = Command::new("/usr/bin/python3").args(["-c", SAMBAS_TABLE]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let character = |code: &str| char::from_u32(code.parse().unwrap()).unwrap();
    let mut table: HashMap<char, String> = HashMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (letter, compared) = line.split_once(' ').unwrap();
        table.insert(character(letter), compared.split(' ').map(character).collect());
    }
    assert_eq!(table.len(), 610);
    table.extend(('a'..='z').map(|letter| (letter, letter.to_ascii_uppercase().to_string())));
    for letter in '\0'..=char::MAX {
        let text = letter.to_string();
        assert_eq!(
            &capitals(&text),
            table.get(&letter).unwrap_or(&text),
            "{letter:?} {:x}",
            u32::from(letter)
        );
        // What is looked up says the same: it is one text for the letters of a capital, and no other letter's.
        assert_eq!(fold_case(&capitals(&text)), fold_case(&text), "{letter:?}");
        assert_eq!(capitals(&fold_case(&text)), capitals(&text), "{letter:?}");
    }
}

#[test]
fn a_name_is_accepted_in_the_spellings_that_the_domain_controller_accepts_and_in_no_other() {
    // 1. People whose names have every odd letter.
    let road = Road::new(own_domain(30), "entra");
    let spelled: [(&str, &[&str]); 20] = [
        ("γιώργος", &["ΓΙΏΡΓΟΣ", "γιώργοσ", "Γιώργος", "γιωργος", "ΓΙΩΡΓΟΣ"]),
        ("straße", &["STRAßE", "STRAẞE", "strasse", "STRASSE"]),
        ("ılgın", &["ILGIN", "ilgin", "ıLGıN"]),
        ("İpek", &["İPEK", "ipek", "IPEK", "i\u{307}pek"]),
        ("\u{212a}arl", &["\u{212a}ARL", "karl", "KARL"]),
        ("\u{212b}sa", &["\u{212b}SA", "åsa", "ÅSA"]),
        ("ſam", &["ſAM", "sam", "SAM"]),
        ("µ.meter", &["µ.METER", "Μ.meter", "μ.meter"]),
        ("ǆenan", &["ǅenan", "Ǆenan", "dženan"]),
        ("ꭰꮳ", &["ꭰꮳ", "ᎠᏣ"]),
        ("გიორგი", &["გიორგი", "ᲒᲘᲝᲠᲒᲘ"]),
        ("ﬁona", &["ﬁONA", "fiona", "FIONA"]),
        ("\u{10428}x", &["\u{10428}X", "\u{10400}x"]),
        ("ren\u{e9}e", &["REN\u{c9}E", "rene\u{301}e", "renee"]),
        ("ren\u{65}\u{301}", &["REN\u{45}\u{301}", "ren\u{e9}"]),
        ("ａｌａ", &["ＡＬＡ", "ala", "ALA"]),
        ("ÿ.œuvre", &["Ÿ.ŒUVRE", "y.oeuvre"]),
        ("жанна.ё", &["ЖАННА.Ё", "жанна.е"]),
        ("ⅳ.ⓐ.ა", &["Ⅳ.Ⓐ.ა", "iv.a.ა"]),
        ("ȁ.ș.ț", &["Ȁ.ș.ț", "Ȁ.Ș.Ț"]),
    ];
    let mut tries = Vec::new();
    for (number, (name, others)) in (0..).zip(&spelled) {
        let who = person(number);
        let upn = format!("{name}@{NAME}");
        road.domain.set_attributes(&who.sam, json!({"userPrincipalName": upn})).unwrap();
        let all = [&[*name], *others].concat();
        tries.extend(all.iter().map(|name| (format!("{name}@{NAME}"), who.password.clone())));
    }
    // 2. Blanks as telephones and tables of personnel have them, round a name and stored in it.
    let (plain, other, stored, spaced) = (person(21), person(22), person(24), person(25));
    let (long, short) = (person(26), person(27));
    let odd = json!({"userPrincipalName": "other.22@mail.example"});
    road.domain.set_attributes(&other.sam, odd).unwrap();
    let odd = json!({"userPrincipalName": format!("stored.24@{NAME} ")});
    road.domain.set_attributes(&stored.sam, odd).unwrap();
    road.domain.set_attributes(&spaced.sam, json!({"sAMAccountName": "anna  maria"})).unwrap();
    let odd = json!({"userPrincipalName": format!("jan  peter@{NAME}")});
    road.domain.set_attributes(&long.sam, odd).unwrap();
    let odd = json!({"userPrincipalName": "jan peter @mail.example"});
    road.domain.set_attributes(&short.sam, odd).unwrap();
    let sam = &plain.sam;
    for name in [
        format!("{sam}@{NAME} "),
        format!("{sam}@{NAME}   "),
        format!("{sam}@ {NAME}"),
        format!(" {sam}@{NAME}"),
        format!("   {sam}@{NAME}"),
        format!(" {sam}@{NAME} "),
        format!(" {sam}@ {NAME} "),
        format!("{sam} @{NAME}"),
        format!(" {sam} @{NAME}"),
        format!("{sam}@{NAME}\u{a0}"),
        format!("{sam}@{NAME}\t"),
        format!("{sam}@{NAME}."),
        format!("CORP\\{sam} "),
        format!("CORP\\ {sam}"),
        format!(" CORP\\{sam}"),
        format!("corp \\ {sam}  "),
        format!("CORP\\{sam}\u{a0}"),
        format!("CORP\\\t{sam}"),
        sam.clone(),
    ] {
        tries.push((name, plain.password.clone()));
    }
    for name in [
        "other.22@mail.example",
        "other.22@mail.example ",
        " other.22@mail.example",
        "  other.22@mail.example  ",
        "other.22 @mail.example",
        "other.22@ mail.example",
    ] {
        tries.push((name.to_owned(), other.password.clone()));
    }
    for name in [format!("stored.24@{NAME}"), format!("stored.24@{NAME} "), format!("{}@{NAME} ", stored.sam)]
    {
        tries.push((name, stored.password.clone()));
    }
    for name in ["CORP\\anna  maria", "CORP\\anna maria", "CORP\\ANNA MARIA ", "CORP\\annamaria"] {
        tries.push((name.to_owned(), spaced.password.clone()));
    }
    for user in ["anna  maria", "anna maria", "anna   maria", " anna maria", "anna maria "] {
        for domain in [NAME.to_owned(), format!("{NAME} ")] {
            tries.push((format!("{user}@{domain}"), spaced.password.clone()));
        }
    }
    for user in ["jan  peter", "jan peter", "jan   peter", " jan peter", "jan peter ", "janpeter"] {
        for domain in [NAME.to_owned(), format!("{NAME} ")] {
            tries.push((format!("{user}@{domain}"), long.password.clone()));
        }
        for domain in ["mail.example", "mail.example "] {
            tries.push((format!("{user}@{domain}"), short.password.clone()));
        }
    }
    road.once();
    // 3. Every spelling at both.
    let asked: Vec<Try> =
        (0..).zip(&tries).map(|(n, (name, password))| Try::from(n, name, password)).collect();
    let answers = road.app.sign_all_in(&asked, 16).unwrap();
    let (mut accepted, mut wrong) = (0, Vec::new());
    for ((name, password), answer) in tries.iter().zip(&answers) {
        let at_controller = road.domain.bare_bind(name, password).unwrap().is_none();
        // A blank beside the `@` may be refused.
        let fewer = at_controller && (name.contains(" @") || name.contains("@ "));
        if answer.accepted() != at_controller && !fewer {
            wrong.push(format!("{name:?}: the tenant {}", if at_controller { "refuses" } else { "accepts" }));
        }
        accepted += u32::from(at_controller);
    }
    assert!(wrong.is_empty(), "unlike the domain controller: {wrong:#?}");
    assert!(accepted > 45, "{accepted} of {}", tries.len());
}
