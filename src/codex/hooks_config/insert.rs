//! Puts our entries into a config.toml: rewrites old ones at their place, appends missing ones, sets `notify`.

use std::ops::Range;

use crate::codex::events::{EVENTS, HookEvent};
use crate::codex::hooks_config::ranges::part_lines;
use crate::codex::hooks_config::remove;
use crate::codex::hooks_config::remove::TakeOut;
use crate::codex::hooks_config::splice;
use crate::codex::hooks_config::splice::{Splices, line_break, line_end, line_start};
use crate::codex::hooks_config::survey::{EventGroups, Group, HooksForm, Owner, Survey};
use crate::codex::hooks_config::trust;
use crate::codex::hooks_config::trust::ListedHook;
use crate::codex::hooks_config::{
    Change, ConfigError, Executables, ForeignNotify, MARK, command, toml_string, with_same_end,
};

/// Rewrites entries of ours that would not run, or run another edition, and takes out doubles.
pub fn migrate(text: &str, ours: &Executables, changes: &mut Vec<Change>) -> Result<String, ConfigError> {
    let survey = Survey::of(text)?;
    let mut splices = Splices::default();
    for event in &EVENTS {
        let Some(found) = survey.event(event.name) else { continue };
        let Some(keeper) = keeper(found, event, ours) else { continue };
        let group = &found.groups[keeper];
        if !is_right(group, event, ours) || was_trusted_as_written(&survey, keeper, group, event, ours) {
            rewrite(text, found, keeper, event, ours, &mut splices);
            changes.push(Change::Rewritten(event.name.to_owned()));
        }
        let doubles: Vec<usize> = (0..found.groups.len())
            .filter(|n| *n != keeper && found.groups[*n].owner() != Owner::Other)
            .collect();
        if !doubles.is_empty() {
            TakeOut { text, survey: &survey, event: found, event_key: event.key }.groups(
                &doubles,
                &mut splices,
                changes,
            );
        }
    }
    Ok(with_same_end(text, splices.apply(text)))
}

/// The group that stays: the first that runs as it should, else the first of ours.
fn keeper(found: &EventGroups, event: &HookEvent, ours: &Executables) -> Option<usize> {
    let with = |owner: Owner| found.groups.iter().position(|g| g.owner() == owner);
    let right = found.groups.iter().position(|g| is_right(g, event, ours));
    right.or_else(|| with(Owner::Ours)).or_else(|| with(Owner::Mixed))
}

/// Returns true if a group runs our executable for the event, in whatever wording the user has given it.
fn is_right(group: &Group, event: &HookEvent, ours: &Executables) -> bool {
    let mut handlers = group.handlers.iter().filter(|h| h.is_ours());
    match (handlers.next(), handlers.next()) {
        (Some(handler), None) => {
            let program = handler.command.as_deref().and_then(command::program);
            handler.kind == "command" && program.as_deref() == Some(ours.path(event.role))
        }
        _ => false,
    }
}

/// Returns true if a group no longer reads as we write it, and Codex still trusts just that wording: writing
/// it so again is all it takes to run.
fn was_trusted_as_written(
    survey: &Survey,
    index: usize,
    group: &Group,
    event: &HookEvent,
    ours: &Executables,
) -> bool {
    let written = ListedHook {
        event: event.name.to_owned(),
        group: index,
        handler: 0,
        matcher: None,
        command: ours.command(event),
        timeout_s: event.timeout_s,
        is_async: false,
        status_message: None,
        context_limit: None,
        ours: true,
    };
    let (place, hash) = (format!(":{}", written.place()), written.hash());
    let trusted = || {
        let here = survey.states.iter().filter(|s| s.key.ends_with(&place));
        here.filter_map(|s| s.trusted_hash.as_deref()).collect::<Vec<_>>()
    };
    let now = trust::list(survey).into_iter().find(|h| h.event == event.name && h.group == index);
    group.owner() == Owner::Ours && now.is_some_and(|h| h.hash() != hash) && trusted() == [hash.as_str()]
}

fn rewrite(
    text: &str,
    found: &EventGroups,
    index: usize,
    event: &HookEvent,
    ours: &Executables,
    splices: &mut Splices,
) {
    let group = &found.groups[index];
    if group.owner() == Owner::Mixed {
        let stale = group.handlers.iter().find(|h| h.is_ours()).and_then(|h| h.command_span.clone());
        if let Some(span) = stale {
            splices.replace(span, toml_string(&ours.command(event)));
        }
        return;
    }
    match (&group.header, &found.array) {
        (Some(header), _) => {
            let at = line_end(text, header.end);
            for lines in part_lines(text, &group.parts) {
                splices.delete(lines.start.max(at)..lines.end.max(at));
            }
            splices.insert(at, handler_lines(event, ours, line_break(text)));
        }
        (None, Some(array)) => splices.replace(array.items[index].clone(), element(event, ours)),
        (None, None) => {}
    }
}

