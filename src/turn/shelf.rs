//! A list longer than the memory: of many items only those used lately are in memory, the others lie in a scratch file.
//!
//! A turn of 100,000 calls has hundreds of megabytes of content. The fold and the span builder go through it from the
//! beginning to the end, or look at what was there a moment ago, so a few items in memory are enough. A list of ordinary
//! length never touches a file. When the file cannot be written, everything stays in memory; when it cannot be read back,
//! [`Scratch::check`] says so, and nothing made of the list may be kept.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::path::PathBuf;
use std::rc::Rc;

use crate::file;
use crate::platform;

/// A list whose items may lie in a scratch file.
pub struct Shelf<T> {
    slots: RefCell<Slots<T>>,
    scratch: Scratch,
}

struct Slots<T> {
    list: Vec<Slot<T>>,
    /// The items in memory, those put there or fetched first in front.
    here: VecDeque<u32>,
}

/// The place of one item: in memory, in the file, or the same in both.
struct Slot<T> {
    here: Option<Rc<T>>,
    kept: Option<Kept>,
}

/// Where an item begins in the scratch file, counted from 1.
#[derive(Debug, Clone, Copy)]
struct Kept(NonZeroU64);

/// An item of a list, which stays in memory as long as it is held.
pub struct Item<'a, T> {
    item: Rc<T>,
    list: PhantomData<&'a Shelf<T>>,
}

impl<T> Deref for Item<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T: Serialize + DeserializeOwned + Default + Clone> Shelf<T> {
    /// An empty list whose items may go to `scratch`.
    pub fn new(scratch: &Scratch) -> Shelf<T> {
        let slots = Slots { list: Vec::new(), here: VecDeque::new() };
        Shelf { slots: RefCell::new(slots), scratch: scratch.clone() }
    }

    pub fn len(&self) -> usize {
        self.slots.borrow().list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn push(&mut self, item: T) {
        let slots = self.slots.get_mut();
        slots.list.push(Slot { here: Some(Rc::new(item)), kept: None });
        slots.note_use(slots.list.len() - 1, &self.scratch);
    }

    /// Returns an item; there must be one at this place, as in a `Vec`.
    pub fn at(&self, at: usize) -> Item<'_, T> {
        Item { item: self.slots.borrow_mut().fetch(at, &self.scratch), list: PhantomData }
    }

    /// Returns an item to be changed, as [`Shelf::at`] does.
    pub fn at_mut(&mut self, at: usize) -> &mut T {
        let slots = self.slots.get_mut();
        let item = slots.fetch(at, &self.scratch);
        let slot = &mut slots.list[at];
        slot.kept = None;
        // Let go first: what nobody else holds is changed where it is.
        slot.here = None;
        Rc::make_mut(slot.here.insert(item))
    }

    pub fn first(&self) -> Option<Item<'_, T>> {
        (!self.is_empty()).then(|| self.at(0))
    }

    pub fn last(&self) -> Option<Item<'_, T>> {
        self.len().checked_sub(1).map(|last| self.at(last))
    }

    pub fn first_mut(&mut self) -> Option<&mut T> {
        (!self.is_empty()).then(|| self.at_mut(0))
    }

    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.len().checked_sub(1).map(|last| self.at_mut(last))
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Item<'_, T>> + ExactSizeIterator {
        (0..self.len()).map(|at| self.at(at))
    }

    /// Returns the items one by one, in order; none of them is kept any longer.
    pub fn into_items(self) -> impl Iterator<Item = T> {
        let (mut slots, scratch) = (self.slots.into_inner(), self.scratch);
        (0..slots.list.len()).map(move |at| {
            let item = slots.fetch(at, &scratch);
            slots.list[at] = Slot { here: None, kept: None };
            Rc::unwrap_or_clone(item)
        })
    }

    /// Puts the items into the order of the keys; those of equal keys keep theirs. `keys` has one for each item.
    pub fn sort_by_keys<K: Ord>(&mut self, keys: &[K]) {
        if keys.is_sorted() || keys.len() != self.len() {
            return;
        }
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|at| &keys[*at]);
        let slots = self.slots.get_mut();
        let mut old: Vec<Option<Slot<T>>> = slots.list.drain(..).map(Some).collect();
        slots.list.extend(order.into_iter().filter_map(|at| old[at].take()));
        let is_here = |at: &u32| slots.list[*at as usize].here.is_some();
        slots.here = (0..u32::try_from(slots.list.len()).unwrap_or(u32::MAX)).filter(is_here).collect();
    }
}

