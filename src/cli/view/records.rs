//! Rows for other programs: JSON, CSV and Markdown, written in one way by every command that prints a table.

use argh::{ArgsInfo, FromArgs};
use serde_json::Value;
use std::io::{self, Write};

use crate::text::printable;
use crate::time::Timestamp;

/// Options that choose the form of a table.
#[derive(FromArgs, ArgsInfo, Debug, Clone, Copy, Default)]
pub struct Output {
    /// print JSON
    #[argh(switch)]
    pub json: bool,
    /// print comma-separated values
    #[argh(switch)]
    pub csv: bool,
    /// print a Markdown table
    #[argh(switch)]
    pub markdown: bool,
}

/// The commands that take [`Output`].
pub const TABULATING: [&str; 4] = ["list", "stats", "search", "prices"];

/// The form that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
    Csv,
    Markdown,
}

impl Output {
    /// The form that was chosen.
    ///
    /// # Errors
    /// When more than one was.
    pub fn form(self) -> Result<Form, String> {
        match (self.json, self.csv, self.markdown) {
            (false, false, false) => Ok(Form::Text),
            (true, false, false) => Ok(Form::Json),
            (false, true, false) => Ok(Form::Csv),
            (false, false, true) => Ok(Form::Markdown),
            _ => Err("give one of --json, --csv and --markdown".to_owned()),
        }
    }
}

/// Rows of the same fields. A field is text, a number, true, false or null.
#[derive(Debug, Clone, Default)]
pub struct Records {
    pub fields: Vec<&'static str>,
    pub rows: Vec<Vec<Value>>,
}

impl Records {
    /// Writes the rows in a form; as text, nothing.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        match form {
            Form::Text => Ok(()),
            Form::Json => write_json(&self.objects(), out),
            Form::Csv => self.write_csv(out),
            Form::Markdown => self.write_markdown(out),
        }
    }

    /// The rows as objects.
    pub fn objects(&self) -> Vec<Value> {
        let object = |row: &Vec<Value>| {
            self.fields
                .iter()
                .map(|f| (*f).to_owned())
                .zip(row.iter().cloned())
                .collect::<serde_json::Map<_, _>>()
        };
        self.rows.iter().map(|row| object(row).into()).collect()
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.fields.join(","))?;
        for row in &self.rows {
            let values: Vec<String> = row.iter().map(csv_field).collect();
            writeln!(out, "{}", values.join(","))?;
        }
        Ok(())
    }

    fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "| {} |", self.fields.join(" | "))?;
        let is_number = |at: usize| {
            let mut values =
                self.rows.iter().filter_map(|row| row.get(at)).filter(|v| !v.is_null()).peekable();
            values.peek().is_some() && values.all(Value::is_number)
        };
        let rules = (0..self.fields.len()).map(|at| if is_number(at) { "---:" } else { "---" });
        writeln!(out, "|{}|", rules.collect::<Vec<_>>().join("|"))?;
        for row in &self.rows {
            let values: Vec<String> = row.iter().map(markdown_field).collect();
            writeln!(out, "| {} |", values.join(" | "))?;
        }
        Ok(())
    }
}

/// Writes one document of JSON.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(document: &impl serde::Serialize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string_pretty(document)?)
}

/// A moment as JSON gives it: RFC 3339 in UTC, to the millisecond.
pub fn rfc3339(at: Timestamp) -> Value {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let Ok(moment) = jiff::Timestamp::from_millisecond(millis) else { return Value::Null };
    moment.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// A field of RFC 4180. What a spreadsheet would take for a formula gets a blank before it.
fn csv_field(value: &Value) -> String {
    let text = text(value);
    let formula = value.is_string() && text.starts_with(['=', '+', '-', '@']);
    let text = if formula { format!(" {text}") } else { text };
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// A cell in which nothing is Markdown.
fn markdown_field(value: &Value) -> String {
    let mut out = String::new();
    for c in text(value).chars() {
        if matches!(c, '|' | '\\' | '`' | '*' | '_' | '<' | '[' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Records {
        Records {
            fields: vec!["name", "turns"],
            rows: vec![vec!["a,\"b\"".into(), 2.into()], vec!["=1+2|<b>".into(), (-1).into()]],
        }
    }

    fn written(form: Form) -> String {
        let mut out = Vec::new();
        records().write(form, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_are_quoted_and_never_formulas_or_markup() {
        assert_eq!(written(Form::Csv), "name,turns\n\"a,\"\"b\"\"\",2\n =1+2|<b>,-1\n");
        let table = "| name | turns |\n|---|---:|\n| a,\"b\" | 2 |\n| =1+2\\|\\<b> | -1 |\n";
        assert_eq!(written(Form::Markdown), table);
        assert_eq!(serde_json::from_str::<Value>(&written(Form::Json)).unwrap()[0]["turns"], 2);
    }

    #[test]
    fn only_one_form_can_be_chosen() {
        assert_eq!(Output { csv: true, ..Output::default() }.form(), Ok(Form::Csv));
        assert!(Output { csv: true, json: true, ..Output::default() }.form().is_err());
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(Timestamp::from_millis(1_795_350_336_172)), "2026-11-22T12:25:36.172Z");
    }
}
