//! config.yaml as a document: read, looked up, edited without losing what is not understood, written back.
//!
//! The only file that knows YAML besides the thread state. Comments are not kept: the format's library does not
//! carry them.

use serde_yml::{Mapping, Value};
use std::path::{Path, PathBuf};

use super::yaml_bounds;
use crate::file;

/// The parsed content of config.yaml, or of the Python edition's config.json.
#[derive(Debug, Clone, Default)]
pub struct Document {
    root: Mapping,
}

/// Why config.yaml could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Made by [`file::named`]. It is no source: a printed chain would name it twice.
    #[error("{0}")]
    Unreadable(std::io::Error),
    #[error("{path}: {place}{reason}", path = .path.display(), place = line_of(*.line))]
    Malformed { path: PathBuf, line: Option<usize>, reason: String },
}

fn line_of(line: Option<usize>) -> String {
    line.map(|l| format!("line {l}: ")).unwrap_or_default()
}

impl Document {
    /// A document of these settings.
    pub fn of(root: Mapping) -> Document {
        Document { root }
    }

    /// Reads a file; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read, is larger than 1 MiB, or is not a YAML mapping.
    pub fn load(path: &Path) -> Result<Option<Document>, DocumentError> {
        let unreadable = |error| DocumentError::Unreadable(file::named(path, error));
        let Some(content) = file::read_bounded(path, MAX_BYTES).map_err(unreadable)? else { return Ok(None) };
        let malformed =
            |line, reason: String| DocumentError::Malformed { path: path.to_owned(), line, reason };
        let text = std::str::from_utf8(&content).map_err(|e| {
            malformed(Some(content[..e.valid_up_to()].split(|b| *b == b'\n').count()), "invalid UTF-8".into())
        })?;
        Document::parse(text).map(Some).map_err(|(line, reason)| malformed(line, reason))
    }

    /// Parses YAML, of which JSON is a part.
    ///
    /// # Errors
    /// The line, where known, and what is wrong with it. The reason never repeats a value.
    pub fn parse(text: &str) -> Result<Document, (Option<usize>, String)> {
        if let Some((line, what)) = yaml_bounds::excess(text) {
            return Err((Some(line), what.to_owned()));
        }
        match serde_yml::from_str::<Value>(text) {
            Ok(Value::Mapping(root)) => Ok(Document { root }),
            Ok(Value::Null) => Ok(Document::default()),
            Ok(_) => Err((Some(1), "not a mapping of settings".to_owned())),
            Err(e) => Err((e.location().map(|l| l.line()), "not valid YAML".to_owned())),
        }
    }

    /// The value at a dotted path, `harnesses.codex.target` for instance.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let mut value = self.root.get(parts.next()?)?;
        for part in parts {
            value = value.as_mapping()?.get(part)?;
        }
        Some(value)
    }

    /// Sets the value at a dotted path, making the mappings on the way.
    ///
    /// # Errors
    /// When something that is not a mapping stands on the way.
    pub fn set(&mut self, path: &str, value: Value) -> Result<(), String> {
        let mut parts: Vec<&str> = path.split('.').collect();
        let Some(last) = parts.pop().filter(|p| !p.is_empty()) else { return Err("empty key".to_owned()) };
        let mut at = &mut self.root;
        for part in parts {
            let next = at.entry(Value::from(part)).or_insert_with(|| Value::Mapping(Mapping::new()));
            if next.is_null() {
                *next = Value::Mapping(Mapping::new());
            }
            at = next.as_mapping_mut().ok_or_else(|| format!("{part} in {path} is not a mapping"))?;
        }
        at.insert(Value::from(last), value);
        Ok(())
    }

    /// Removes the value at a dotted path and says whether there was one.
    pub fn unset(&mut self, path: &str) -> bool {
        let mut parts: Vec<&str> = path.split('.').collect();
        let Some(last) = parts.pop() else { return false };
        let mut at = &mut self.root;
        for part in parts {
            match at.get_mut(part).and_then(Value::as_mapping_mut) {
                Some(next) => at = next,
                None => return false,
            }
        }
        at.remove(last).is_some()
    }

    /// Moves these top-level keys into a document of their own.
    pub fn split_off(&mut self, names: &[&str]) -> Document {
        let taken = names.iter().filter_map(|name| Some((Value::from(*name), self.root.remove(*name)?)));
        Document { root: taken.collect() }
    }

    /// Every leaf as its dotted path and value, in the file's order.
    pub fn leaves(&self) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        collect_leaves("", &self.root, &mut found);
        found
    }

    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// The document as YAML.
    ///
    /// # Errors
    /// What the library cannot write, or writes so that it cannot be read again: tags of odd characters.
    pub fn to_yaml(&self) -> Result<String, String> {
        let unwritable = || "holds something that cannot be written as YAML".to_owned();
        let yaml = serde_yml::to_string(&self.root).map_err(|_| unwritable())?;
        let again = Document::parse(&yaml).map_err(|_| unwritable())?;
        if again.root == self.root { Ok(yaml) } else { Err(unwritable()) }
    }

    /// Writes the document, mode 0600, following a symbolic link as people keep their dotfiles behind.
    ///
    /// # Errors
    /// What writing gave.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let yaml = self.to_yaml().map_err(std::io::Error::other)?;
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(folder) = real.parent()
            && !folder.exists()
        {
            file::create_private_dir(folder)?;
        }
        file::write_atomic(&real, yaml.as_bytes())
    }
}

fn collect_leaves<'a>(prefix: &str, mapping: &'a Mapping, found: &mut Vec<(String, &'a Value)>) {
    for (key, value) in mapping {
        let name = scalar_text(key).unwrap_or_default();
        let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Mapping(inner) if !inner.is_empty() => collect_leaves(&path, inner, found),
            _ => found.push((path, value)),
        }
    }
}

/// The text of a string, number or boolean; `None` for anything else and for an empty string.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

const MAX_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_keeps_what_is_not_understood() {
        let text = "user_id: me\nharnesses:\n  claude-code:\n    project_name: c\n    odd: [1, {x: null}]\n";
        let mut document = Document::parse(text).unwrap();
        document.set("harnesses.codex.project_name", Value::from("mine")).unwrap();
        let again = Document::parse(&document.to_yaml().unwrap()).unwrap();
        assert_eq!(again.get("harnesses.codex.project_name").unwrap().as_str(), Some("mine"));
        assert_eq!(again.get("harnesses.claude-code.odd"), document.get("harnesses.claude-code.odd"));
        assert!(document.unset("harnesses.codex.project_name") && !document.unset("nothing.here"));
        assert!(document.set("user_id.deep", Value::from(1)).is_err());
    }

    #[test]
    fn a_broken_file_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "harnesses:\n  codex:\n    api_key: \"sk-open\n  x: [\n").unwrap();
        let message = Document::load(&path).unwrap_err().to_string();
        assert!(message.contains("line ") && !message.contains("sk-open"), "{message}");
        assert!(Document::load(&folder.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn unreadable_yaml_is_not_written() {
        let document = Document::parse("a:\r !r%5b0=:5").unwrap();
        assert!(document.to_yaml().is_err());
        let folder = tempfile::tempdir().unwrap();
        assert!(document.save(&folder.path().join("config.yaml")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_yaml_bomb_is_refused() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..9 {
            let before = format!("*a{},", n - 1).repeat(9);
            bomb.push_str(&format!("a{n}: &a{n} [{before}*a{}]\n", n - 1));
        }
        assert!(Document::parse(&bomb).is_err());
    }
}
