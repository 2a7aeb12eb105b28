//! The allocator of the executable: a short-lived process takes its memory from one fixed block and never gives
//! any back; what does not fit comes from the system.
//!
//! A hook lives for less than a millisecond, of which musl's allocator would take a tenth in mmap and munmap
//! (`docs::hook_time`). The detached flusher outgrows the block at once and lives on the system's allocator.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait; each use states why it is sound")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// A block of memory that is handed out from its beginning to its end.
pub struct Arena {
    block: UnsafeCell<Block>,
    used: AtomicUsize,
}

#[repr(align(4096))]
#[expect(dead_code, reason = "reached through pointers alone")]
struct Block([u8; BYTES]);

// SAFETY: the block's bytes are only reached through pointers that `alloc` handed out, each range once.
unsafe impl Sync for Arena {}

impl Arena {
    /// A block of which nothing is used, and of which the system gives only the pages that are.
    #[expect(
        clippy::new_without_default,
        reason = "a static needs a const constructor and nothing else makes one"
    )]
    pub const fn new() -> Arena {
        Arena { block: UnsafeCell::new(Block([0; BYTES])), used: AtomicUsize::new(0) }
    }

    fn base(&self) -> usize {
        self.block.get() as usize
    }

    fn holds(&self, pointer: *mut u8) -> bool {
        (self.base()..self.base() + BYTES).contains(&(pointer as usize))
    }

    /// Takes a range of the block; none when it is full.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.align() > MAX_ALIGN {
            return None;
        }
        let mut used = self.used.load(Relaxed);
        loop {
            let start = used.next_multiple_of(layout.align());
            let end = start.checked_add(layout.size()).filter(|end| *end <= BYTES)?;
            match self.used.compare_exchange_weak(used, end, Relaxed, Relaxed) {
                // The range lies within the block and is handed out to nobody else.
                Ok(_) => return Some(self.block.get().cast::<u8>().wrapping_add(start)),
                Err(now) => used = now,
            }
        }
    }

    /// Lets the newest range grow where it is; false when another one came after it or the block is full.
    fn grow(&self, pointer: *mut u8, old: usize, new: usize) -> bool {
        let start = pointer as usize - self.base();
        let fits = start.checked_add(new).is_some_and(|end| end <= BYTES);
        fits && self.used.compare_exchange(start + old, start + new, Relaxed, Relaxed).is_ok()
    }
}

// SAFETY: ranges from `take` are aligned, within the block, disjoint and never reused; all else is System's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about the layout are passed on.
        self.take(layout).unwrap_or_else(|| checked(unsafe { System.alloc(layout) }))
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !self.holds(pointer) {
            // SAFETY: what does not lie in the block came from System with this layout.
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !self.holds(pointer) {
            // SAFETY: as in `dealloc`.
            return checked(unsafe { System.realloc(pointer, layout, new_size) });
        }
        if new_size <= layout.size() || self.grow(pointer, layout.size(), new_size) {
            return pointer;
        }
        // SAFETY: `new_size` is not zero and does not overflow when rounded up, as the caller promises.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both are valid for the old size, which is the smaller, and a fresh range overlaps nothing.
            unsafe { std::ptr::copy_nonoverlapping(pointer, moved, layout.size()) };
        }
        moved
    }
}

/// Makes the process end quietly where there is no memory: std would abort, with words on stderr.
pub fn end_quietly_without_memory() {
    QUIET.store(true, Relaxed);
}

fn checked(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() && QUIET.load(Relaxed) {
        crate::platform::exit_quietly();
    }
    pointer
}

static QUIET: AtomicBool = AtomicBool::new(false);
/// More than the largest hook uses for a payload of ordinary size.
const BYTES: usize = 512 * 1024;
const MAX_ALIGN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arena_ranges_are_aligned_and_disjoint() {
        static ARENA: Arena = Arena::new();
        let arena = &ARENA;
        let mut end = 0;
        for align in [1, 8, 64, 4096, 2] {
            let pointer = arena.take(Layout::from_size_align(100, align).unwrap()).unwrap() as usize;
            assert_eq!(pointer % align, 0);
            assert!(pointer >= end && arena.holds(pointer as *mut u8));
            end = pointer + 100;
        }
        assert!(arena.take(Layout::from_size_align(BYTES, 1).unwrap()).is_none());
        assert!(arena.take(Layout::from_size_align(1, 8192).unwrap()).is_none());
        assert!(arena.take(Layout::from_size_align(1000, 1).unwrap()).is_some());
    }

    #[test]
    fn growing_keeps_content() {
        static ARENA: Arena = Arena::new();
        let arena = &ARENA;
        let layout = Layout::from_size_align(4, 1).unwrap();
        // SAFETY: the pointers are used within the sizes they were asked for, and freed once.
        unsafe {
            let first = arena.alloc(layout);
            first.copy_from_nonoverlapping(b"abcd".as_ptr(), 4);
            assert_eq!(arena.realloc(first, layout, 8), first, "the newest grows where it is");
            let other = arena.alloc(layout);
            let grown = Layout::from_size_align(8, 1).unwrap();
            let moved = arena.realloc(first, grown, 16);
            assert!(moved != first && moved != other);
            let large = arena.realloc(moved, Layout::from_size_align(16, 1).unwrap(), BYTES + 1);
            assert!(!arena.holds(large));
            assert_eq!(std::slice::from_raw_parts(large, 4), b"abcd");
            arena.dealloc(large, Layout::from_size_align(BYTES + 1, 1).unwrap());
        }
    }
}
