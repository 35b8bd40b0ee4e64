//! Ctrl-C and SIGTERM.

use super::Failure;
use tokio::signal::ctrl_c;

/// At the first signal, from now on: say that it was interrupted, with what that means, and end.
///
/// # Errors
/// The system gives no thread to listen on.
pub fn end_at_once(means: &'static str) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::impossible(format!("can't listen for signals: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let listen = move || {
        runtime.block_on(next());
        anstream::eprintln!("\ntracegen: interrupted: {means}");
        std::process::exit(130);
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).map_err(failed)?;
    Ok(())
}

/// Until a signal comes; the one after that ends the process at once. For commands that run on tokio.
pub async fn first() {
    next().await;
    tokio::spawn(async {
        next().await;
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn next() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = ctrl_c() => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => drop(ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn next() {
    let _ = ctrl_c().await;
}
