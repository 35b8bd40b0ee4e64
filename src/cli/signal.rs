//! Ctrl-C and SIGTERM, for commands that run on tokio.

use tokio::signal::ctrl_c;

/// Until a signal comes; the one after that ends the process at once.
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
