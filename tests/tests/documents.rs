//! The documents: lines that fit a screen, links, files and types that exist, and one reference row for every
//! command, flag and configuration key. The programs themselves are the source of these three lists: `--help` has the
//! commands and flags, and the error about an unknown key has the known ones. Needs the built programs and no lab.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use landbridge_tests::lab::program::built;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pages at the root of the repository. All pages below [`FOLDER`] come with them.
const ROOT_PAGES: &[&str] =
    &["README.md", "CONTRIBUTING.md", "GLOSSARY.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md"];

/// The folder of all other pages.
const FOLDER: &str = "docs";

/// The longest line, in characters: two pages side by side on one screen.
const WIDTH: usize = 120;

/// The map is read in one sitting.
const MAP: &str = "ARCHITECTURE.md";
const MAP_LINES: usize = 220;

/// Each program, and a command of it that reads the configuration before it does anything.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("landbridge-tenant", &["agents", "list"]),
    ("landbridge-phs", &["status"]),
    ("landbridge-pta-agent", &["status"]),
];

/// A key that no configuration has.
const NO_SUCH_KEY: &str = "no_such_key";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// One page: its path from the root, and its text.
struct Page {
    path: PathBuf,
    text: String,
}

fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = ROOT_PAGES.iter().map(PathBuf::from).collect();
    markdown_below(Path::new(FOLDER), &mut paths);
    let page = |path: PathBuf| {
        let text = std::fs::read_to_string(root().join(&path));
        Page { text: text.unwrap_or_else(|why| panic!("{}: {why}", path.display())), path }
    };
    paths.into_iter().map(page).collect()
}

fn markdown_below(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|e| folder.join(e.unwrap().file_name()))
        .collect();
    entries.sort();
    for path in entries {
        if root().join(&path).is_dir() {
            markdown_below(&path, into);
        } else if path.extension().is_some_and(|e| e == "md") {
            into.push(path);
        }
    }
}

/// The lines of a page with their numbers, without fenced code and without code that is indented.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence && !line.starts_with("    ")).then_some((at + 1, line))
    })
}

/// What is between backticks in a line.
fn code_spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

fn without_code_spans(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

#[test]
fn every_line_fits_into_120_columns() {
    let mut wide = Vec::new();
    for page in pages() {
        for (at, line) in page.text.lines().enumerate() {
            let (length, bare_url) = (line.chars().count(), line.trim().starts_with("https://"));
            if length > WIDTH && !bare_url {
                wide.push(format!("{}:{}: {length} columns", page.path.display(), at + 1));
            }
        }
    }
    assert!(wide.is_empty(), "longer than {WIDTH}: {wide:#?}");
}

#[test]
fn the_map_can_be_read_in_one_sitting() {
    let lines = std::fs::read_to_string(root().join(MAP)).unwrap().lines().count();
    assert!(lines <= MAP_LINES, "{MAP} has {lines} lines, at most {MAP_LINES}");
}

/// The anchors of a page, as forges make them from its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (line.starts_with('#') && title.starts_with(' ')).then(|| title.trim())
    });
    headings
        .map(|title| {
            let kept = |c: char| match c {
                ' ' => Some('-'),
                _ if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c.to_ascii_lowercase()),
                _ => None,
            };
            let anchor: String = title.chars().filter_map(kept).collect();
            let times = seen.entry(anchor.clone()).or_default();
            *times += 1;
            if *times == 1 { anchor } else { format!("{anchor}-{}", *times - 1) }
        })
        .collect()
}

/// The targets of the links of a page, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let of_line = |(at, line): (usize, &str)| {
        let bare = without_code_spans(line);
        let targets = bare.split("](").skip(1).filter_map(|rest| rest.split(')').next().map(str::to_owned));
        targets.map(|target| (at, target)).collect::<Vec<_>>()
    };
    prose(text).flat_map(of_line).collect()
}

