//! The outbox protocol as a model, checked in every state it can reach.
//!
//! Hooks freeze turns and start flushers; flushers take the lock, settle, deliver, let go and look again
//! (`delivery::close`, `delivery::assemble`, `delivery::flush`). Each step below is one operation on the file system
//! or one request, between any two of which every other process may act, be killed, or the backend fail. At the end
//! comes what always comes: one more hook, whose flusher nobody kills.
//!
//! Invariants: a closed turn is never in no directory; without kills and failures every turn is delivered by the
//! flushers of the hooks themselves, exactly once; with them, by the last flusher, and no turn is sent more
//! often than once and once for each acknowledgement that a kill made unheard. The protocol with any of its rules broken must be found out.

use std::collections::{HashSet, VecDeque};

const TURNS: usize = 3;

/// A set of turns.
type Turns = u8;

/// Rules that the protocol follows, and that are broken one at a time to see the checker notice.
#[derive(Clone, Copy)]
struct Rules {
    looks_again: bool,
    writes_before_start: bool,
    puts_before_drop: bool,
    acknowledged_before_move: bool,
    knows_what_was_sent: bool,
}

const RULES: Rules = Rules {
    looks_again: true,
    writes_before_start: true,
    puts_before_drop: true,
    acknowledged_before_move: true,
    knows_what_was_sent: true,
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    closing: Turns,
    outbox: Turns,
    sent: Turns,
    acknowledged: [u8; TURNS],
    hooks: [HookStep; TURNS],
    flushers: [Flusher; TURNS + 1],
    lock: Option<usize>,
    kills: u8,
    failures: u8,
    /// Flushers killed between an acknowledgement and the move after it.
    unnoticed: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum HookStep {
    First,
    Second,
    Done,
    /// Killed: the turn counts as open, and whoever looks after it closes it, perhaps once more.
    Killed,
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
    List,
    Take,
    DeliverFirst(u8),
    DeliverSecond(u8),
    Compare,
    Unlock,
    LookAgain,
    Gone,
}

impl State {
    fn start(kills: u8, failures: u8) -> State {
        State {
            closing: 0,
            outbox: 0,
            sent: 0,
            acknowledged: [0; TURNS],
            hooks: [HookStep::First; TURNS],
            flushers: Default::default(),
            lock: None,
            kills,
            failures,
            unnoticed: 0,
        }
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
            next.push(self.with(|s| s.flush(which, rules)));
            let last = which == TURNS;
            if self.kills > 0 && !last {
                next.push(self.with(|s| {
                    s.kills -= 1;
                    s.unnoticed += u8::from(matches!(flusher.step, Step::DeliverSecond(_)));
                    s.end(which);
                }));
            }
            if self.failures > 0 && !last && matches!(flusher.step, Step::DeliverFirst(_)) {
                next.push(self.with(|s| {
                    s.failures -= 1;
                    s.flushers[which].gave_up = true;
                    s.flushers[which].step = Step::Unlock;
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

    fn end(&mut self, which: usize) {
        self.flushers[which] = Flusher { step: Step::Gone, ..Flusher::default() };
        if self.lock == Some(which) {
            self.lock = None;
        }
    }

    /// One step of `delivery::flush::run`.
    fn flush(&mut self, which: usize, rules: Rules) {
        let mut own = self.flushers[which].clone();
        match own.step {
            Step::Absent | Step::Gone => {}
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
            Step::Settle => own.step = pick(&mut own.todo, Step::SettleFirst, Step::List),
            Step::SettleFirst(turn) => {
                self.settle(turn, rules.puts_before_drop, rules);
                own.step = Step::SettleSecond(turn);
            }
            Step::SettleSecond(turn) => {
                self.settle(turn, !rules.puts_before_drop, rules);
                own.step = Step::Settle;
            }
            Step::List => {
                own.todo = self.outbox;
                own.step = Step::Take;
            }
            Step::Take => own.step = pick(&mut own.todo, Step::DeliverFirst, Step::Compare),
            Step::DeliverFirst(turn) => {
                self.deliver(turn, rules.acknowledged_before_move);
                own.step = Step::DeliverSecond(turn);
            }
            Step::DeliverSecond(turn) => {
                self.deliver(turn, !rules.acknowledged_before_move);
                own.worked = true;
                own.step = Step::Take;
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
        if !put {
            self.closing &= !bit;
        } else if (self.outbox | if rules.knows_what_was_sent { self.sent } else { 0 }) & bit == 0 {
            self.outbox |= bit;
        }
    }

    fn deliver(&mut self, turn: u8, send: bool) {
        let bit = 1 << turn;
        if send {
            self.acknowledged[usize::from(turn)] += 1;
        } else if self.outbox & bit != 0 {
            self.outbox &= !bit;
            self.sent |= bit;
        }
    }

    /// What is wrong with the state, whoever may still act.
    fn wrong(&self) -> Option<&'static str> {
        let kept = self.closing | self.outbox | self.sent;
        for turn in 0..TURNS {
            let bit = 1 << turn;
            if self.hooks[turn] == HookStep::Done && kept & bit == 0 {
                return Some("a closed turn is in no folder");
            }
            if self.sent & bit != 0 && self.acknowledged[turn] == 0 && self.lock.is_none() {
                return Some("a turn counts as sent that no backend has");
            }
        }
        None
    }

    /// What is wrong when nobody acts any more, but for the last flusher.
    fn wrong_at_rest(&self, kills: u8, failures: u8, closed: Turns) -> Option<&'static str> {
        let last = self.flushers[TURNS].step == Step::Gone;
        let undisturbed = kills == self.kills && failures == self.failures;
        if (last || undisturbed) && self.sent & closed != closed {
            return Some("a closed turn is not delivered");
        }
        if self.acknowledged.iter().any(|n| *n > 1 + self.unnoticed) {
            return Some("a turn was sent again although its acknowledgement was not lost");
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

/// Visits every state; returns how many there are, or what is wrong with one of them.
fn explore(rules: Rules, kills: u8, failures: u8) -> Result<usize, (&'static str, State)> {
    let first = State::start(kills, failures);
    let mut seen = HashSet::from([first.clone()]);
    let mut open = VecDeque::from([first]);
    while let Some(state) = open.pop_front() {
        let next = state.next(rules);
        let starts_last = next.len() == 1 && next[0].flushers[TURNS].step == Step::Lock;
        let at_rest = next.is_empty() || (starts_last && state.flushers[TURNS].step == Step::Absent);
        let wrong = state.wrong().or_else(|| match at_rest {
            true => state.wrong_at_rest(kills, failures, state.closed()),
            false => None,
        });
        if let Some(why) = wrong {
            return Err((why, state));
        }
        for state in next {
            if seen.insert(state.clone()) {
                open.push_back(state);
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn outbox_model_loses_no_turn() {
    let mut states = 0;
    for (kills, failures) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)] {
        match explore(RULES, kills, failures) {
            Ok(count) => states += count,
            Err((why, state)) => panic!("{why} with {kills} kills and {failures} failures: {state:#?}"),
        }
    }
    assert!(states > 100_000, "only {states} states: the model has lost its processes");
    println!("{states} states");
}

#[test]
fn each_rule_of_the_protocol_is_needed() {
    let broken = [
        ("looks again", Rules { looks_again: false, ..RULES }),
        ("writes before it starts a flusher", Rules { writes_before_start: false, ..RULES }),
        ("puts before it drops", Rules { puts_before_drop: false, ..RULES }),
        ("moves what is acknowledged only", Rules { acknowledged_before_move: false, ..RULES }),
        ("knows what was sent", Rules { knows_what_was_sent: false, ..RULES }),
    ];
    for (rule, rules) in broken {
        assert!(explore(rules, 1, 0).is_err(), "nobody notices a flusher that no longer {rule}");
    }
}
