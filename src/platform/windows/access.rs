//! Who may use a file on Windows: owners and lists of rights instead of uids and modes.
//!
//! The user, the system and the administrators may always do anything, as root may elsewhere; everybody else a list
//! of rights lets in is one of the others.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation as foundation;
use windows_sys::Win32::Security as security;
use windows_sys::Win32::Security::Authorization as authorization;
use windows_sys::Win32::Storage::FileSystem as files;
use windows_sys::Win32::System::Threading as threading;

use super::super::{Access, Owner};
use super::wide;

/// Asks the file's owner and its list of rights.
///
/// # Errors
/// When the system does not report them.
pub fn access(path: &Path, _found: &Metadata) -> io::Result<Access> {
    let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let mut read = Rights::new();
    // SAFETY: the name ends with a zero; all pointers outlive the call; the descriptor is freed with `read`.
    let code = unsafe {
        authorization::GetNamedSecurityInfoW(
            name.as_ptr(),
            authorization::SE_FILE_OBJECT,
            security::OWNER_SECURITY_INFORMATION | security::DACL_SECURITY_INFORMATION,
            &raw mut read.owner,
            null_mut(),
            &raw mut read.list,
            null_mut(),
            &raw mut read.descriptor,
        )
    };
    read.checked(code)
}

/// The same for an open file.
///
/// # Errors
/// When the system does not report them.
pub fn access_of(file: &File) -> io::Result<Access> {
    let mut read = Rights::new();
    // SAFETY: the handle is open; all pointers outlive the call; the descriptor is freed with `read`.
    let code = unsafe {
        authorization::GetSecurityInfo(
            file.as_raw_handle(),
            authorization::SE_FILE_OBJECT,
            security::OWNER_SECURITY_INFORMATION | security::DACL_SECURITY_INFORMATION,
            &raw mut read.owner,
            null_mut(),
            &raw mut read.list,
            null_mut(),
            &raw mut read.descriptor,
        )
    };
    read.checked(code)
}

/// Makes a directory and its missing parents, the outermost new one for this user alone; those below inherit that.
///
/// # Errors
/// When one cannot be made, or its rights cannot be set.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    let first = path.ancestors().take_while(|p| !p.exists()).last();
    fs::create_dir_all(path)?;
    first.map_or(Ok(()), give_to_user)
}

/// Takes all rights of others away.
///
/// # Errors
/// When the rights cannot be set.
pub fn close(path: &Path, _found: &Metadata) -> io::Result<()> {
    give_to_user(path)
}

/// The same for an open file: its rights are those of its directory, which [`close`] has set.
///
/// # Errors
/// Never.
pub fn close_file(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Takes others' right to write away, and to read with it.
///
/// # Errors
/// When the rights cannot be set.
pub fn close_to_writers(path: &Path, _found: &Metadata) -> io::Result<()> {
    give_to_user(path)
}

/// Fails where no new file may be made in a directory; only trying tells that for certain.
///
/// # Errors
/// When the directory is not there or cannot be opened for adding to it.
pub fn can_write_into(directory: &Path) -> io::Result<()> {
    use std::os::windows::fs::OpenOptionsExt;
    let mut options = File::options();
    options.access_mode(files::FILE_ADD_FILE).custom_flags(files::FILE_FLAG_BACKUP_SEMANTICS);
    options.open(directory).map(|_| ())
}

/// Lets the user, the system and the administrators alone into a file, or a directory and what is in it. Nothing is
/// taken over from the directory above any more.
fn give_to_user(path: &Path) -> io::Result<()> {
    let user = user().ok_or_else(io::Error::last_os_error)?;
    set_rights(path, &format!("D:P(A;OICI;FA;;;{})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", text_of(user)?))
}

/// Gives a file a list of rights, written in the language that Windows has for it (SDDL).
fn set_rights(path: &Path, list: &str) -> io::Result<()> {
    let text = wide(list);
    let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let mut descriptor = null_mut();
    // SAFETY: both texts end with a zero; the list lies in the descriptor, which the system made and which is freed
    // after its last use.
    unsafe {
        let made = authorization::ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text.as_ptr(),
            authorization::SDDL_REVISION_1,
            &raw mut descriptor,
            null_mut(),
        );
        if made == 0 {
            return Err(io::Error::last_os_error());
        }
        let (mut present, mut defaulted, mut list) = (0, 0, null_mut());
        security::GetSecurityDescriptorDacl(descriptor, &raw mut present, &raw mut list, &raw mut defaulted);
        let code = authorization::SetNamedSecurityInfoW(
            name.as_ptr(),
            authorization::SE_FILE_OBJECT,
            security::DACL_SECURITY_INFORMATION | security::PROTECTED_DACL_SECURITY_INFORMATION,
            null_mut(),
            null_mut(),
            list,
            null_mut(),
        );
        foundation::LocalFree(descriptor);
        as_result(code)
    }
}

