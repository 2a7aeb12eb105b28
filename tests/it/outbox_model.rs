//! The outbox protocol as a model, checked in every state it can reach.
//!
//! Hooks freeze turns and start flushers; flushers take the lock, settle, deliver, let go and look again
//! (`delivery::close`, `delivery::assemble`, `delivery::flush`). Each step below is one operation on the file system
//! or one request, between any two of which every other process may act, be killed, or the backend fail. At the end
//! comes what always comes: one more hook, whose flusher nobody kills.
//!
//! Turns go in batches of any size, two at a time ([`Delivery`]: `delivery::dispatch`, `send`, `lane`). A batch with a turn
//! that the backend refuses is split until that turn is alone.
//!
//! Invariants: a closed turn is never in no directory; without kills and failures every good turn is delivered by the
//! flushers of the hooks themselves, exactly once; with them, by the last flusher, and no turn is sent more often than
//! once and once for each acknowledgement that a kill made unheard. A bad turn is kept, and set aside only where the
//! backend has proven to take others; a good one never is. The protocol with any of its rules broken must be found out.

use std::collections::{HashSet, VecDeque};

use delivery::Delivery;

#[path = "outbox_model_delivery.rs"]
mod delivery;

/// The most turns of one exploration.
const TURNS: usize = 4;

/// A set of turns.
type Turns = u8;

/// Rules that the protocol follows, and that are broken one at a time to see the checker notice.
#[derive(Clone, Copy)]
struct Rules {
    looks_again: bool,
    writes_before_start: bool,
    puts_before_drop: bool,
    knows_what_was_sent: bool,
    sends_before_move: bool,
    notes_before_move: bool,
    settles_notes: bool,
    saves_before_next_request: bool,
    moves_before_forgetting: bool,
    forgets_note_last: bool,
    splits_until_alone: bool,
    blames_proven_only: bool,
}

