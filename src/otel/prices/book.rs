//! All prices that hold for a user: the built-in table, a newer one, and prices of the user's own over both.

use serde_json::{Map, Value, json};
use std::io;
use std::path::{Path, PathBuf};

use super::money::Money;
use super::table::{ABOUT, CACHED, INPUT, OUTPUT, Rates, Table, TableError, WRITTEN};
use super::tier::Tier;
use crate::file;
use crate::layout::Paths;
use crate::time::Timestamp;

/// The price tables, the first that knows a price wins.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    layers: Vec<Layer>,
    /// What was wrong with the user's files; the other tables hold.
    pub problems: Vec<String>,
}

/// One of the tables.
#[derive(Debug, Clone)]
pub struct Layer {
    pub table: Table,
    /// True if it holds prices of the user's own.
    pub own: bool,
    /// Where it was read from; none for the built-in one.
    pub path: Option<PathBuf>,
    name: String,
}

/// Why a price file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PriceFileError {
    #[error("{0}: {1}")]
    Table(String, TableError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Prices {
    /// Reads every table. A file that is missing or broken leaves the others in force.
    pub fn load(paths: &Paths, users_file: Option<&str>) -> Prices {
        let mut prices = Prices::default();
        let named = users_file.map(PathBuf::from);
        for (path, own, must) in [
            (Some(paths.own_prices()), true, false),
            (named, true, true),
            (Some(paths.newer_prices()), false, false),
        ] {
            let Some(path) = path else { continue };
            match read(&path) {
                Ok(Some(table)) => prices.layers.push(Layer::new(table, own, Some(path))),
                Ok(None) if must => prices.problems.push(format!("{} does not exist", path.display())),
                Ok(None) => {}
                Err(error) => prices.problems.push(error.to_string()),
            }
        }
        prices.layers.extend(Prices::built_in().layers);
        prices
    }

    /// The built-in table alone.
    pub fn built_in() -> Prices {
        // A test holds the table against its parser.
        let table = Table::parse(BUILT_IN, "built in").unwrap_or_default();
        Prices { layers: vec![Layer::new(table, false, None)], problems: Vec::new() }
    }

    /// The tables, the strongest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns what a token cost, and the table that says so.
    pub fn rates(&self, model: &str, tier: Tier, long: bool, at: Timestamp) -> Option<(Rates, &Layer)> {
        self.layers.iter().find_map(|layer| Some((layer.table.rates(model, tier, long, at)?, layer)))
    }
}

impl Layer {
    fn new(table: Table, own: bool, path: Option<PathBuf>) -> Layer {
        let name = match (&table.date, own) {
            (_, true) => "user".to_owned(),
            (Some(date), false) => format!("{} ({date})", table.source),
            (None, false) => table.source.clone(),
        };
        Layer { table, own, path, name }
    }

    /// The table's name and date, or `user`, as `codex.cost.source` says it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Takes a newer table, in LiteLLM's form, over the built-in one. Returns how many models it has a price for.
///
/// # Errors
/// When it cannot be read or is no table, or the copy cannot be written; what held before still holds.
pub fn update(paths: &Paths, content: &[u8], source: &str, date: &str) -> Result<usize, PriceFileError> {
    let bad = |error| PriceFileError::Table(source.to_owned(), error);
    let value: Value =
        serde_json::from_slice(content).map_err(|e| bad(TableError::NotJson(e.to_string())))?;
    let object = value.as_object().ok_or_else(|| bad(TableError::NotATable))?;
    let mut kept: Map<String, Value> =
        object.iter().filter(|(_, entry)| is_for_codex(entry)).map(|(k, v)| (k.clone(), v.clone())).collect();
    kept.entry(ABOUT).or_insert_with(|| json!({ "source": source, "date": date }));
    let kept = Value::from(kept);
    let table = Table::from_json(&kept, source).map_err(bad)?;
    write(&paths.newer_prices(), &kept)?;
    Ok(table.models().count())
}

/// Keeps a price of the user's own for a model.
///
/// # Errors
/// When the prices kept so far are broken, or the file cannot be written.
pub fn set(paths: &Paths, model: &str, entry: Value) -> Result<(), PriceFileError> {
    let path = paths.own_prices();
    let content = file::read_bounded(&path, MAX_BYTES)?.unwrap_or_else(|| b"{}".to_vec());
    let bad = |error| PriceFileError::Table(path.display().to_string(), error);
    let mut value: Value =
        serde_json::from_slice(&content).map_err(|e| bad(TableError::NotJson(e.to_string())))?;
    let object = value.as_object_mut().ok_or_else(|| bad(TableError::NotATable))?;
    object.insert(model.to_ascii_lowercase(), entry);
    Table::from_json(&value, "").map_err(bad)?;
    write(&path, &value)?;
    Ok(())
}

/// The entry of a model, of whichever table knows it first, to be kept under another name.
pub fn entry_like(paths: &Paths, users_file: Option<&str>, model: &str) -> Option<Value> {
    let files = [Some(paths.own_prices()), users_file.map(PathBuf::from), Some(paths.newer_prices())];
    let of = |content: &[u8]| {
        let value: Value = serde_json::from_slice(content).ok()?;
        let table = Table::from_json(&value, "").ok()?;
        let name = table.name_of(model)?;
        value
            .as_object()?
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, entry)| entry.clone())
    };
    let files = files.into_iter().flatten();
    let mut found = files.filter_map(|path| of(&file::read_bounded(&path, MAX_BYTES).ok()??));
    found.next().or_else(|| of(BUILT_IN))
}

/// An entry of figures, in USD a million tokens; above 272,000 tokens and other tiers are left out.
pub fn entry_of(input: f64, cached: Option<f64>, written: Option<f64>, output: f64) -> Value {
    let mut entry = Map::new();
    let figures = [(INPUT, Some(input)), (CACHED, cached), (WRITTEN, written), (OUTPUT, Some(output))];
    for (key, million) in figures {
        if let Some(million) = million {
            let usd = Money::from_usd(million).map_or(-1.0, |money| money.usd() / 1e6);
            entry.insert(key.to_owned(), usd.into());
        }
    }
    entry.into()
}

/// The models Codex can be set to; what a whole LiteLLM table has besides would only be read in vain.
fn is_for_codex(entry: &Value) -> bool {
    let is = |key: &str, wanted: &[&str]| {
        entry.get(key).is_none_or(|v| v.as_str().is_some_and(|v| wanted.contains(&v)))
    };
    is("litellm_provider", &["openai", "azure"]) && is("mode", &["chat", "responses"])
}

fn read(path: &Path) -> Result<Option<Table>, PriceFileError> {
    let Some(content) = file::read_bounded(path, MAX_BYTES).map_err(|e| file::named(path, e))? else {
        return Ok(None);
    };
    let name = path.display().to_string();
    Table::parse(&content, &name).map(Some).map_err(|e| PriceFileError::Table(name, e))
}

fn write(path: &Path, value: &Value) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        file::create_private_dir(folder)?;
    }
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    file::write_atomic(path, &text).map_err(|e| file::named(path, e))
}

const BUILT_IN: &[u8] = include_bytes!("table.json");
/// LiteLLM's whole table has 3.5 MB.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;
