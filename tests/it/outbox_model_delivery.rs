//! The delivery in the model of the outbox: batches on their way, what is heard of them, and how it is put down.

use super::{Rules, State, Step, TURNS, Turns, each};

/// What a flusher has on its way (`delivery::dispatch`).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Delivery {
    /// Turns that wait for a batch.
    waiting: Turns,
    flight: [Batch; 2],
    /// True if the backend has accepted something.
    proven: bool,
    /// True if a refusal has come before that: turns go alone.
    trial: bool,
    /// Refused alone, by a backend that had accepted nothing.
    suspects: Turns,
    /// True if no more batches are to be made.
    stop: bool,
    settling: Option<Settling>,
    worked: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Batch {
    step: BatchStep,
    /// What goes into its requests, the next one last.
    stack: Vec<Turns>,
    /// The turns whose acknowledgement was the last.
    group: Turns,
    heard: Turns,
    refused: Turns,
    /// Left unfinished, by a failure or a refusal that proves nothing.
    left: Turns,
    unproven: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum BatchStep {
    #[default]
    Absent,
    Request,
    /// Acknowledged, and not on the disk yet.
    Heard,
    /// Handed to the flusher.
    Back,
}

/// A batch that is being put down (`delivery::lane`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Settling {
    step: Rest,
    /// Acknowledged turns, and how many they were.
    heard: Turns,
    together: u32,
    /// Of them, those whose acknowledgement nothing on the disk tells.
    unsaved: Turns,
    refused: Turns,
    /// The turn that has made the first of its two steps.
    halfway: Turns,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rest {
    Note,
    Move,
}

impl Delivery {
    pub fn of(outbox: Turns) -> Delivery {
        Delivery { waiting: outbox, ..Delivery::default() }
    }

    /// What would be sent again if the flusher died now, and may be: acknowledged, and between that and the first
    /// thing that is put down about it.
    pub fn unheard(&self, outbox: Turns, saved: Turns) -> Turns {
        let heard = |batch: &Batch| match batch.step {
            BatchStep::Heard | BatchStep::Back => batch.group & !saved,
            _ => 0,
        };
        let settling = self.settling.as_ref().map_or(0, |settling| match settling.step {
            Rest::Note => settling.unsaved,
            Rest::Move if settling.together > 1 => 0,
            Rest::Move => settling.unsaved & outbox,
        });
        self.flight.iter().map(heard).fold(settling, |all, turns| all | turns)
    }

    fn tries_alone(&self) -> bool {
        self.trial && !self.proven
    }

    fn in_flight(&self) -> usize {
        self.flight.iter().filter(|batch| batch.step != BatchStep::Absent).count()
    }
}

impl State {
    /// Every step that a delivery may make next: the flusher's own, and those of the requests on their way.
    pub(super) fn deliver(&self, which: usize, rules: Rules, next: &mut Vec<State>) {
        let delivery = &self.delivery;
        for (at, batch) in delivery.flight.iter().enumerate() {
            match batch.step {
                BatchStep::Request => self.answers(which, at, rules, next),
                BatchStep::Heard => next.push(self.with(|s| s.hear(at, rules))),
                BatchStep::Absent | BatchStep::Back => {}
            }
        }
        if delivery.settling.is_some() {
            next.push(self.with(|s| s.put_down(rules)));
            return;
        }
        for at in 0..delivery.flight.len() {
            if delivery.flight[at].step == BatchStep::Back {
                next.push(self.with(|s| s.take_back(at, rules)));
            }
        }
        let one_by_one = delivery.tries_alone();
        let room = delivery.in_flight() < if one_by_one { 1 } else { delivery.flight.len() };
        if room && !delivery.stop && delivery.waiting != 0 {
            let most = if one_by_one { 1 } else { delivery.waiting.count_ones() };
            (1..=most).for_each(|turns| next.push(self.with(|s| s.start_batch(turns, rules))));
        }
        let idle = delivery.in_flight() == 0 && (delivery.stop || delivery.waiting == 0);
        if idle {
            next.push(self.with(|s| s.end_delivery(which)));
        }
    }

    /// Makes a batch of the first turns that wait.
    fn start_batch(&mut self, count: u32, rules: Rules) {
        let mut turns = 0;
        let newest = self.delivery.tries_alone() && self.delivery.suspects.count_ones() % 2 == 1;
        for _ in 0..count {
            let waiting = self.delivery.waiting;
            let first = if newest { 1 << waiting.ilog2() } else { waiting & waiting.wrapping_neg() };
            self.delivery.waiting &= !first;
            turns |= first;
        }
        // What a checkpoint covers goes into no request.
        let known = turns & self.saved;
        let sends = if rules.sends_before_move { turns & !known } else { 0 };
        let batch = Batch {
            step: if sends == 0 { BatchStep::Back } else { BatchStep::Request },
            stack: if sends == 0 { Vec::new() } else { vec![sends] },
            heard: turns & !sends,
            ..Batch::default()
        };
        let free = self.delivery.flight.iter_mut().find(|b| b.step == BatchStep::Absent);
        *free.unwrap() = batch;
    }

    /// What may become of a request.
    fn answers(&self, which: usize, at: usize, rules: Rules, next: &mut Vec<State>) {
        let group = *self.delivery.flight[at].stack.last().unwrap();
        if self.failures > 0 && which != TURNS {
            let fails = |s: &mut State| {
                s.failures -= 1;
                s.delivery.stop = true;
                s.delivery.flight[at].leave();
            };
            next.push(self.with(fails));
            if group & self.bad == 0 {
                // The connection breaks after the backend has taken it.
                next.push(self.with(|s| {
                    each(group, |turn| {
                        s.acknowledged[turn] += 1;
                        s.unheard[turn] += 1;
                    });
                    fails(s);
                }));
            }
        }
        next.push(self.with(|s| {
            if group & s.bad == 0 {
                each(group, |turn| s.acknowledged[turn] += 1);
                s.delivery.proven = true;
                let batch = &mut s.delivery.flight[at];
                batch.stack.pop();
                batch.group = group;
                batch.step = BatchStep::Heard;
            } else {
                s.refuse(at, group, rules);
            }
        }));
    }

    /// The backend refuses a request.
    fn refuse(&mut self, at: usize, group: Turns, rules: Rules) {
        let proven = self.delivery.proven;
        let batch = &mut self.delivery.flight[at];
        if !proven && rules.blames_proven_only {
            batch.unproven = true;
            return batch.leave();
        }
        batch.stack.pop();
        if group.count_ones() > 1 && rules.splits_until_alone {
            let mut first = 0;
            for _ in 0..group.count_ones() / 2 {
                let rest = group & !first;
                first |= rest & rest.wrapping_neg();
            }
            batch.stack.extend([group & !first, first]);
            return;
        }
        self.blamed_unproven |= !proven;
        let batch = &mut self.delivery.flight[at];
        batch.refused |= group;
        if batch.stack.is_empty() {
            batch.step = BatchStep::Back;
        }
    }

    /// A sender has heard an acknowledgement: where more is to be sent, it goes to the disk first, turn by turn.
    fn hear(&mut self, at: usize, rules: Rules) {
        let batch = &mut self.delivery.flight[at];
        let unsaved = batch.group & !self.saved;
        if !batch.stack.is_empty() && rules.saves_before_next_request && unsaved != 0 {
            self.saved |= unsaved & unsaved.wrapping_neg();
            return;
        }
        batch.heard |= batch.group;
        batch.step = if batch.stack.is_empty() { BatchStep::Back } else { BatchStep::Request };
    }

    /// The flusher takes a batch that was sent or left unfinished (`dispatch::take`).
    fn take_back(&mut self, at: usize, rules: Rules) {
        let batch = std::mem::take(&mut self.delivery.flight[at]);
        let delivery = &mut self.delivery;
        if batch.unproven {
            delivery.trial = true;
            match batch.left.count_ones() {
                1 => delivery.suspects |= batch.left,
                _ => delivery.waiting |= batch.left,
            }
            // Where nothing else is to be tried, the backend is at fault.
            delivery.stop |= delivery.waiting == 0 && delivery.in_flight() == 0 && !delivery.proven;
        } else {
            delivery.waiting |= batch.left;
        }
        if delivery.proven {
            delivery.waiting |= std::mem::take(&mut delivery.suspects);
        }
        if batch.heard | batch.refused != 0 {
            let unsaved = batch.group & !self.saved;
            let together = batch.heard.count_ones();
            let step = if together > 1 { Rest::Note } else { Rest::Move };
            let (heard, refused) = (batch.heard, batch.refused);
            self.delivery.settling = Some(Settling { step, heard, together, unsaved, refused, halfway: 0 });
            if step == Rest::Note && !rules.notes_before_move {
                self.put_down(rules);
            }
        }
    }

    /// One step of putting a batch down (`Lane::settle`).
    fn put_down(&mut self, rules: Rules) {
        let Some(mut settling) = self.delivery.settling.take() else { return };
        self.delivery.worked = true;
        let first = |turns: Turns| turns & turns.wrapping_neg();
        if settling.step == Rest::Note {
            if rules.notes_before_move {
                self.noted = settling.heard;
            }
            settling.step = Rest::Move;
        } else if settling.halfway != 0 {
            self.step_of_move(settling.halfway, !rules.moves_before_forgetting);
            settling.heard &= !settling.halfway;
            settling.halfway = 0;
            if !rules.forgets_note_last {
                self.noted = 0;
            }
        } else if settling.heard != 0 {
            settling.halfway = first(settling.heard);
            self.step_of_move(settling.halfway, rules.moves_before_forgetting);
        } else if settling.refused != 0 {
            let turn = first(settling.refused);
            self.outbox &= !turn;
            self.aside |= turn;
            self.saved &= !turn;
            settling.refused &= !turn;
        } else {
            self.noted = 0;
            return;
        }
        self.delivery.settling = Some(settling);
    }

    /// Moves a turn to the archive, or forgets its checkpoint.
    fn step_of_move(&mut self, turn: Turns, moves: bool) {
        if moves {
            self.outbox &= !turn;
            self.sent |= turn;
        } else {
            self.saved &= !turn;
        }
    }

    fn end_delivery(&mut self, which: usize) {
        let delivery = std::mem::take(&mut self.delivery);
        let flusher = &mut self.flushers[which];
        flusher.worked = delivery.worked;
        flusher.gave_up = delivery.stop;
        flusher.step = if delivery.stop { Step::Unlock } else { Step::Compare };
    }
}

impl Batch {
    fn leave(&mut self) {
        self.left = self.stack.drain(..).fold(0, |all, turns| all | turns);
        self.step = BatchStep::Back;
    }
}
