//! Opens a page or an address in the user's browser.

use std::process::{Command, Stdio};

use crate::context::{Context, var};
use crate::platform;

/// Opens a file or an address with BROWSER, or with the system's own way. Returns whether a program took it.
pub fn open(context: &Context, what: &str) -> bool {
    let given = context.var(var::BROWSER);
    let given = given.as_deref().into_iter().flat_map(|list| list.split(':')).filter(|p| !p.is_empty());
    let commands = given.map(|program| vec![program]);
    for words in commands.chain(platform::BROWSERS.iter().map(|command| command.split(' ').collect())) {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(what).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return true;
        }
    }
    eprintln!("note: no browser could be started; open {what} yourself, or set BROWSER");
    false
}