const RULES: Rules = Rules {
    looks_again: true,
    writes_before_start: true,
    puts_before_drop: true,
    knows_what_was_sent: true,
    sends_before_move: true,
    notes_before_move: true,
    settles_notes: true,
    saves_before_next_request: true,
    moves_before_forgetting: true,
    forgets_note_last: true,
    splits_until_alone: true,
    blames_proven_only: true,
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    closing: Turns,
    outbox: Turns,
    sent: Turns,
    /// Set aside.
    aside: Turns,
    /// What the file `acknowledged` names.
    noted: Turns,
    /// Turns with a checkpoint, which says that they were acknowledged.
    saved: Turns,
    acknowledged: [u8; TURNS],
    /// Acknowledgements that a kill or a broken connection kept from being heard.
    unheard: [u8; TURNS],
    /// True if a turn was set aside while the backend had taken nothing in that run.
    blamed_unproven: bool,
    hooks: [HookStep; TURNS],
    flushers: [Flusher; TURNS + 1],
    lock: Option<usize>,
    /// What the flusher with the lock has on its way.
    delivery: Delivery,
    /// What the backend refuses.
    bad: Turns,
    kills: u8,
    failures: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum HookStep {
    First,
    Second,
    Done,
    /// Killed: the turn counts as open, and whoever looks after it closes it, perhaps once more.
    Killed,
    /// No turn of this exploration.
    Never,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Flusher {
    step: Step,
    /// The names seen before the round, or after it when the lock is let go.
    names: (Turns, Turns),
    /// What the step in hand goes through.
    todo: Turns,
    worked: bool,
    gave_up: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum Step {
    #[default]
    Absent,
    Lock,
    Names,
    Settle,
    SettleFirst(u8),
    SettleSecond(u8),
    /// Moves what a killed flusher has noted.
    Noted,
    List,
    Deliver,
    Compare,
    Unlock,
    LookAgain,
    Gone,
}

impl State {
    /// Hooks of as many turns, and nothing else yet.
    fn hooked(turns: usize, bad: Turns, kills: u8, failures: u8) -> State {
        let mut hooks = [HookStep::Never; TURNS];
        hooks[..turns].fill(HookStep::First);
        State {
            closing: 0,
            outbox: 0,
            sent: 0,
            aside: 0,
            noted: 0,
            saved: 0,
            acknowledged: [0; TURNS],
            unheard: [0; TURNS],
            blamed_unproven: false,
            hooks,
            flushers: Default::default(),
            lock: None,
            delivery: Delivery::default(),
            bad,
            kills,
            failures,
        }
    }

    /// Turns that wait in the outbox, and as many flushers as may be killed.
    fn waiting(turns: usize, bad: Turns, kills: u8, failures: u8) -> State {
        let mut state = State::hooked(0, bad, kills, failures);
        state.hooks[..turns].fill(HookStep::Done);
        state.outbox = (1 << turns) - 1;
        for flusher in &mut state.flushers[..=usize::from(kills)] {
            flusher.step = Step::Lock;
        }
        state
    }

    /// Every state one step away.
    fn next(&self, rules: Rules) -> Vec<State> {
        let mut next = Vec::new();
        for turn in 0..TURNS {
            if self.hooks[turn] == HookStep::Killed {
                next.push(self.with(|s| {
                    s.closing |= 1 << turn;
                    s.hooks[turn] = HookStep::Done;
                }));
            }
            if matches!(self.hooks[turn], HookStep::First | HookStep::Second) {
                next.push(self.with(|s| s.hook(turn, rules)));
                if self.kills > 0 {
                    next.push(self.with(|s| {
                        s.kills -= 1;
                        s.hooks[turn] = HookStep::Killed;
                    }));
                }
            }
        }
        let running = |f: &Flusher| !matches!(f.step, Step::Absent | Step::Gone);
        for (which, flusher) in self.flushers.iter().enumerate().filter(|(_, f)| running(f)) {
            if flusher.step == Step::Deliver {
                self.deliver(which, rules, &mut next);
            } else {
                next.push(self.with(|s| s.flush(which, rules)));
            }
            if self.kills > 0 && which != TURNS {
                next.push(self.with(|s| {
                    s.kills -= 1;
                    s.kill(which);
                }));
            }
        }
        if next.is_empty() && self.flushers[TURNS].step == Step::Absent {
            next.push(self.with(|s| s.flushers[TURNS].step = Step::Lock));
        }
        next
    }

    fn with(&self, change: impl FnOnce(&mut State)) -> State {
        let mut next = self.clone();
        change(&mut next);
        next
    }

    fn hook(&mut self, turn: usize, rules: Rules) {
        let write = (self.hooks[turn] == HookStep::First) == rules.writes_before_start;
        if write {
            self.closing |= 1 << turn;
        } else {
            self.flushers[turn].step = Step::Lock;
        }
        self.hooks[turn] =
            if self.hooks[turn] == HookStep::First { HookStep::Second } else { HookStep::Done };
    }

    fn kill(&mut self, which: usize) {
        if self.lock == Some(which) {
            let unheard = self.delivery.unheard(self.outbox, self.saved);
            each(unheard, |turn| self.unheard[turn] += 1);
        }
        self.end(which);
    }

    fn end(&mut self, which: usize) {
        self.flushers[which] = Flusher { step: Step::Gone, ..Flusher::default() };
        if self.lock == Some(which) {
            self.lock = None;
            self.delivery = Delivery::default();
        }
    }

    /// One step of `delivery::flush::run`, but for the delivery.
    fn flush(&mut self, which: usize, rules: Rules) {
        let mut own = self.flushers[which].clone();
        match own.step {
            Step::Absent | Step::Gone | Step::Deliver => {}
            Step::Lock if self.lock.is_some() => return self.end(which),
            Step::Lock => {
                self.lock = Some(which);
                own.step = Step::Names;
            }
            Step::Names => {
                own.names = (self.closing, self.outbox);
                own.worked = false;
                own.todo = self.closing;
                own.step = Step::Settle;
            }
            Step::Settle => own.step = pick(&mut own.todo, Step::SettleFirst, Step::Noted),
            Step::SettleFirst(turn) => {
                self.settle(turn, rules.puts_before_drop, rules);
                own.step = Step::SettleSecond(turn);
            }
            Step::SettleSecond(turn) => {
                self.settle(turn, !rules.puts_before_drop, rules);
                own.step = Step::Settle;
            }
            Step::Noted => {
                let left = if rules.settles_notes { self.noted & self.outbox } else { 0 };
                let first = left & left.wrapping_neg();
                self.outbox &= !first;
                self.sent |= first;
                self.saved &= !first;
                if left == 0 {
                    self.noted = 0;
                    own.step = Step::List;
                }
            }
            Step::List => {
                self.delivery = Delivery::of(self.outbox);
                own.step = Step::Deliver;
            }
            Step::Compare => {
                let after = (self.closing, self.outbox);
                let done = after == own.names && !own.worked;
                own.step = if done { Step::Unlock } else { Step::Names };
                own.names = if done { after } else { (0, 0) };
            }
            Step::Unlock => {
                self.lock = None;
                if own.gave_up || !rules.looks_again {
                    return self.end(which);
                }
                own.step = Step::LookAgain;
            }
            Step::LookAgain => {
                let new = (self.closing & !own.names.0) | (self.outbox & !own.names.1);
                if new == 0 {
                    return self.end(which);
                }
                own = Flusher { step: Step::Lock, ..Flusher::default() };
            }
        }
        self.flushers[which] = own;
    }

    fn settle(&mut self, turn: u8, put: bool, rules: Rules) {
        let bit = 1 << turn;
        let known = self.outbox | if rules.knows_what_was_sent { self.sent | self.aside } else { 0 };
        if !put {
            self.closing &= !bit;
        } else if known & bit == 0 {
            self.outbox |= bit;
        }
    }

    /// What is wrong with the state, whoever may still act.
    fn wrong(&self) -> Option<&'static str> {
        let kept = self.closing | self.outbox | self.sent | self.aside;
        for turn in 0..TURNS {
            let bit = 1 << turn;
            if self.hooks[turn] == HookStep::Done && kept & bit == 0 {
                return Some("a closed turn is in no folder");
            }
            if self.sent & bit != 0 && self.acknowledged[turn] == 0 && self.lock.is_none() {
                return Some("a turn counts as sent that no backend has");
            }
            if self.acknowledged[turn] > 1 + self.unheard[turn] {
                return Some("a turn was sent again although its acknowledgement was not lost");
            }
        }
        if self.aside & !self.bad != 0 {
            return Some("a good turn was set aside");
        }
        if self.blamed_unproven {
            return Some("a turn was blamed for what may be the backend's fault");
        }
        None
    }

    /// What is wrong when nobody acts any more, but for the last flusher.
    fn wrong_at_rest(&self, kills: u8, failures: u8) -> Option<&'static str> {
        let last = self.flushers[TURNS].step == Step::Gone;
        let undisturbed = kills == self.kills && failures == self.failures && self.bad == 0;
        let good = self.closed() & !self.bad;
        if (last || undisturbed) && self.sent & good != good {
            return Some("a closed turn is not delivered");
        }
        None
    }

    fn closed(&self) -> Turns {
        let closed = |turn: &usize| self.hooks[*turn] == HookStep::Done;
        (0..TURNS).filter(closed).fold(0, |turns, turn| turns | 1 << turn)
    }
}

fn pick(todo: &mut Turns, each: impl Fn(u8) -> Step, then: Step) -> Step {
    if *todo == 0 {
        return then;
    }
    let turn = todo.trailing_zeros() as u8;
    *todo &= *todo - 1;
    each(turn)
}

fn each(turns: Turns, mut act: impl FnMut(usize)) {
    (0..TURNS).filter(|turn| turns & 1 << turn != 0).for_each(&mut act);
}

/// Visits every state; returns how many there are, or what is wrong with one of them.
fn explore(first: State, rules: Rules) -> Result<usize, Box<(&'static str, State)>> {
    let (kills, failures) = (first.kills, first.failures);
    let mut seen = HashSet::from([first.clone()]);
    let mut open = VecDeque::from([first]);
    while let Some(state) = open.pop_front() {
        let next = state.next(rules);
        let starts_last = next.len() == 1 && next[0].flushers[TURNS].step == Step::Lock;
        let at_rest = next.is_empty() || (starts_last && state.flushers[TURNS].step == Step::Absent);
        let wrong = state.wrong().or_else(|| match at_rest {
            true => state.wrong_at_rest(kills, failures),
            false => None,
        });
        if let Some(why) = wrong {
            return Err(Box::new((why, state)));
        }
        for state in next {
            if seen.insert(state.clone()) {
                open.push_back(state);
            }
        }
    }
    Ok(seen.len())
}

fn explore_all(starts: impl IntoIterator<Item = State>) -> usize {
    let explored = starts.into_iter().map(|start| match explore(start.clone(), RULES) {
        Ok(count) => count,
        Err(found) => panic!("{}: from {start:#?}\nto {:#?}", found.0, found.1),
    });
    explored.sum()
}

#[test]
fn outbox_model_loses_no_turn() {
    let three = [(0, 0), (0, 1), (1, 0)].map(|(kills, failures)| State::hooked(3, 0, kills, failures));
    let two = [(1, 1), (2, 0)].map(|(kills, failures)| State::hooked(2, 0, kills, failures));
    let states = explore_all(three.into_iter().chain(two));
    assert!(states > 100_000, "only {states} states: the model has lost its processes");
    println!("{states} states");
}

#[test]
fn outbox_model_batches_lose_no_turn() {
    let mut starts = Vec::new();
    // No bad turn, one in each place, two and more.
    for bad in [0, 1, 2, 4, 8, 0b0011, 0b0110, 0b1111] {
        starts.extend([(0, 0), (1, 0), (0, 1)].map(|(k, f)| State::waiting(TURNS, bad, k, f)));
    }
    for bad in 0..1 << (TURNS - 1) {
        starts.extend([(2, 0), (1, 1)].map(|(k, f)| State::waiting(TURNS - 1, bad, k, f)));
    }
    // A turn that comes meanwhile, with a bad one among those there.
    starts.extend([1, 2].map(|bad| State::hooked(2, bad, 1, 0)));
    let states = explore_all(starts);
    assert!(states > 100_000, "only {states} states: the model has lost its batches");
    println!("{states} states of batches");
}

#[test]
fn each_rule_of_the_protocol_is_needed() {
    let broken = [
        ("looks again", Rules { looks_again: false, ..RULES }),
        ("writes before it starts a flusher", Rules { writes_before_start: false, ..RULES }),
        ("puts before it drops", Rules { puts_before_drop: false, ..RULES }),
        ("knows what was sent", Rules { knows_what_was_sent: false, ..RULES }),
    ];
    for (rule, rules) in broken {
        assert!(
            explore(State::hooked(3, 0, 1, 0), rules).is_err(),
            "nobody notices a flusher that no longer {rule}"
        );
    }
}

#[test]
fn each_rule_of_the_batches_is_needed() {
    let broken = [
        ("moves what is acknowledged only", Rules { sends_before_move: false, ..RULES }),
        ("notes what moves", Rules { notes_before_move: false, ..RULES }),
        ("moves what was noted first", Rules { settles_notes: false, ..RULES }),
        ("saves before the next request", Rules { saves_before_next_request: false, ..RULES }),
        ("keeps a checkpoint until the turn has moved", Rules { moves_before_forgetting: false, ..RULES }),
        ("keeps its note until all have moved", Rules { forgets_note_last: false, ..RULES }),
        ("splits until the bad turn is alone", Rules { splits_until_alone: false, ..RULES }),
        ("blames turns where the backend is proven", Rules { blames_proven_only: false, ..RULES }),
    ];
    for (rule, rules) in broken {
        let found = (0..1 << 3).any(|bad| explore(State::waiting(3, bad, 2, 0), rules).is_err());
        assert!(found, "nobody notices a flusher that no longer {rule}");
    }
}
