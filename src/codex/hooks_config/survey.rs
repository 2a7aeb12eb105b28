//! What stands in a config.toml and where: hook groups with their handlers, trust entries, `notify`.
//!
//! Reads the four ways a group can be written (`[[hooks.Stop]]`, `Stop = [{…}]` under `[hooks]`, `hooks.Stop = […]`,
//! `hooks = { Stop = […] }`) into one shape with byte ranges, so that the rest need not tell them apart.

use toml_edit::{Document, Item, Table, TableLike, Value};

use crate::codex::events::HookRole;
use crate::codex::hooks_config::ranges::{
    Span, entries, first_header, item_spans, line_number, parts_of, parts_of_item, value_spans,
};
use crate::codex::hooks_config::{ConfigError, command};

/// The parts of a config.toml that concern us.
#[derive(Debug, Default)]
pub struct Survey {
    pub hooks: HooksForm,
    pub events: Vec<EventGroups>,
    /// The entries of `[hooks.state]`.
    pub states: Vec<HookState>,
    /// The header `[hooks.state]`, when the file has one of its own.
    pub state_header: Option<Span>,
    pub notify: Option<Notify>,
    /// The end of the last top-level value, and where the first table header begins.
    pub last_root_value: Option<usize>,
    pub first_header: Option<usize>,
    /// Number of values at the top level.
    pub root_values: usize,
    /// `features.hooks`, or its first name `codex_hooks`, where it is set.
    pub hooks_enabled: Option<bool>,
    /// The plugins that are switched on, as `<name>@<marketplace>`.
    pub plugins: Vec<String>,
}

/// Form in which `hooks` is written.
#[derive(Debug, Default)]
pub enum HooksForm {
    #[default]
    Absent,
    /// By headers or dotted keys: `[[hooks.X]]` can be appended to the file.
    Tables,
    /// As `hooks = {…}`.
    Inline { brace: usize, entries: Vec<(String, Span)> },
}

/// The groups of one event, in Codex's order.
#[derive(Debug)]
pub struct EventGroups {
    pub name: String,
    pub groups: Vec<Group>,
    /// Position of the array, when the groups are not written with headers.
    pub array: Option<ArrayPlace>,
}

/// An array of groups.
#[derive(Debug)]
pub struct ArrayPlace {
    pub span: Span,
    pub items: Vec<Span>,
    /// From the key to the end of the array.
    pub entry: Span,
    /// True inside `hooks = {…}`.
    pub in_inline_table: bool,
}

/// One group: a matcher and its handlers.
#[derive(Debug, Default)]
pub struct Group {
    pub matcher: Option<String>,
    pub handlers: Vec<Handler>,
    /// The `command` of the group itself, the form that never fires.
    pub one_level: Option<String>,
    /// The header `[[hooks.X]]`; none for an element of an array.
    pub header: Option<Span>,
    /// Every header and value of the group and what is inside it.
    pub parts: Vec<Span>,
    /// Position of the group's `hooks` array when it is written as a value.
    pub array: Option<(Span, Vec<Span>)>,
}

/// One handler of a group.
#[derive(Debug, Default)]
pub struct Handler {
    pub kind: String,
    pub command: Option<String>,
    pub command_span: Option<Span>,
    pub timeout_s: Option<u64>,
    pub is_async: bool,
    pub status_message: Option<String>,
    pub context_limit: Option<i64>,
    pub parts: Vec<Span>,
}

/// One entry of `[hooks.state]`.
#[derive(Debug, Clone, Default)]
pub struct HookState {
    pub key: String,
    pub trusted_hash: Option<String>,
    pub enabled: Option<bool>,
    /// Its lines, or its place in a list of entries.
    pub place: StatePlace,
}

/// Form in which a trust entry is written.
#[derive(Debug, Clone)]
pub enum StatePlace {
    Lines(Vec<Span>),
    /// The n-th entry of the inline table whose first entry may begin at `open`.
    Item {
        open: usize,
        items: Vec<Span>,
        index: usize,
    },
}

impl Default for StatePlace {
    fn default() -> Self {
        StatePlace::Lines(Vec::new())
    }
}

/// The top-level `notify`.
#[derive(Debug)]
pub struct Notify {
    pub argv: Vec<String>,
    pub value: Span,
    pub entry: Span,
}