impl<T: Serialize + DeserializeOwned + Default> Slots<T> {
    /// Brings an item into memory.
    fn fetch(&mut self, at: usize, scratch: &Scratch) -> Rc<T> {
        let slot = &mut self.list[at];
        if let Some(item) = &slot.here {
            return item.clone();
        }
        let item: Rc<T> = Rc::new(slot.kept.map(|kept| scratch.read(kept)).unwrap_or_default());
        slot.here = Some(item.clone());
        self.note_use(at, scratch);
        item
    }

    /// Notes that an item has come into memory; another one goes when there are too many.
    fn note_use(&mut self, at: usize, scratch: &Scratch) {
        let Ok(at) = u32::try_from(at) else { return };
        self.here.push_back(at);
        while self.here.len() > scratch.most_here() {
            let Some(slot) = self.here.pop_front().and_then(|oldest| self.list.get_mut(oldest as usize))
            else {
                return;
            };
            if let Some(item) = slot.here.as_ref().filter(|_| slot.kept.is_none()) {
                slot.kept = scratch.write(&**item);
            }
            if slot.kept.is_some() {
                slot.here = None;
            }
        }
    }
}

impl<T: Serialize + DeserializeOwned + Default + Clone> FromIterator<T> for Shelf<T> {
    /// A list that stays in memory.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Shelf<T> {
        let mut shelf = Shelf::new(&Scratch::default());
        items.into_iter().for_each(|item| shelf.push(item));
        shelf
    }
}

impl<T: Serialize + DeserializeOwned + Default + Clone + fmt::Debug> fmt::Debug for Shelf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|item| item.item)).finish()
    }
}

/// A file without a name, for as long as one of its lists lives. It is made when it is first needed.
#[derive(Clone, Default)]
pub struct Scratch(Option<Rc<Shared>>);

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}

struct Shared {
    directory: PathBuf,
    /// How many items of a list stay in memory.
    most_here: usize,
    file: RefCell<Backing>,
    lost: Cell<bool>,
}

enum Backing {
    NotNeeded,
    Open {
        file: File,
        end: u64,
        encoded: Vec<u8>,
    },
    /// It cannot be made.
    Missing,
}

impl Scratch {
    /// A file in a directory of ours; the default is none, with which everything stays in memory.
    pub fn in_directory(directory: PathBuf) -> Scratch {
        Scratch::keeping(MOST_HERE, directory)
    }

    /// As [`Scratch::in_directory`], for lists of which so many items stay in memory.
    pub fn keeping(most_here: usize, directory: PathBuf) -> Scratch {
        Scratch(Some(Rc::new(Shared {
            directory,
            most_here: most_here.max(1),
            file: RefCell::new(Backing::NotNeeded),
            lost: Cell::new(false),
        })))
    }

    /// Returns whether all that was written could be read back so far.
    ///
    /// # Errors
    /// When it could not: what was made of it is not whole.
    pub fn check(&self) -> io::Result<()> {
        match self.0.as_ref().is_some_and(|shared| shared.lost.get()) {
            true => Err(io::Error::other("the scratch file of a large turn cannot be read back")),
            false => Ok(()),
        }
    }

    fn most_here(&self) -> usize {
        self.0.as_ref().map_or(usize::MAX, |shared| shared.most_here)
    }