/// Registers the events that have no entry of ours yet.
pub fn add_missing(text: &str, ours: &Executables, changes: &mut Vec<Change>) -> Result<String, ConfigError> {
    let survey = Survey::of(text)?;
    let mut splices = Splices::default();
    let mut appended = Vec::new();
    let mut entries = Vec::new();
    for event in &EVENTS {
        let found = survey.event(event.name);
        if found.is_some_and(|f| f.groups.iter().any(|g| g.owner() != Owner::Other)) {
            continue;
        }
        changes.push(Change::Added(event.name.to_owned()));
        match (found.and_then(|f| f.array.as_ref()), &survey.hooks) {
            (Some(array), _) => {
                append_item(text, &array.span, &array.items, &element(event, ours), &mut splices);
            }
            (None, HooksForm::Inline { .. }) => {
                entries.push(format!("{} = [{}]", event.name, element(event, ours)));
            }
            (None, _) => appended.push(event),
        }
    }
    if let HooksForm::Inline { brace, entries: present } = &survey.hooks
        && !entries.is_empty()
    {
        match present.last() {
            Some((_, last)) => splices.insert(last.end, format!(", {}", entries.join(", "))),
            None => splices.insert(*brace, format!(" {}", entries.join(", "))),
        }
    }
    let edited = splices.apply(text);
    Ok(if appended.is_empty() { edited } else { append_groups(edited, &appended, ours) })
}

/// Adds `[[hooks.X]]` groups at the end of the file, each after one blank line.
fn append_groups(mut text: String, events: &[&HookEvent], ours: &Executables) -> String {
    let end = line_break(&text);
    let is_open = !text.is_empty() && !text.ends_with('\n');
    if is_open {
        text.push_str(end);
    }
    let mut mark = !text.lines().any(|line| line == MARK);
    for event in events {
        if !text.trim_start_matches(splice::BYTE_ORDER_MARK).is_empty() {
            text.push_str(end);
        }
        if std::mem::take(&mut mark) {
            text.push_str(&format!("{MARK}{end}"));
        }
        text.push_str(&format!("[[hooks.{}]]{end}{}", event.name, handler_lines(event, ours, end)));
    }
    if is_open {
        text.truncate(text.len() - end.len());
    }
    text
}

/// Adds an item after the last one, in the manner of the items that are there.
fn append_item(text: &str, array: &Range<usize>, items: &[Range<usize>], item: &str, splices: &mut Splices) {
    let Some(last) = items.last() else {
        return splices.insert(array.start + 1, format!(" {item}"));
    };
    let Some(comma) = splice::comma_after(text, last.end) else {
        return splices.insert(last.end, format!(", {item}"));
    };
    let indent = &text[line_start(text, last.start)..last.start];
    if !indent.trim().is_empty() {
        return splices.insert(comma, format!(" {item},"));
    }
    let line = text[comma..line_end(text, comma)].trim_end_matches(['\r', '\n']);
    let rest = line.trim_start();
    let at = if rest.is_empty() || rest.starts_with('#') { comma + line.len() } else { comma };
    splices.insert(at, format!("{}{indent}{item},", line_break(text)));
}

fn handler_lines(event: &HookEvent, ours: &Executables, end: &str) -> String {
    let command = toml_string(&ours.command(event));
    format!(
        "[[hooks.{}.hooks]]{end}type = \"command\"{end}command = {command}{end}timeout = {}{end}",
        event.name, event.timeout_s
    )
}

fn element(event: &HookEvent, ours: &Executables) -> String {
    let command = toml_string(&ours.command(event));
    format!("{{ hooks = [{{ type = \"command\", command = {command}, timeout = {} }}] }}", event.timeout_s)
}

/// Makes `notify` ours and returns what another tool had there.
pub fn set_notify(
    text: &str,
    ours: &Executables,
    changes: &mut Vec<Change>,
) -> Result<(String, Option<ForeignNotify>), ConfigError> {
    let survey = Survey::of(text)?;
    let value = format!("[{}]", toml_string(&ours.notify));
    let mut splices = Splices::default();
    let Some(found) = survey.notify.as_ref() else {
        changes.push(Change::NotifySet);
        return Ok((insert_notify(text, &survey, &value), None));
    };
    if found.argv.first() == Some(&ours.notify) && found.argv.len() == 1 {
        return Ok((text.to_owned(), None));
    }
    if found.argv.first().is_some_and(|program| command::is_notify(program)) {
        changes.push(Change::Rewritten("notify".to_owned()));
        splices.replace(found.value.clone(), value);
        return Ok((splices.apply(text), None));
    }
    if remove::calls_ours(&found.argv) {
        changes.push(Change::NotifyLeft);
        return Ok((text.to_owned(), None));
    }
    changes.push(Change::NotifyReplaced);
    // An argument that is our own path never made anything run; it was left there by an earlier installer.
    let argv = found.argv.iter().filter(|word| !command::is_notify(word)).cloned().collect();
    let foreign = ForeignNotify { argv, source: text[found.value.clone()].to_owned() };
    splices.replace(found.value.clone(), value);
    Ok((splices.apply(text), Some(foreign)))
}

/// Writes the line after the last top-level value; without one, before the first table and its comment.
fn insert_notify(text: &str, survey: &Survey, value: &str) -> String {
    let end = line_break(text);
    let mut splices = Splices::default();
    let at = match (survey.last_root_value, survey.first_header) {
        (Some(last), _) => line_end(text, last),
        (None, Some(header)) => {
            splices.insert(above_comment(text, header), format!("notify = {value}{end}{end}"));
            return splices.apply(text);
        }
        (None, None) => text.len(),
    };
    let open = at == text.len() && !text[line_start(text, at)..].is_empty();
    splices
        .insert(at, if open { format!("{end}notify = {value}") } else { format!("notify = {value}{end}") });
    splices.apply(text)
}

/// The start of the comment lines right above a header; directives at the top of the file stay above.
fn above_comment(text: &str, header: usize) -> usize {
    let mut at = line_start(text, header);
    while let Some((line, content)) = splice::line_before(text, at) {
        let comment = content.trim_start();
        if !comment.starts_with('#') || comment.starts_with("#:") {
            break;
        }
        at = line.start;
    }
    at
}
