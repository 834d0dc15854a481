//! Writes every page in both languages, with its stylesheets, into the folder that is its argument.

#[path = "gallery/samples.rs"]
mod samples;

use landbridge_door_pages::assets::{
    FORM_POST_SCRIPT, FORM_POST_SCRIPT_PATH, ICON, STYLESHEET, icon_path, stylesheet_path,
};
use landbridge_door_pages::frame::Frame;
use landbridge_door_pages::language::Language;
use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("the argument is the folder to write to")?;
    let folder = Path::new(&folder);
    let write = |path: &str, content: &str| fs::write(folder.join(path.trim_start_matches('/')), content);
    let write_bytes =
        |path: &str, content: &[u8]| fs::write(folder.join(path.trim_start_matches('/')), content);
    fs::create_dir_all(folder.join("assets"))?;
    write(stylesheet_path(), STYLESHEET)?;
    write(icon_path(), ICON)?;
    // The pages may not run it: the target of the sample does not exist.
    write(FORM_POST_SCRIPT_PATH, &FORM_POST_SCRIPT.replace("HTMLFormElement", "// HTMLFormElement"))?;
    for (brand, branding) in samples::brandings()? {
        if let Some(sheet) = branding.stylesheet() {
            write(&sheet.path, &sheet.content)?;
        }
        if let Some(logo) = &branding.logo {
            write_bytes(&logo.path().to_string(), logo.content())?;
        }
        for language in Language::ALL {
            // A file has no issuer: paths lead to the folder itself.
            let frame = Frame { branding: &branding, language, root: "." };
            for (page, html) in samples::pages(&frame)? {
                write(&format!("{brand}-{page}-{}.html", language.tag()), &html)?;
            }
        }
    }
    Ok(())
}
