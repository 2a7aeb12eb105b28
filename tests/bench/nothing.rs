//! The least a hook can do: read what it is given, and end.

use std::io::Read;

fn main() {
    let mut payload = Vec::new();
    let _ = std::io::stdin().lock().read_to_end(&mut payload);
}
