//! Takes our entries out of a config.toml without moving anybody else's hook that has been trusted.

use std::ops::Range;

use crate::codex::events::HookEvent;
use crate::codex::hooks_config::ranges::part_lines;
use crate::codex::hooks_config::splice::{
    Splices, delete_items, line_before, line_break, line_end, line_start,
};
use crate::codex::hooks_config::survey::{EventGroups, Group, HooksForm, Owner, StatePlace, Survey};
use crate::codex::hooks_config::{Change, ConfigError, MARK, PLACE_MARK, command, with_same_end};

/// Takes out every group, handler and trust entry of ours.
pub fn take_out_hooks(
    text: &str,
    config_paths: &[String],
    changes: &mut Vec<Change>,
) -> Result<String, ConfigError> {
    let survey = Survey::of(text)?;
    let mut splices = Splices::default();
    let mut keys = Vec::new();
    let mut dead_entries = Vec::new();
    for event in &survey.events {
        let event_key =
            HookEvent::named(&event.name).map_or_else(|| snake(&event.name), |e| e.key.to_owned());
        let ours: Vec<usize> =
            (0..event.groups.len()).filter(|n| event.groups[*n].owner() != Owner::Other).collect();
        for group in &ours {
            let handlers = event.groups[*group].handlers.iter().enumerate().filter(|(_, h)| h.is_ours());
            keys.extend(handlers.map(|(n, _)| format!("{event_key}:{group}:{n}")));
        }
        let take = TakeOut { text, survey: &survey, event, event_key: &event_key };
        let placeholders = take.placeholders();
        if !ours.is_empty() || !placeholders.is_empty() {
            let all: Vec<usize> = ours.iter().chain(&placeholders).copied().collect();
            if take.groups(&all, &mut splices, changes) {
                dead_entries.push(event.name.clone());
            }
        }
    }
    if let HooksForm::Inline { brace, entries } = &survey.hooks {
        let gone: Vec<bool> = entries.iter().map(|(name, _)| dead_entries.contains(name)).collect();
        let spans: Vec<_> = entries.iter().map(|(_, span)| span.clone()).collect();
        delete_items(text, *brace, &spans, &gone, &mut splices);
    }
    take_out_states(text, &survey, config_paths, &keys, &mut splices, changes);
    Ok(with_same_end(text, splices.apply(text)))
}

/// The trust entries of our own hooks: this file's path, then event, group and handler.
fn take_out_states(
    text: &str,
    survey: &Survey,
    config_paths: &[String],
    keys: &[String],
    splices: &mut Splices,
    changes: &mut Vec<Change>,
) {
    let is_ours = |key: &str| {
        config_paths.iter().any(|path| {
            key.strip_prefix(path.as_str())
                .and_then(|k| k.strip_prefix(':'))
                .is_some_and(|k| keys.iter().any(|o| o == k))
        })
    };
    let gone: Vec<bool> = survey.states.iter().map(|s| is_ours(&s.key)).collect();
    let count = gone.iter().filter(|g| **g).count();
    if count == 0 {
        return;
    }
    changes.push(Change::TrustTakenOut(count));
    if let Some(StatePlace::Item { open, items, .. }) = survey.states.first().map(|s| &s.place) {
        let mut flags = vec![false; items.len()];
        for (state, gone) in survey.states.iter().zip(&gone) {
            if let (StatePlace::Item { index, .. }, true) = (&state.place, gone) {
                flags[*index] = true;
            }
        }
        return delete_items(text, *open, items, &flags, splices);
    }
    for (state, _) in survey.states.iter().zip(&gone).filter(|(_, gone)| **gone) {
        if let StatePlace::Lines(parts) = &state.place {
            delete_lines(text, parts, splices);
        }
    }
    if let Some(header) = survey.state_header.clone().filter(|_| gone.iter().all(|g| *g)) {
        delete_lines(text, &[header], splices);
    }
}

/// Deletes lines, and the blank line before them when they begin with a header.
fn delete_lines(text: &str, parts: &[Range<usize>], splices: &mut Splices) {
    for (n, lines) in part_lines(text, parts).into_iter().enumerate() {
        let mut start = lines.start;
        if n == 0 && text[start..].starts_with('[') {
            start = above_ours(text, start);
        }
        splices.delete(start..lines.end);
    }
}

/// Returns where our mark and the one blank line above a header begin.
fn above_ours(text: &str, header: usize) -> usize {
    let mut start = header;
    while let Some((line, content)) = line_before(text, start)
        && (content == MARK || content == PLACE_MARK)
    {
        start = line.start;
    }
    match line_before(text, start) {
        Some((line, "")) => line.start,
        _ => start,
    }
}

/// Groups of one event to be taken out.
pub struct TakeOut<'a> {
    pub text: &'a str,
    pub survey: &'a Survey,
    pub event: &'a EventGroups,
    pub event_key: &'a str,
}

