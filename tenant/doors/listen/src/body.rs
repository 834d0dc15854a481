//! The bodies of requests: read within their limits, or discarded.
//! Neighbours: every HTTP door reads its bodies here.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::body::{Body as _, Incoming};
use std::time::Duration;
use zeroize::Zeroizing;

/// An answer, whole.
pub type Answer = Response<Full<Bytes>>;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyTrouble {
    /// It is over its limit, or announces that it will be.
    TooLarge,
    /// It did not arrive in time.
    Slow,
    /// The connection broke, or the body was not what its head promised.
    Broken,
}

/// Reads a body of at most `max` bytes, within `patience`. The buffer is wiped when it is dropped and while it grows; what
/// hyper and the kernel buffered on the way is not.
pub async fn body(
    incoming: &mut Incoming,
    max: usize,
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, BodyTrouble> {
    let promised = incoming.size_hint();
    let max_u64 = u64::try_from(max).unwrap_or(u64::MAX);
    if promised.lower() > max_u64 {
        return Err(BodyTrouble::TooLarge);
    }
    let whole = promised.exact().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut read = Zeroizing::new(Vec::with_capacity(whole.min(FIRST_ROOM)));
    let reading = async {
        while let Some(piece) = incoming.frame().await {
            let piece = piece.map_err(|_| BodyTrouble::Broken)?;
            let Ok(piece) = piece.into_data() else { continue };
            let wanted = read.len().saturating_add(piece.len());
            if wanted > max {
                return Err(BodyTrouble::TooLarge);
            }
            if wanted > read.capacity() {
                // By hand, so that the smaller buffer is wiped.
                let room = wanted.max(read.capacity().saturating_mul(2)).min(max);
                let mut larger = Zeroizing::new(Vec::with_capacity(room));
                larger.extend_from_slice(&read);
                read = larger;
            }
            read.extend_from_slice(&piece);
        }
        Ok(read)
    };
    tokio::time::timeout(patience, reading).await.unwrap_or(Err(BodyTrouble::Slow))
}

/// Many clients read the answer only after they have sent the whole body. Before a refusal, up to 8 MiB of it are read and
/// discarded,
const DRAINED: u64 = 8 * 1024 * 1024;
/// for at most 2 s.
const DRAINING: Duration = Duration::from_secs(2);

/// Reads the rest of a body and discards it, if it is not too long.
pub async fn drain(incoming: &mut Incoming) {
    if incoming.is_end_stream() || incoming.size_hint().lower() > DRAINED {
        return;
    }
    let taking = async {
        let mut taken = 0_u64;
        while taken <= DRAINED
            && let Some(Ok(piece)) = incoming.frame().await
        {
            let length = piece.data_ref().map_or(0, Bytes::len);
            taken = taken.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
    };
    let _ = tokio::time::timeout(DRAINING, taking).await;
}

/// Memory is reserved for at most this much of a body before it arrives. A longer body grows as it arrives.
const FIRST_ROOM: usize = 64 * 1024;
