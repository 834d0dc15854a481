//! The signals that a daemon acts on: SIGTERM and SIGINT stop it, SIGHUP makes it read its files again.
//! Both functions must be called inside a tokio runtime. From then on the signal does not end the process.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A future that ends with the first SIGTERM or SIGINT since this call.
pub fn stop() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The SIGHUPs since this call. Those that come before `recv` count as one.
pub fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::process::{getpid, kill_process};

    // One test, because a signal reaches all that wait for it in this process.
    #[tokio::test]
    async fn sigterm_and_sigint_end_the_wait_and_a_sighup_is_received() {
        for end in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
            let stopped = stop().unwrap();
            kill_process(getpid(), end).unwrap();
            stopped.await;
        }
        let mut hangups = hangups().unwrap();
        kill_process(getpid(), rustix::process::Signal::HUP).unwrap();
        assert_eq!(hangups.recv().await, Some(()));
    }
}
