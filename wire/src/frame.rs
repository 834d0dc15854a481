//! One message on its way: `"LB"`, version, zero, length (u32, big-endian), then the payload in JSON.
//! The length is there so that a cut message is known as cut, whatever carried it.
//!
//! Not a stream: a frame is one HTTP body, and the carrier bounds it before it is read.

use crate::version::VERSION;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The most bytes of payload that a frame carries.
pub const MAX_PAYLOAD: usize = 4 * 1024 * 1024;
/// The bytes before the payload.
pub const HEAD: usize = 2 /* magic */ + 1 /* version */ + 1 /* zero */ + 4 /* length */;
/// The most bytes of a whole frame: what a carrier must bound a body to.
pub const MAX_FRAME: usize = HEAD + MAX_PAYLOAD;

const MAGIC: [u8; 2] = *b"LB";

/// What is wrong with a frame. The peer that sent it must be mended, unless the version differs:
/// then the older side must be upgraded. Never carries a part of the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Fewer bytes than the head or the length promise.
    #[error("the frame is cut: {have} bytes of {want}")]
    Truncated {
        /// Bytes that should be there.
        want: usize,
        /// Bytes that are.
        have: usize,
    },
    /// More bytes than the length promises.
    #[error("{0} bytes follow the end of the frame")]
    Trailing(usize),
    /// The payload is over [`MAX_PAYLOAD`].
    #[error("a payload of {0} bytes is over the bound of {MAX_PAYLOAD}")]
    TooLong(usize),
    /// Not one of our frames.
    #[error("not a landbridge frame")]
    NotAFrame,
    /// A frame of another version.
    #[error("the peer speaks version {0}, this side version {VERSION}: upgrade the older one")]
    Version(u8),
    /// The payload is not the message that was expected.
    #[error("the message is malformed at line {line}, column {column} of its payload")]
    Malformed {
        /// Line in the payload, from 1.
        line: usize,
        /// Column in the payload, from 1.
        column: usize,
    },
}

/// Writes one message as a frame. Wiped when dropped: an upload is full of digests.
pub fn encode<T: Serialize>(message: &T) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let payload = Zeroizing::new(
        serde_json::to_vec(message)
            .map_err(|e| FrameError::Malformed { line: e.line(), column: e.column() })?,
    );
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_PAYLOAD);
    let length = length.ok_or(FrameError::TooLong(payload.len()))?;
    let mut frame = Zeroizing::new(Vec::with_capacity(HEAD + payload.len()));
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&[VERSION, 0]);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&payload);
    Ok(frame)
}

/// Reads one message; the error never repeats what stood in it.
pub fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, FrameError> {
    let (head, payload) =
        frame.split_first_chunk::<HEAD>().ok_or(FrameError::Truncated { want: HEAD, have: frame.len() })?;
    let [m0, m1, version, zero, l0, l1, l2, l3] = *head;
    if [m0, m1] != MAGIC || zero != 0 {
        return Err(FrameError::NotAFrame);
    }
    if version != VERSION {
        return Err(FrameError::Version(version));
    }
    let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if length > MAX_PAYLOAD {
        return Err(FrameError::TooLong(length));
    }
    if payload.len() < length {
        return Err(FrameError::Truncated { want: HEAD + length, have: frame.len() });
    }
    if payload.len() > length {
        return Err(FrameError::Trailing(payload.len() - length));
    }
    serde_json::from_slice(payload).map_err(|e| FrameError::Malformed { line: e.line(), column: e.column() })
}
