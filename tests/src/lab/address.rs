//! Loopback addresses for labs that run side by side, also of several checkouts and users.
//! An address is held by a file lock, which ends with its holder.

use super::error::{Doing as _, LabError};
use std::fs::{self, File, TryLockError};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const FIRST: u8 = 10;
const COUNT: usize = 64;

/// An address that no other lab uses until this is dropped.
#[derive(Debug)]
pub struct Address {
    ip: IpAddr,
    _held: File,
}

impl Address {
    /// The first free one of 127.0.1.10 and its successors.
    pub fn take() -> Result<Self, LabError> {
        let folder = std::env::temp_dir().join("landbridge-lab-addresses");
        fs::create_dir_all(&folder).doing(format!("make {}", folder.display()))?;
        for last in (FIRST..).take(COUNT) {
            let path = folder.join(last.to_string());
            let file = File::create(&path).doing(format!("open {}", path.display()))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(source)) => return Err(source).doing("lock an address"),
            }
            let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 1, last));
            // Somebody's DC that asked nobody, or one that is still being killed.
            if TcpStream::connect_timeout(&SocketAddr::new(ip, 389), Duration::from_millis(200)).is_err() {
                return Ok(Self { ip, _held: file });
            }
        }
        Err(LabError::NoAddress(COUNT))
    }

    /// The address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_labs_never_share_an_address() {
        let (one, other) = (Address::take().unwrap(), Address::take().unwrap());
        assert_ne!(one.ip(), other.ip());
    }
}