    /// Writes an item; `None` when it has to stay in memory.
    fn write<T: Serialize>(&self, item: &T) -> Option<Kept> {
        let shared = self.0.as_ref()?;
        let mut state = shared.file.borrow_mut();
        if let Backing::NotNeeded = *state {
            *state = match file::create_nameless(&shared.directory) {
                Ok(file) => Backing::Open { file, end: 0, encoded: Vec::new() },
                Err(_) => Backing::Missing,
            };
        }
        let Backing::Open { file, end, encoded } = &mut *state else { return None };
        encoded.clear();
        encoded.extend([0; LENGTH_BYTES]);
        serde_json::to_writer(&mut *encoded, item).ok()?;
        let length = u32::try_from(encoded.len() - LENGTH_BYTES).ok()?;
        encoded[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        platform::write_all_at(file, encoded, *end).ok()?;
        let kept = Kept(NonZeroU64::new(*end + 1)?);
        *end += encoded.len() as u64;
        Some(kept)
    }

    fn read<T: DeserializeOwned + Default>(&self, kept: Kept) -> T {
        let Some(shared) = &self.0 else { return T::default() };
        let Backing::Open { file, encoded, .. } = &mut *shared.file.borrow_mut() else { return T::default() };
        let found = read_item(file, kept.0.get() - 1, encoded);
        let item =
            found.and_then(|()| serde_json::from_slice(&encoded[LENGTH_BYTES..]).map_err(io::Error::other));
        item.unwrap_or_else(|_| {
            shared.lost.set(true);
            T::default()
        })
    }
}

/// Reads an item with its length in front, mostly in one call.
fn read_item(file: &File, at: u64, into: &mut Vec<u8>) -> io::Result<()> {
    into.resize(FIRST_READ_BYTES, 0);
    let mut read = 0;
    let mut length = FIRST_READ_BYTES;
    while read < length {
        match platform::read_at(file, &mut into[read..], at + read as u64)? {
            0 => break,
            more => read += more,
        }
        if let Some(bytes) = into.first_chunk::<LENGTH_BYTES>().filter(|_| read >= LENGTH_BYTES) {
            length = LENGTH_BYTES + u32::from_le_bytes(*bytes) as usize;
            into.resize(length.max(read), 0);
        }
    }
    into.truncate(length);
    if read < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// More than any turn looks back by; most turns are shorter and need no file. The fold bounds the length of their texts
/// together.
const MOST_HERE: usize = 2000;
const LENGTH_BYTES: usize = 4;
const FIRST_READ_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(at: usize) -> String {
        format!("item {at} {}", "é\n".repeat(at % 3001))
    }

    #[test]
    fn long_list_keeps_items_and_order() {
        let directory = tempfile::tempdir().unwrap();
        let scratch = Scratch::in_directory(directory.path().to_owned());
        let mut shelf: Shelf<String> = Shelf::new(&scratch);
        (0..5000).for_each(|at| shelf.push(text(at)));
        assert!(shelf.iter().enumerate().all(|(at, item)| *item == text(at)));
        for at in (0..5000).rev().step_by(7) {
            shelf.at_mut(at).push('!');
        }
        let changed = |at: usize| if (4999 - at).is_multiple_of(7) { text(at) + "!" } else { text(at) };
        assert!((0..5000).all(|at| *shelf.at(at) == changed(at)));
        let here = shelf.slots.borrow().list.iter().filter(|slot| slot.here.is_some()).count();
        assert!(here <= MOST_HERE, "{here}");
        let names = || std::fs::read_dir(directory.path()).unwrap().count();
        // Windows may keep the name of a deleted file until it is closed.
        assert!(cfg!(windows) || names() == 0, "the file has no name");
        let keys: Vec<usize> = (0..5000).map(|at| at % 2).collect();
        shelf.sort_by_keys(&keys);
        assert_eq!(*shelf.at(1), changed(2));
        assert_eq!(*shelf.last().unwrap(), changed(4999));
        let sorted = (0..5000).step_by(2).chain((1..5000).step_by(2)).map(changed);
        assert!(shelf.into_items().eq(sorted));
        scratch.check().unwrap();
        drop(scratch);
        assert_eq!(names(), 0, "nothing is left");
    }

    #[test]
    fn list_without_a_file_stays_in_memory() {
        for scratch in [Scratch::default(), Scratch::in_directory("/nowhere".into())] {
            let mut shelf: Shelf<String> = Shelf::new(&scratch);
            (0..3000).for_each(|at| shelf.push(text(at)));
            assert!(shelf.iter().enumerate().all(|(at, item)| *item == text(at)));
            scratch.check().unwrap();
        }
    }

    #[test]
    fn short_list_makes_no_file() {
        let scratch = Scratch::in_directory("/nowhere".into());
        let mut shelf: Shelf<u64> = Shelf::new(&scratch);
        (0..MOST_HERE as u64).for_each(|at| shelf.push(at));
        assert!(matches!(*scratch.0.as_ref().unwrap().file.borrow(), Backing::NotNeeded));
    }

    #[test]
    fn item_that_cannot_be_read_back_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let scratch = Scratch::in_directory(directory.path().to_owned());
        let mut shelf: Shelf<String> = Shelf::new(&scratch);
        (0..3000).for_each(|at| shelf.push(text(at)));
        if let Backing::Open { file, .. } = &*scratch.0.as_ref().unwrap().file.borrow() {
            file.set_len(10).unwrap();
        }
        assert_eq!(*shelf.at(3), "");
        assert!(scratch.check().is_err());
    }
}
