//! The results of the last scrubbings: a span repeats most of its texts, and the next span many of this one's.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

/// Remembers what became of texts of moderate length, each in a place that its digest decides.
#[derive(Default)]
pub struct Memo {
    places: Mutex<Vec<Option<Known>>>,
}

struct Known {
    text: Box<str>,
    /// `None` where it is the same.
    scrubbed: Option<Box<str>>,
}

impl Memo {
    /// Returns what `scrub` makes of a text, without calling it where that is remembered.
    pub fn scrubbed<'a>(&self, text: &'a str, scrub: impl FnOnce(&'a str) -> Cow<'a, str>) -> Cow<'a, str> {
        if text.len() > LONGEST {
            return scrub(text);
        }
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        // Whoever finds it in use is no slower without it.
        let Ok(mut places) = self.places.try_lock() else { return scrub(text) };
        if places.is_empty() {
            places.resize_with(PLACES, || None);
        }
        let place = &mut places[hasher.finish() as usize % PLACES];
        if let Some(known) = place.as_ref().filter(|known| *known.text == *text) {
            return known.scrubbed.as_deref().map_or(Cow::Borrowed(text), |s| Cow::Owned(s.to_owned()));
        }
        let scrubbed = scrub(text);
        let changed = match &scrubbed {
            Cow::Borrowed(same) if *same == text => None,
            other => Some(other.as_ref().into()),
        };
        *place = Some(Known { text: text.into(), scrubbed: changed });
        scrubbed
    }
}

/// All of them together take 4 MiB at the most.
const PLACES: usize = 512;
const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_scrubbed_once_while_remembered() {
        let (memo, calls) = (Memo::default(), std::cell::Cell::new(0));
        let scrub = |text: &str| {
            let scrubbed = memo.scrubbed(text, |text| {
                calls.set(calls.get() + 1);
                if text.contains('s') { Cow::Owned(text.replace('s', "*")) } else { Cow::Borrowed(text) }
            });
            scrubbed.into_owned()
        };
        for _ in 0..3 {
            assert_eq!((scrub("as").as_str(), scrub("b").as_str()), ("a*", "b"));
        }
        assert_eq!(calls.get(), 2);
        let long = "s".repeat(LONGEST + 1);
        assert_eq!((scrub(&long), scrub(&long)), ("*".repeat(LONGEST + 1), "*".repeat(LONGEST + 1)));
        assert_eq!(calls.get(), 4, "a long text is not remembered");
    }

    #[test]
    fn places_are_taken_anew() {
        let memo = Memo::default();
        for n in 0..10 * PLACES {
            let text = n.to_string();
            let scrubbed = memo.scrubbed(&text, |t| Cow::Owned(format!("<{t}>")));
            assert_eq!(scrubbed, format!("<{n}>"));
        }
    }
}
