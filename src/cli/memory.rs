//! The memory of a process that runs for long.

/// From now on, memory comes in small pages. A huge one stays whole for one byte of it that is in use, which doubles what a
/// run holds; compiling, which is over soon, is faster with them, so this comes behind it.
pub fn take_small_pages() {
    // Where a kernel does not know them, there are none.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
