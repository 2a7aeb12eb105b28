//! The tool calls of a turn while it is being reported: found by their ids, and by the little that is known of all at once.

use std::collections::HashMap;

use crate::ids::digest;
use crate::time::Timestamp;
use crate::turn::fold::draft::ToolDraft;
use crate::turn::shelf::{Item, Scratch, Shelf};

/// The calls in the order in which something was first heard of them.
pub(super) struct Tools {
    drafts: Shelf<ToolDraft>,
    /// What decides whether a call has to be looked at, one for each.
    briefs: Vec<Brief>,
    /// The place of the newest call of an id, by the id's digest.
    by_call: HashMap<u64, u32>,
}

/// What is known of a call without fetching it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Brief {
    pub hook_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Somebody was asked whether it may run.
    pub asked: bool,
    pub script: bool,
    pub nested: bool,
    /// An event reported it and no request did.
    pub hosted_alone: bool,
}

impl Brief {
    fn of(draft: &ToolDraft) -> Brief {
        Brief {
            hook_at: draft.hook_at,
            finished_at: draft.finished_at,
            asked: draft.asked.is_some(),
            script: draft.is_script(),
            nested: draft.is_nested(),
            hosted_alone: draft.request.is_none() && draft.is_hosted_detail(),
        }
    }
}

impl Tools {
    pub fn new(scratch: &Scratch) -> Tools {
        Tools { drafts: Shelf::new(scratch), briefs: Vec::new(), by_call: HashMap::new() }
    }

    pub fn len(&self) -> usize {
        self.briefs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.briefs.is_empty()
    }

    pub fn briefs(&self) -> &[Brief] {
        &self.briefs
    }

    /// Returns the call at a place, as in [`Tools::change`].
    pub fn at(&self, place: usize) -> Item<'_, ToolDraft> {
        self.drafts.at(place)
    }

    pub fn into_drafts(self) -> impl Iterator<Item = ToolDraft> {
        self.drafts.into_items()
    }

    /// Returns the place of a call, which is a new one when nothing was heard of the id before.
    pub fn place(&mut self, call_id: &str, at: Timestamp) -> usize {
        if let Some(known) = self.by_call.get(&digest(call_id)) {
            return *known as usize;
        }
        // Calls beyond any real turn's are reported as one.
        match self.len() > MAX_TOOLS {
            true => MAX_TOOLS,
            false => self.push(ToolDraft::new(call_id, at)),
        }
    }

    /// Changes the call at a place, which [`Tools::place`] or the number of calls gave.
    pub fn change<T>(&mut self, place: usize, change: impl FnOnce(&mut ToolDraft) -> T) -> T {
        let draft = self.drafts.at_mut(place);
        let changed = change(draft);
        self.briefs[place] = Brief::of(draft);
        changed
    }

    pub fn contains(&self, call_id: &str) -> bool {
        self.by_call.contains_key(&digest(call_id))
    }

    /// Begins another call under an id whose call is done: not every model gives each call an id of its own.
    pub fn renew(&mut self, call_id: &str, at: Timestamp, done: impl Fn(&ToolDraft) -> bool) {
        let taken = self.by_call.get(&digest(call_id)).map(|place| self.drafts.at(*place as usize));
        let Some(repeat) = taken.filter(|t| done(t)).map(|t| t.repeat + 1) else { return };
        if self.len() < MAX_TOOLS {
            let mut draft = ToolDraft::new(call_id, at);
            draft.repeat = repeat;
            self.push(draft);
        }
    }

    fn push(&mut self, draft: ToolDraft) -> usize {
        let place = self.len();
        self.by_call.insert(digest(&draft.call_id), u32::try_from(place).unwrap_or(u32::MAX));
        self.briefs.push(Brief::of(&draft));
        self.drafts.push(draft);
        place
    }
}

const MAX_TOOLS: usize = 100_000;