/// What is wrong with a link of the page at `from`; none: it leads somewhere.
fn dead(from: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let page = root().join(from).parent().unwrap().join(path);
    let page = if path.is_empty() { root().join(from) } else { page };
    if !page.exists() {
        return Some(format!("{path} is not there"));
    }
    let anchor = anchor?;
    let there = if path.is_empty() { text.to_owned() } else { std::fs::read_to_string(&page).ok()? };
    (!anchors(&there).contains(anchor)).then(|| format!("{target}: no heading gives this anchor"))
}

#[test]
fn every_link_leads_to_a_page_and_a_heading_that_exist() {
    let mut wrong = Vec::new();
    for Page { path, text } in pages() {
        for (at, target) in links(&text) {
            if let Some(why) = dead(&path, &text, &target) {
                wrong.push(format!("{}:{at}: {why}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "dead links: {wrong:#?}");
}

#[test]
fn a_dead_link_would_be_seen() {
    let text = "# One `two`, three\n\n[a](gone.md) and `[no](link.md)` and [b](#one-two-three) [c](#one)\n";
    let found = links(text);
    let dead: Vec<bool> =
        found.iter().map(|(_, to)| dead(Path::new("README.md"), text, to).is_some()).collect();
    assert_eq!(dead, [true, false, true], "{found:?}");
}

/// What a path in a page begins with: the folders at the root of the repository.
fn is_a_path(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.".contains(c);
    let (folder, below) = span.split_once('/').unwrap_or_default();
    let ours = !folder.is_empty() && folder != "target";
    ours && !below.is_empty() && span.chars().all(plain) && root().join(folder).is_dir()
}

#[test]
fn every_file_that_a_page_names_exists() {
    let mut gone = Vec::new();
    // The changelog names files of its day.
    for page in pages().into_iter().filter(|page| page.path != Path::new("CHANGELOG.md")) {
        for (at, line) in prose(&page.text) {
            let named = code_spans(line).into_iter().filter(|span| is_a_path(span));
            // Paths are from the root, or from the crate of the tests.
            let is_gone =
                |path: &&str| !root().join(path).exists() && !root().join("tests").join(path).exists();
            gone.extend(named.filter(is_gone).map(|path| format!("{}:{at}: {path}", page.path.display())));
        }
    }
    assert!(gone.is_empty(), "not in the tree: {gone:#?}");
}

/// The page whose tables name types, in their second column.
const TYPES_PAGE: &str = "docs/design/process-local-state.md";

fn code_of(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden && !path.ends_with("target") {
            code_of(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_type_in_the_table_of_process_local_state_exists() {
    let page = std::fs::read_to_string(root().join(TYPES_PAGE)).unwrap();
    let mut code = String::new();
    code_of(&root(), &mut code);
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let cells = page.lines().filter(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(2));
    let named: Vec<&str> = cells.flat_map(code_spans).flat_map(|span| span.split("::")).collect();
    assert!(named.len() > 20, "the tables are read wrongly: {named:?}");
    let gone: Vec<&&str> = named.iter().filter(|name| !words.contains(**name)).collect();
    assert!(gone.is_empty(), "{TYPES_PAGE} names what is not in the code: {gone:?}");
}

/// The pages that name tests by their functions, some by their first words and `…`.
const TESTS_PAGES: [&str; 2] = ["docs/oidc/conformance.md", "tenant/program/tests/edge/oidc/rfc9700.rs"];

#[test]
fn every_test_that_a_page_of_tests_names_exists() {
    let mut code = String::new();
    code_of(&root().join("tenant"), &mut code);
    for page in TESTS_PAGES {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        let is_sentence = |span: &&str| {
            (span.matches('_').count() > 2 || span.ends_with("_…"))
                && span.chars().all(|c| c.is_ascii_alphanumeric() || "_…".contains(c))
        };
        // In a source file the page is its head.
        let lines = text.lines().filter(|line| page.ends_with(".md") || line.starts_with("//!"));
        let named: Vec<&str> = lines.flat_map(code_spans).filter(is_sentence).collect();
        assert!(named.len() > 10, "{page} is read wrongly: {named:?}");
        let is_gone = |name: &&&str| match name.strip_suffix('…') {
            Some(start) => !code.contains(&format!("async fn {start}")),
            None => !code.contains(&format!("fn {name}()")),
        };
        let gone: Vec<&&str> = named.iter().filter(is_gone).collect();
        assert!(gone.is_empty(), "{page} names tests that are not there: {gone:#?}");
    }
}

#[test]
fn every_promise_of_the_readme_names_its_test() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let below = text.lines().skip_while(|line| !line.starts_with("| promise |")).skip(2);
    let rows: Vec<&str> = below.take_while(|line| line.starts_with('|')).collect();
    let named = |row: &&str| code_spans(row).iter().any(|span| span.starts_with("tests/tests/"));
    let silent: Vec<&&str> = rows.iter().filter(|row| !named(row)).collect();
    assert!(rows.len() > 10 && silent.is_empty(), "promises without a test: {silent:#?}");
}

/// The rows of the first table below each heading `Reference: {kind} of {program}`, as cells.
fn reference_rows(kind: &str, program: &str) -> Vec<Vec<String>> {
    let heading = format!("Reference: {kind} of {program}");
    let mut rows = Vec::new();
    for page in pages() {
        let lines: Vec<&str> = prose(&page.text).map(|(_, line)| line).collect();
        for (at, _) in
            lines.iter().enumerate().filter(|(_, line)| line.trim_start_matches('#').trim() == heading)
        {
            let section = lines[at + 1..].iter().take_while(|line| !line.starts_with('#'));
            let table = section.skip_while(|line| !line.starts_with('|'));
            // The first two lines name the columns and rule them off.
            let body = table.take_while(|line| line.starts_with('|')).skip(2);
            rows.extend(body.map(|row| {
                row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
            }));
        }
    }
    assert!(!rows.is_empty(), "no table below a heading `{heading}`");
    rows
}

/// What differs between the rows of the reference tables and what the program has, as sentences.
fn differences(program: &str, rows: &[String], known: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in known {
        match rows.iter().filter(|row| *row == name).count() {
            0 => wrong.push(format!("{program} has `{name}`, and no reference table lists it")),
            1 => {}
            times => wrong.push(format!("`{name}` of {program} stands in {times} rows")),
        }
    }
    for row in rows.iter().filter(|row| !known.contains(*row)) {
        wrong.push(format!("a reference table lists `{row}`, and {program} does not have it"));
    }
    wrong
}

#[test]
fn every_attribute_of_the_wires_table_stands_in_one_row_of_the_list_of_what_is_carried() {
    use landbridge_wire::described::{Of, TABLE};
    let page = std::fs::read_to_string(root().join("docs/phs.md")).unwrap();
    let (_, list) = page.split_once("| attribute | of |").unwrap();
    let rows: Vec<(BTreeSet<&str>, &str)> = list
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .map(|(names, of)| (names.split(", ").collect(), of))
        .collect();
    for row in &TABLE {
        let of = match row.of {
            Of::Accounts => "accounts",
            Of::AccountsAndGroups => "accounts, groups",
            Of::AccountsAndContacts => "accounts, contacts",
            Of::All => "accounts, groups, contacts",
        };
        let found: Vec<&str> =
            rows.iter().filter(|(names, _)| names.contains(row.name)).map(|(_, of)| *of).collect();
        assert_eq!(found, [of], "{} in docs/phs.md", row.name);
    }
}

#[test]
fn an_undocumented_key_would_be_seen_and_a_key_that_is_gone_too() {
    let known = BTreeSet::from(["new".to_owned(), "kept".to_owned()]);
    let rows = ["kept".to_owned(), "kept".to_owned(), "gone".to_owned()];
    let wrong = differences("p", &rows, &known).join("\n");
    for part in ["p has `new`, and no", "`kept` of p stands in 2 rows", "lists `gone`, and p does not"] {
        assert!(wrong.contains(part), "{wrong}");
    }
}

fn output(program: &str, arguments: &[&str]) -> (String, String) {
    let run = Command::new(built(program).unwrap()).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(run.stdout), text(run.stderr))
}

/// The commands and the flags that one `--help` lists: those of one level.
fn help(program: &str, command: &[&str]) -> (Vec<String>, BTreeSet<String>) {
    let arguments: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
    let (text, _) = output(program, &arguments);
    let (mut commands, mut flags, mut section) = (Vec::new(), BTreeSet::new(), "");
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let first = line.split_whitespace().next().unwrap_or_default();
        match section {
            _ if indent == 0 && !line.is_empty() => section = line,
            "Commands:" if indent == 2 && first != "help" => commands.push(first.to_owned()),
            // What is described of a flag is further to the right, and may begin with a dash too.
            "Options:" if indent <= 6 && first.starts_with('-') => {
                let long = line.split_whitespace().find(|word| word.starts_with("--")).unwrap_or(first);
                flags.insert(long.to_owned());
            }
            _ => {}
        }
    }
    // Every program has these two, and says so itself.
    flags.remove("--help");
    flags.remove("--version");
    (commands, flags)
}

/// All commands that do something, and each flag with its command; `every command` for those of all commands.
fn command_line(program: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (first, global) = help(program, &[]);
    assert!(!first.is_empty() && !global.is_empty(), "{program} --help is read wrongly");
    let mut flags: BTreeSet<String> = global.iter().map(|flag| format!("every command {flag}")).collect();
    let (mut commands, mut todo) = (BTreeSet::new(), first);
    while let Some(command) = todo.pop() {
        let (below, own) = help(program, &command.split(' ').collect::<Vec<_>>());
        if below.is_empty() {
            flags.extend(own.difference(&global).map(|flag| format!("{command} {flag}")));
            commands.insert(command);
        } else {
            todo.extend(below.iter().map(|next| format!("{command} {next}")));
        }
    }
    (commands, flags)
}

#[test]
fn every_command_and_every_flag_stands_in_one_row_of_a_reference_table() {
    let mut wrong = Vec::new();
    for (program, _) in PROGRAMS {
        let (commands, flags) = command_line(program);
        let first_spans =
            |row: &Vec<String>| code_spans(&row[0]).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let rows: Vec<String> = reference_rows("commands", program).iter().flat_map(first_spans).collect();
        wrong.extend(differences(program, &rows, &commands));
        let mut rows = Vec::new();
        for row in reference_rows("flags", program) {
            let flag = code_spans(&row[1])[0].split(' ').next().unwrap().to_owned();
            let commands = code_spans(&row[0]);
            let commands = if commands.is_empty() { vec![row[0].as_str()] } else { commands };
            rows.extend(commands.into_iter().map(|command| format!("{command} {flag}")));
        }
        wrong.extend(differences(program, &rows, &flags));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The keys that the program knows in a section, from its error about one that it does not know. `header` opens the
/// section; none: it is no section.
fn keys_below((program, command): (&str, &[&str]), header: &str) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("configuration.toml");
    std::fs::write(&file, format!("{header}\n{NO_SUCH_KEY} = 1\n")).unwrap();
    let arguments: Vec<&str> = ["--config", file.to_str().unwrap()].iter().chain(command).copied().collect();
    let (_, error) = output(program, &arguments);
    let (_, expected) = error.split_once(&format!("unknown field `{NO_SUCH_KEY}`, expected "))?;
    let line = expected.lines().next().unwrap_or_default();
    Some(code_spans(line).into_iter().map(str::to_owned).collect())
}

/// All keys of the program's configuration, written as the pages write them.
fn configuration_keys(program: (&str, &[&str])) -> BTreeSet<String> {
    let top = keys_below(program, "").unwrap_or_else(|| panic!("{}: its error names no keys", program.0));
    let mut todo: Vec<(String, String)> = top.into_iter().map(|key| (String::new(), key)).collect();
    let mut keys = BTreeSet::new();
    while let Some((section, key)) = todo.pop() {
        let path = format!("{}.{key}", section.trim_matches(['[', ']'])).trim_start_matches('.').to_owned();
        let headers = [format!("[{path}]"), format!("[[{path}]]")];
        match headers.iter().find_map(|header| Some((header, keys_below(program, header)?))) {
            Some((header, below)) => todo.extend(below.into_iter().map(|key| (header.clone(), key))),
            None => {
                let mut written = section;
                if !written.is_empty() {
                    written.push(' ');
                }
                write!(written, "{key}").unwrap();
                keys.insert(written);
            }
        }
    }
    keys
}

#[test]
fn every_configuration_key_stands_in_one_row_of_a_reference_table() {
    let mut wrong = Vec::new();
    for program in PROGRAMS {
        let keys = configuration_keys(*program);
        let sections = keys.iter().filter(|key| key.starts_with('[')).count();
        assert!(sections > 3 && keys.len() > 10, "{}: few keys were found: {keys:?}", program.0);
        let rows = reference_rows("configuration keys", program.0);
        let rows: Vec<String> = rows.iter().map(|row| code_spans(&row[0])[0].to_owned()).collect();
        wrong.extend(differences(program.0, &rows, &keys));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether the program has this command with these flags. What is neither a command nor a flag is an argument.
fn accepts((commands, flags): &(BTreeSet<String>, BTreeSet<String>), words: &[&str]) -> bool {
    let first: Vec<&str> = words.iter().copied().take_while(|word| !word.starts_with('-')).collect();
    let joined = |count: usize| first[..count].join(" ");
    let known = (1..=first.len()).rev().map(joined).find(|command| commands.contains(command));
    let of_group = || commands.iter().any(|command| command.starts_with(&format!("{} ", first.join(" "))));
    if known.is_none() && !first.is_empty() && !of_group() {
        return false;
    }
    let own = known.unwrap_or_default();
    words.iter().filter(|word| word.starts_with("--")).all(|word| {
        let flag = word.split('=').next().unwrap_or_default();
        let known = |command: &str| flags.contains(&format!("{command} {flag}"));
        flag == "--help" || flag == "--version" || known(&own) || known("every command")
    })
}

/// The code spans of the texts for people in the code of a crate, without its tests.
fn spans_of_messages(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            spans_of_messages(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let shown = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            // A text that goes on in the next line of code is one text.
            let joined = shown.map(str::trim_start).collect::<Vec<_>>().join("\n").replace("\\\n", "");
            into.extend(joined.lines().flat_map(code_spans).map(str::to_owned));
        }
    }
}

#[test]
fn every_command_that_a_message_or_a_page_names_exists() {
    let known: Vec<_> = PROGRAMS.iter().map(|(program, _)| (*program, command_line(program))).collect();
    let mut spans = BTreeSet::new();
    for folder in ["agent", "host", "phs", "pta-agent", "kerberos", "drsr", "wire", "tenant"] {
        spans_of_messages(&root().join(folder), &mut spans);
    }
    // The changelog names commands of its day.
    for page in pages().into_iter().filter(|page| page.path != Path::new("CHANGELOG.md")) {
        spans.extend(prose(&page.text).flat_map(|(_, line)| code_spans(line)).map(str::to_owned));
    }
    let (mut named, mut wrong) = (0, Vec::new());
    for span in &spans {
        let words: Vec<&str> = span.split_whitespace().collect();
        let Some((program, words)) = words.split_first().filter(|(_, words)| !words.is_empty()) else {
            continue;
        };
        let of_program = known.iter().find(|(one, _)| one == program);
        let Some((_, commands)) = of_program else { continue };
        named += 1;
        if !accepts(commands, words) {
            wrong.push(span);
        }
    }
    assert!(named > 45, "only {named} commands were found");
    assert!(wrong.is_empty(), "no such command or flag: {wrong:#?}");
}

#[test]
fn a_command_or_a_flag_that_is_gone_would_be_seen() {
    let set = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<String>>();
    let program = (set(&["domains add", "serve"]), set(&["domains add --sid", "every command --config"]));
    for (span, exists) in [
        ("domains add --sid S-1", true),
        ("domains", true),
        ("serve --config FILE", true),
        ("--help", true),
        ("domains drop", false),
        ("domains add --sids", false),
        ("start", false),
    ] {
        assert_eq!(accepts(&program, &span.split(' ').collect::<Vec<_>>()), exists, "{span}");
    }
}
