//! The console of Windows.

use std::io;

use windows_sys::Win32::System::Console as console;

/// The columns and rows of the console behind stdout, which from now on understands colours.
pub fn terminal_size() -> Option<(usize, usize)> {
    // SAFETY: numbers, for which all zeros is a value; they outlive the calls, the handle is the system's.
    unsafe {
        let out = console::GetStdHandle(console::STD_OUTPUT_HANDLE);
        let mut info: console::CONSOLE_SCREEN_BUFFER_INFO = std::mem::zeroed();
        if console::GetConsoleScreenBufferInfo(out, &raw mut info) == 0 {
            return None;
        }
        let mut mode = 0;
        if console::GetConsoleMode(out, &raw mut mode) != 0 {
            console::SetConsoleMode(out, mode | console::ENABLE_VIRTUAL_TERMINAL_PROCESSING);
        }
        let window = info.srWindow;
        let span = |from: i16, to: i16| usize::try_from(to - from + 1).unwrap_or(0);
        Some((span(window.Left, window.Right), span(window.Top, window.Bottom)))
    }
}

/// The console without echo; as it was when dropped. Ctrl-C arrives as a character, so that it cannot end the
/// process before that.
pub struct Silence {
    before: u32,
}

/// The name of this machine.
pub fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok().filter(|n| !n.is_empty())
}

/// Throws away what was typed and not read yet.
pub fn forget_typed() {
    // SAFETY: takes a handle of the system's.
    unsafe { console::FlushConsoleInputBuffer(console::GetStdHandle(console::STD_INPUT_HANDLE)) };
}

impl Silence {
    pub fn begin() -> io::Result<Silence> {
        // SAFETY: the number outlives the calls, the handle is the system's.
        unsafe {
            let input = console::GetStdHandle(console::STD_INPUT_HANDLE);
            let mut before = 0;
            if console::GetConsoleMode(input, &raw mut before) == 0 {
                return Err(io::Error::last_os_error());
            }
            let loud =
                console::ENABLE_ECHO_INPUT | console::ENABLE_LINE_INPUT | console::ENABLE_PROCESSED_INPUT;
            console::SetConsoleMode(input, before & !loud);
            Ok(Silence { before })
        }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // SAFETY: takes numbers; the handle is the system's.
        unsafe { console::SetConsoleMode(console::GetStdHandle(console::STD_INPUT_HANDLE), self.before) };
    }
}