/// Whose a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Every handler in it is ours, or it is our one-level entry.
    Ours,
    /// Ours and others' handlers side by side.
    Mixed,
    Other,
}

impl Group {
    pub fn owner(&self) -> Owner {
        let ours = self.handlers.iter().filter(|h| h.is_ours()).count();
        match (ours, self.handlers.len()) {
            (0, 0) if self.one_level.as_deref().and_then(command::role_of).is_some() => Owner::Ours,
            (0, _) => Owner::Other,
            (ours, all) if ours == all => Owner::Ours,
            _ => Owner::Mixed,
        }
    }
}

impl Handler {
    pub fn role(&self) -> Option<HookRole> {
        command::program(self.command.as_deref()?).as_deref().and_then(command::role_of)
    }

    pub fn is_ours(&self) -> bool {
        self.role().is_some()
    }
}

impl Survey {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not TOML, or `hooks` or `notify` are of a type that Codex refuses.
    pub fn of(text: &str) -> Result<Survey, ConfigError> {
        let document = Document::parse(text).map_err(|e| ConfigError::Syntax {
            line: line_number(text, e.span().map_or(0, |s| s.start)),
            reason: e.message().lines().next().unwrap_or("not valid TOML").to_owned(),
        })?;
        let root = document.as_table();
        let mut survey = Survey { first_header: first_header(root), ..Survey::default() };
        survey.read_root_values(root);
        survey.read_notify(text, root)?;
        let feature = |name: &str| root.get("features").and_then(|f| f.get(name)).and_then(Item::as_bool);
        // Codex still takes the feature's first name.
        survey.hooks_enabled = feature("hooks").or_else(|| feature("codex_hooks"));
        let plugins = root.get("plugins").and_then(Item::as_table_like);
        let on = |item: &Item| item.get("enabled").and_then(Item::as_bool) == Some(true);
        survey.plugins = plugins
            .into_iter()
            .flat_map(|p| p.iter())
            .filter(|(_, p)| on(p))
            .map(|(id, _)| id.to_owned())
            .collect();
        survey.read_hooks(text, root)?;
        Ok(survey)
    }

    /// The groups of an event.
    pub fn event(&self, name: &str) -> Option<&EventGroups> {
        self.events.iter().find(|e| e.name == name)
    }

    /// Returns true if a trust entry hangs on a group's place, whoever the file belongs to.
    pub fn has_state_at(&self, event_key: &str, group: usize) -> bool {
        self.states.iter().any(|s| s.key.contains(&format!(":{event_key}:{group}:")))
    }

    fn read_root_values(&mut self, root: &Table) {
        let mut spans = Vec::new();
        value_spans(root, &mut spans);
        self.root_values = spans.len();
        self.last_root_value = spans.iter().map(|s| s.end).max();
    }

    fn read_notify(&mut self, text: &str, root: &Table) -> Result<(), ConfigError> {
        let Some((key, item)) = root.get_key_value("notify") else { return Ok(()) };
        let (value, start) = (item.span().unwrap_or_default(), key.span().unwrap_or_default().start);
        let argv = item.as_array().and_then(|a| a.iter().map(|v| v.as_str().map(str::to_owned)).collect());
        let argv = argv.ok_or_else(|| ConfigError::WrongType {
            line: line_number(text, start),
            what: "notify is not an array of strings".to_owned(),
        })?;
        self.notify = Some(Notify { argv, entry: start..value.end, value });
        Ok(())
    }

