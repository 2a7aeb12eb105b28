//! The three things only the operating system can do for a hook: stop it in time, let a child outlive it, and end
//! it at once. With [`crate::arena`] the only file with `unsafe`.
#![expect(unsafe_code, reason = "fork, signals and _exit have no safe form; each use states why it is sound")]

use std::io;
use std::os::fd::AsRawFd;

/// Ends the process with exit code 0, without unwinding or running anything else.
pub fn exit_quietly() -> ! {
    // SAFETY: _exit takes no pointers and does not return.
    unsafe { libc::_exit(0) }
}

/// Makes the process end quietly after `seconds`, whatever it is doing then.
pub fn set_deadline(seconds: u32) {
    extern "C" fn on_alarm(_: libc::c_int) {
        // SAFETY: _exit is async-signal-safe (POSIX, signal-safety(7)).
        unsafe { libc::_exit(0) }
    }
    let handler: extern "C" fn(libc::c_int) = on_alarm;
    // SAFETY: the handler calls nothing but _exit, alarm only sets a timer, the set of signals is made before it is
    // used and outlives the call. A mask that keeps the alarm from coming is inherited from whoever started us; a
    // write beyond a file size limit must be an error, not the end.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::signal(libc::SIGALRM, handler as *const () as libc::sighandler_t);
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        libc::sigaddset(&mut signals, libc::SIGALRM);
        libc::sigprocmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut());
        libc::alarm(seconds);
    }
}

/// Makes reads of stdin wait for what is to come.
///
/// # Errors
/// When the system does not allow it.
pub fn let_stdin_wait() -> io::Result<()> {
    let stdin = io::stdin();
    let flags = rustix::fs::fcntl_getfl(&stdin)?;
    Ok(rustix::fs::fcntl_setfl(&stdin, flags - rustix::fs::OFlags::NONBLOCK)?)
}

/// Runs `work` in a child with a session of its own and no open stdin, stdout or stderr, which lives on when this
/// process, its group or its terminal go. Returns when the child has left the group.
///
/// Must be called while the process has one thread: the child has only the calling one, so a lock held by another
/// would stay held. Every role of ours is single-threaded up to here.
///
/// # Errors
/// When no child could be started.
pub fn run_detached(work: impl FnOnce()) -> io::Result<()> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    let (left, leaving) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: one thread (see above); the child runs ordinary code with a copy of this process's memory.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let _ = rustix::process::setsid();
            for stream in 0..3 {
                // SAFETY: both are open descriptors of this process or replaced ones; dup2 takes no pointers.
                unsafe { libc::dup2(null.as_raw_fd(), stream) };
            }
            let _ = std::env::set_current_dir("/");
            let _ = rustix::io::write(&leaving, b".");
            drop((left, leaving));
            // The parent's deadline is not the child's: a forked child has no alarm (fork(2)).
            set_deadline(DETACHED_SECONDS);
            work();
            exit_quietly()
        }
        _ => {
            drop(leaving);
            // The byte, or the end of the pipe when the child is gone already.
            let _ = rustix::io::read(&left, &mut [0u8; 1]);
            Ok(())
        }
    }
}

/// Makes a panic end the process quietly after `note` was reported it: the hook contract knows no other exit code.
pub fn end_quietly_on_panic(note: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        // The message may hold what a payload said, so only the place is told.
        note(&format!("internal error at {place}; please report it"));
        exit_quietly()
    }));
}

/// Above what a delivery may take: ends a process that hangs in something that was never to take long.
const DETACHED_SECONDS: u32 = 40 * 60;
