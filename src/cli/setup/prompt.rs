//! Questions to a user at a terminal; a secret is read without echo.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use crate::platform::{self, Silence};

/// Returns true if there is somebody to ask.
pub fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line; an empty one gives the default.
///
/// # Errors
/// When the terminal is gone.
pub fn line(question: &str, default: &str) -> io::Result<String> {
    match default {
        "" => say(&format!("{question}: ")),
        _ => say(&format!("{question} [{default}]: ")),
    };
    // What was typed before the question was seen is no answer to it.
    platform::forget_typed();
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let answer = answer.trim();
    Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
}

/// Asks for yes or no.
///
/// # Errors
/// When the terminal is gone.
pub fn yes(question: &str, default: bool) -> io::Result<bool> {
    loop {
        let answer = line(&format!("{question} ({})", if default { "Y/n" } else { "y/N" }), "")?;
        match answer.to_ascii_lowercase().as_str() {
            "" => return Ok(default),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => say("please answer y or n\n"),
        }
    }
}

/// Asks for one of several; returns its index.
///
/// # Errors
/// When the terminal is gone.
pub fn choice(question: &str, options: &[&str], default: usize) -> io::Result<usize> {
    say(&format!("{question}\n"));
    for (n, option) in options.iter().enumerate() {
        say(&format!("  {}. {option}\n", n + 1));
    }
    loop {
        let answer = line("number", &(default + 1).to_string())?;
        match answer.parse::<usize>() {
            Ok(n) if (1..=options.len()).contains(&n) => return Ok(n - 1),
            _ => say(&format!("please answer 1 to {}\n", options.len())),
        }
    }
}

/// Asks for a secret, which is not shown while it is typed or pasted.
///
/// # Errors
/// When the terminal is gone or the user interrupts.
pub fn secret(question: &str) -> io::Result<String> {
    // Before the question: who answers at once must not be seen either.
    let silence = Silence::begin()?;
    say(&format!("{question} (not shown): "));
    let mut answer = Vec::new();
    let mut byte = [0];
    let mut stdin = io::stdin().lock();
    let outcome = loop {
        match stdin.read(&mut byte) {
            Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => match byte[0] {
                b'\n' | b'\r' => break Ok(()),
                INTERRUPT => break Err(io::ErrorKind::Interrupted.into()),
                END_OF_TRANSMISSION if answer.is_empty() => break Err(io::ErrorKind::UnexpectedEof.into()),
                BACKSPACE | DELETE => drop(answer.pop()),
                KILL_LINE => answer.clear(),
                other => answer.push(other),
            },
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => break Err(e),
        }
    };
    drop(silence);
    let text = String::from_utf8_lossy(&answer).trim().to_owned();
    say(&if text.is_empty() { "\n".to_owned() } else { format!("{} characters\n", text.chars().count()) });
    outcome.map(|()| text)
}

/// Tells the user something; never into the output of the command.
pub fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
    let _ = io::stderr().flush();
}

const INTERRUPT: u8 = 3;
const END_OF_TRANSMISSION: u8 = 4;
const BACKSPACE: u8 = 8;
const KILL_LINE: u8 = 21;
const DELETE: u8 = 127;