    fn read_hooks(&mut self, text: &str, root: &Table) -> Result<(), ConfigError> {
        let Some((key, item)) = root.get_key_value("hooks") else { return Ok(()) };
        let wrong = |at: Option<Span>, what: String| ConfigError::WrongType {
            line: line_number(text, at.unwrap_or_default().start),
            what,
        };
        let table =
            item.as_table_like().ok_or_else(|| wrong(key.span(), "hooks is not a table".to_owned()))?;
        self.hooks = match item {
            Item::Value(Value::InlineTable(_)) => HooksForm::Inline {
                brace: item.span().unwrap_or_default().start + 1,
                entries: entries(table),
            },
            _ => HooksForm::Tables,
        };
        for (name, value) in table.iter() {
            if name == "state" {
                self.read_states(value);
                continue;
            }
            let key_span = table.key(name).and_then(toml_edit::Key::span).unwrap_or_default();
            let groups = match value {
                Item::ArrayOfTables(tables) => {
                    tables.iter().map(|t| read_group(t, t.span(), parts_of(t))).collect()
                }
                Item::Value(Value::Array(array)) if array.iter().all(Value::is_inline_table) => array
                    .iter()
                    .filter_map(Value::as_inline_table)
                    .map(|t| read_group(t, None, t.span().into_iter().collect()))
                    .collect(),
                _ if crate::codex::events::HookEvent::named(name).is_some() => {
                    return Err(wrong(Some(key_span), format!("hooks.{name} is not an array of tables")));
                }
                _ => continue,
            };
            let array = value.as_array().map(|a| ArrayPlace {
                span: a.span().unwrap_or_default(),
                items: item_spans(a),
                entry: key_span.start..a.span().unwrap_or_default().end,
                in_inline_table: matches!(self.hooks, HooksForm::Inline { .. }),
            });
            self.events.push(EventGroups { name: name.to_owned(), groups, array });
        }
        Ok(())
    }

    fn read_states(&mut self, item: &Item) {
        let Some(states) = item.as_table_like() else { return };
        if let Item::Table(table) = item
            && !table.is_implicit()
            && !table.is_dotted()
        {
            self.state_header = table.span();
        }
        let inline = item.as_inline_table().filter(|t| !t.is_dotted());
        let items = entries(states);
        for (key, entry) in states.iter() {
            let field = |name: &str| entry.as_table_like().and_then(|t| t.get(name));
            let place = match inline.and_then(|t| t.span()) {
                Some(span) => StatePlace::Item {
                    open: span.start + 1,
                    index: items.iter().position(|(name, _)| name == key).unwrap_or_default(),
                    items: items.iter().map(|(_, s)| s.clone()).collect(),
                },
                None => {
                    let key_span = states.key(key).and_then(toml_edit::Key::span);
                    StatePlace::Lines(parts_of_item(key_span, entry))
                }
            };
            self.states.push(HookState {
                key: key.to_owned(),
                trusted_hash: field("trusted_hash").and_then(Item::as_str).map(str::to_owned),
                enabled: field("enabled").and_then(Item::as_bool),
                place,
            });
        }
    }
}

fn read_group(table: &dyn TableLike, header: Option<Span>, parts: Vec<Span>) -> Group {
    let one_level = table.get("command").and_then(|c| match c {
        Item::Value(Value::Array(words)) => words.get(0).and_then(Value::as_str).map(str::to_owned),
        other => other.as_str().and_then(command::program),
    });
    let mut group = Group {
        matcher: table.get("matcher").and_then(Item::as_str).map(str::to_owned),
        one_level,
        header,
        parts,
        ..Group::default()
    };
    match table.get("hooks") {
        Some(Item::ArrayOfTables(handlers)) => {
            group.handlers = handlers.iter().map(|t| read_handler(t, parts_of(t))).collect();
        }
        Some(Item::Value(Value::Array(array))) => {
            let tables = array.iter().filter_map(Value::as_inline_table);
            group.handlers = tables.map(|t| read_handler(t, t.span().into_iter().collect())).collect();
            group.array = array.span().map(|s| (s, item_spans(array)));
        }
        _ => {}
    }
    group
}

fn read_handler(table: &dyn TableLike, parts: Vec<Span>) -> Handler {
    let text = |name: &str| table.get(name).and_then(Item::as_str).map(str::to_owned);
    Handler {
        kind: text("type").unwrap_or_default(),
        command: command::KEYS.iter().find_map(|key| text(key)),
        command_span: command::KEYS.iter().find_map(|key| table.get(key)).and_then(Item::span),
        timeout_s: table.get("timeout").and_then(Item::as_integer).and_then(|t| u64::try_from(t).ok()),
        is_async: table.get("async").and_then(Item::as_bool).unwrap_or(false),
        status_message: text("statusMessage"),
        context_limit: table.get("additionalContextLimit").and_then(Item::as_integer),
        parts,
    }
}

impl ArrayPlace {
    /// Returns true if the array is one we wrote as a whole: a single item without any space around it.
    pub fn is_one_tight_item(&self) -> bool {
        matches!(&self.items[..], [only] if self.span == (only.start - 1..only.end + 1))
    }
}