impl TakeOut<'_> {
    /// Takes the given groups out, leaving an empty one where a trusted hook comes after.
    /// Returns whether the event's key in an inline table goes with them.
    pub fn groups(&self, indices: &[usize], splices: &mut Splices, changes: &mut Vec<Change>) -> bool {
        let mut gone = vec![false; self.event.groups.len()];
        for index in indices {
            let group = &self.event.groups[*index];
            if group.owner() == Owner::Mixed {
                self.handlers(*index, splices, changes);
                continue;
            }
            if self.holds_a_place(*index, indices) {
                if !is_empty(group) {
                    self.leave_place(*index, splices);
                    changes.push(Change::PlaceKept(self.event.name.clone()));
                }
                continue;
            }
            gone[*index] = true;
            if !is_empty(group) {
                changes.push(Change::TakenOut(self.event.name.clone()));
            }
            if group.header.is_some() {
                delete_lines(self.text, &group.parts, splices);
            }
        }
        let Some(array) = self.event.array.as_ref().filter(|_| gone.contains(&true)) else { return false };
        if gone.iter().all(|g| *g) && array.is_one_tight_item() {
            if !array.in_inline_table {
                splices
                    .delete(line_start(self.text, array.entry.start)..line_end(self.text, array.entry.end));
            }
            return array.in_inline_table;
        }
        delete_items(self.text, array.span.start + 1, &array.items, &gone, splices);
        false
    }

    /// Groups left empty by an earlier removal.
    fn placeholders(&self) -> Vec<usize> {
        let is_ours = |index: &usize| {
            let group = &self.event.groups[*index];
            match (&group.header, &self.event.array) {
                (Some(header), _) => {
                    let above = line_before(self.text, line_start(self.text, header.start));
                    is_empty(group) && above.is_some_and(|(_, content)| content == PLACE_MARK)
                }
                (None, Some(array)) => &self.text[array.items[*index].clone()] == EMPTY_ELEMENT,
                (None, None) => false,
            }
        };
        (0..self.event.groups.len()).filter(is_ours).collect()
    }

    /// Returns true if a later group that stays has been reviewed, so that moving it would lose the trust in
    /// it.
    fn holds_a_place(&self, index: usize, going: &[usize]) -> bool {
        (index + 1..self.event.groups.len()).any(|later| {
            let stays = !going.contains(&later) || self.event.groups[later].owner() == Owner::Mixed;
            stays && self.survey.has_state_at(self.event_key, later)
        })
    }

    fn leave_place(&self, index: usize, splices: &mut Splices) {
        let (text, group) = (self.text, &self.event.groups[index]);
        match (&group.header, &self.event.array) {
            (Some(header), _) => {
                let end = line_break(text);
                let (start, after) = (line_start(text, header.start), line_end(text, header.end));
                if let Some((line, MARK)) = line_before(text, start) {
                    splices.delete(line);
                }
                splices.insert(start, format!("{PLACE_MARK}{end}"));
                for lines in part_lines(text, &group.parts) {
                    splices.delete(lines.start.max(after)..lines.end.max(after));
                }
                splices.insert(after, format!("hooks = []{end}"));
            }
            (None, Some(array)) => splices.replace(array.items[index].clone(), EMPTY_ELEMENT),
            (None, None) => {}
        }
    }

    /// Takes our handlers out of a group that somebody has put others into as well.
    fn handlers(&self, index: usize, splices: &mut Splices, changes: &mut Vec<Change>) {
        let group = &self.event.groups[index];
        let gone: Vec<bool> =
            group.handlers.iter().map(crate::codex::hooks_config::survey::Handler::is_ours).collect();
        let first = gone.iter().position(|g| *g).unwrap_or(gone.len());
        changes.push(Change::TakenOut(self.event.name.clone()));
        if gone[first..].contains(&false) {
            changes.push(Change::Moved(self.event.name.clone()));
        }
        match &group.array {
            Some((span, items)) => delete_items(self.text, span.start + 1, items, &gone, splices),
            None => {
                for (handler, _) in group.handlers.iter().zip(&gone).filter(|(_, gone)| **gone) {
                    delete_lines(self.text, &handler.parts, splices);
                }
            }
        }
    }
}

fn is_empty(group: &Group) -> bool {
    group.handlers.is_empty() && group.one_level.is_none()
}

/// Puts back what `notify` was before ours; without anything to put back, takes the line out.
pub fn restore_notify(
    text: &str,
    restore: Option<&str>,
    changes: &mut Vec<Change>,
) -> Result<String, ConfigError> {
    let survey = Survey::of(text)?;
    let Some(found) = &survey.notify else { return Ok(text.to_owned()) };
    if !found.argv.first().is_some_and(|program| command::is_notify(program)) {
        if calls_ours(&found.argv) {
            changes.push(Change::NotifyLeft);
        }
        return Ok(text.to_owned());
    }
    let mut splices = Splices::default();
    if let Some(source) = restore {
        changes.push(Change::NotifyRestored);
        splices.replace(found.value.clone(), source);
        return Ok(splices.apply(text));
    }
    changes.push(Change::NotifyTakenOut);
    let start = line_start(text, found.entry.start);
    let mut end = line_end(text, found.entry.end);
    // Where no other value stands at the top level, the line was written with a blank one after it.
    let was_alone = survey.root_values == 1 && survey.first_header.is_some_and(|header| header > end);
    if was_alone && matches!(text[end..line_end(text, end)].trim_end_matches('\r'), "\n" | "\r\n") {
        end = line_end(text, end);
    }
    splices.delete(start..end);
    Ok(with_same_end(text, splices.apply(text)))
}

/// Returns true if another program's `notify` hands the call on to ours, as some take the previous program
/// along in an argument of their own.
pub fn calls_ours(argv: &[String]) -> bool {
    argv.iter().skip(1).any(|word| word.contains(command::NOTIFY_NAME) && !command::is_notify(word))
}

fn snake(name: &str) -> String {
    let mut key = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !key.is_empty() {
            key.push('_');
        }
        key.extend(c.to_lowercase());
    }
    key
}

const EMPTY_ELEMENT: &str = "{ matcher = \"kept empty by arize-codex\", hooks = [] }";