/// What the system says of a file's rights; freed when dropped.
struct Rights {
    owner: security::PSID,
    list: *mut security::ACL,
    descriptor: security::PSECURITY_DESCRIPTOR,
}

impl Rights {
    fn new() -> Rights {
        Rights { owner: null_mut(), list: null_mut(), descriptor: null_mut() }
    }

    fn checked(self, code: u32) -> io::Result<Access> {
        as_result(code)?;
        let mut others = 0;
        if self.list.is_null() {
            // No list lets everybody do everything.
            others = foundation::GENERIC_ALL;
        } else {
            for (mask, who) in self.allowed() {
                if !is_trusted(who) {
                    others |= mask;
                }
            }
        }
        let owner =
            if is_user(self.owner) || is_administrators(self.owner) { Owner::User } else { Owner::Other };
        Ok(Access { owner, others_read: others & READING != 0, others_write: others & WRITING != 0 })
    }

    /// The entries that allow something: what, and to whom.
    fn allowed(&self) -> Vec<(u32, security::PSID)> {
        let mut found = Vec::new();
        // SAFETY: the list is one the system gave, and lives as long as the descriptor; an entry of the allowing kind
        // has its mask and its SID where the structure says.
        unsafe {
            for index in 0..u32::from((*self.list).AceCount) {
                let mut entry = null_mut();
                if security::GetAce(self.list, index, &raw mut entry) == 0 {
                    continue;
                }
                let header = &*entry.cast::<security::ACE_HEADER>();
                if u32::from(header.AceType) == ACCESS_ALLOWED {
                    let allowed = entry.cast::<security::ACCESS_ALLOWED_ACE>();
                    found.push(((*allowed).Mask, (&raw mut (*allowed).SidStart).cast()));
                }
            }
        }
        found
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        // SAFETY: null, or what GetSecurityInfo allocated, which nothing refers to any more.
        unsafe { foundation::LocalFree(self.descriptor) };
    }
}

fn is_trusted(who: security::PSID) -> bool {
    is_user(who)
        || is_administrators(who)
        || is(who, security::WinCreatorOwnerSid)
        || is(who, security::WinCreatorOwnerRightsSid)
}

/// An administrator's files belong to the whole group, so that the same user finds them with and without the group's
/// rights in use.
fn is_administrators(who: security::PSID) -> bool {
    is(who, security::WinLocalSystemSid) || is(who, security::WinBuiltinAdministratorsSid)
}

fn is(who: security::PSID, known: security::WELL_KNOWN_SID_TYPE) -> bool {
    // SAFETY: the SID is one the system gave and not freed yet, or null, which is none.
    !who.is_null() && unsafe { security::IsWellKnownSid(who, known) != 0 }
}

fn is_user(who: security::PSID) -> bool {
    // SAFETY: as above; `user` gives one that is never freed.
    !who.is_null() && user().is_some_and(|user| unsafe { security::EqualSid(who, user) != 0 })
}

/// The SID of the user this process runs as.
fn user() -> Option<security::PSID> {
    static TOKEN: OnceLock<Option<Vec<u64>>> = OnceLock::new();
    let token = TOKEN.get_or_init(read_user).as_ref()?;
    // SAFETY: the buffer holds a TOKEN_USER, is aligned for it and is never freed or moved.
    Some(unsafe { (*token.as_ptr().cast::<security::TOKEN_USER>()).User.Sid })
}

