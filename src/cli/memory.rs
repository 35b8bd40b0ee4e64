//! The memory of a long-running process.

/// Makes further allocations use small pages. A huge page stays in use as long as one byte of it does, which doubles the
/// memory of a run. Compiling is short and faster with huge pages, so this is called after it.
pub fn take_small_pages() {
    // A kernel that does not know the call has no huge pages.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
