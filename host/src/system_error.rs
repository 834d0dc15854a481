//! What an error of the operating system means, in words for an administrator.

use std::io::{Error, ErrorKind};

/// An error of a connection in words: what happened, and what usually causes it. Any other error of the system is its own
/// sentence, without the number.
pub fn words(error: &Error) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "io::ErrorKind is open-ended")]
    let known = match error.kind() {
        ErrorKind::ConnectionRefused => {
            "the connection is refused: no program listens there, or a firewall rejects it"
        }
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            "no answer in time: the machine is down, or a firewall drops it"
        }
        ErrorKind::HostUnreachable => "the machine is not reached: it is down, or there is no route to it",
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => "this machine has no route to that network",
        ErrorKind::AddrNotAvailable => "this machine has no address from which it can be reached",
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::NotConnected => "the other end closed the connection",
        ErrorKind::PermissionDenied => {
            "this machine does not permit it: look at its own firewall and sandbox"
        }
        _ => "",
    };
    if known.is_empty() { sentence(error) } else { known.to_owned() }
}

/// The system's own sentence, such as `No space left on device`, without `(os error 28)`: for files, whose name says the
/// rest.
pub fn sentence(error: &Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rfind(" (os error ")) {
        (Some(_), Some(at)) => text.get(..at).unwrap_or(&text).to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_network_does_is_said_with_its_usual_cause_and_nothing_shows_a_number() {
        for (errno, word) in [(111, "refused"), (110, "firewall drops"), (113, "no route"), (104, "closed")] {
            let text = words(&Error::from_raw_os_error(errno));
            assert!(text.contains(word) && !text.contains("os error"), "{errno}: {text}");
        }
        assert_eq!(words(&Error::from_raw_os_error(28)), "No space left on device");
        assert_eq!(words(&Error::other("it has no end")), "it has no end");
    }
}