fn read_user() -> Option<Vec<u64>> {
    let mut handle = null_mut();
    let mut buffer = vec![0u64; TOKEN_WORDS];
    let mut len = 0;
    // SAFETY: the buffer is as long as is said and outlives the calls; a token that was opened is ours to close.
    unsafe {
        if threading::OpenProcessToken(threading::GetCurrentProcess(), security::TOKEN_QUERY, &raw mut handle)
            == 0
        {
            return None;
        }
        let token = OwnedHandle::from_raw_handle(handle);
        let done = security::GetTokenInformation(
            token.as_raw_handle(),
            security::TokenUser,
            buffer.as_mut_ptr().cast(),
            (TOKEN_WORDS * size_of::<u64>()) as u32,
            &raw mut len,
        );
        (done != 0).then_some(buffer)
    }
}

fn text_of(who: security::PSID) -> io::Result<String> {
    let mut text = null_mut();
    // SAFETY: the SID is valid; the text ends with a zero, is copied and then freed.
    unsafe {
        if authorization::ConvertSidToStringSidW(who, &raw mut text) == 0 {
            return Err(io::Error::last_os_error());
        }
        let len = (0..).take_while(|at| *text.add(*at) != 0).count();
        let copied = String::from_utf16_lossy(std::slice::from_raw_parts(text, len));
        foundation::LocalFree(text.cast());
        Ok(copied)
    }
}

fn as_result(code: u32) -> io::Result<()> {
    if code == foundation::ERROR_SUCCESS { Ok(()) } else { Err(io::Error::from_raw_os_error(code as i32)) }
}

/// ACCESS_ALLOWED_ACE_TYPE (winnt.h).
const ACCESS_ALLOWED: u32 = 0;
/// A TOKEN_USER and the longest SID it leads to, of 68 bytes.
const TOKEN_WORDS: usize = 32;
const READING: u32 = files::FILE_READ_DATA | foundation::GENERIC_READ | foundation::GENERIC_ALL;
const WRITING: u32 = files::FILE_WRITE_DATA
    | files::FILE_APPEND_DATA
    | files::FILE_DELETE_CHILD
    | files::DELETE
    | files::WRITE_DAC
    | files::WRITE_OWNER
    | foundation::GENERIC_WRITE
    | foundation::GENERIC_ALL;

#[cfg(test)]
mod tests {
    use super::super::refuse_foreign;
    use super::*;

    #[test]
    fn rights_of_others_are_seen_and_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(&path, "").unwrap();
        let mine = format!("D:P(A;;FA;;;{})", text_of(user().unwrap()).unwrap());
        let found = || access(&path, &fs::metadata(&path).unwrap()).unwrap();
        for (others, read, write) in [
            ("", false, false),
            ("(A;;FA;;;SY)(A;;FA;;;BA)", false, false),
            ("(A;;FR;;;WD)", true, false),
            ("(A;;FRFW;;;WD)", true, true),
            ("(A;;FA;;;WD)", true, true),
        ] {
            set_rights(&path, &format!("{mine}{others}")).unwrap();
            let seen = found();
            assert_eq!((seen.others_read, seen.others_write), (read, write), "{others}");
            assert_eq!(access_of(&File::open(&path).unwrap()).unwrap(), seen);
            assert_eq!((seen.owner, seen.is_private()), (Owner::User, !read && !write), "{others}");
            assert_eq!(refuse_foreign(&path).is_err(), write, "{others}");
            close(&path, &fs::metadata(&path).unwrap()).unwrap();
            assert!(found().is_private(), "{others} is taken");
        }
    }

    #[test]
    fn private_directory_shuts_others_out() {
        let folder = tempfile::tempdir().unwrap();
        let (outer, inner) = (folder.path().join("state"), folder.path().join("state/codex"));
        make_private_dir(&inner).unwrap();
        assert!(access(&outer, &fs::metadata(&outer).unwrap()).unwrap().is_private());
        set_rights(&outer, &format!("D:P(A;;FA;;;{})(A;;FA;;;WD)", text_of(user().unwrap()).unwrap()))
            .unwrap();
        assert!(!access(&outer, &fs::metadata(&outer).unwrap()).unwrap().is_private());
        crate::file::create_private_dir(&outer).unwrap();
        assert!(access(&outer, &fs::metadata(&outer).unwrap()).unwrap().is_private());
    }
}
