//! Opens a page or an address in the user's browser.

use std::process::{Command, Stdio};

use crate::context::{Context, var};
use crate::platform;

/// Opens a file or an address with BROWSER, or with the system's own way. Returns whether a program took it.
pub fn open(context: &Context, what: &str) -> bool {
    let given = context.var(var::BROWSER);
    let programs = given.as_deref().into_iter().chain(platform::BROWSERS.iter().copied());
    for program in programs.flat_map(|list| list.split(':')).filter(|p| !p.is_empty()) {
        let mut command = Command::new(program);
        command.arg(what).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return true;
        }
    }
    eprintln!("note: no browser could be started; open {what} yourself, or set BROWSER");
    false
}
