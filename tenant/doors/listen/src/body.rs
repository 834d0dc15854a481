//! Reads the body of a request within its limits, or discards it.
//! Neighbours: every HTTP door reads its bodies here.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::body::{Body as _, Incoming};
use std::time::Duration;
use zeroize::Zeroizing;

/// A complete HTTP response.
pub type Answer = Response<Full<Bytes>>;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyTrouble {
    /// It is longer than its limit, or its head announces so.
    TooLarge,
    /// It did not arrive in time.
    Slow,
    /// The connection broke, or the body was shorter than its head announced.
    Broken,
}

/// Reads a body of at most `max` bytes within `patience`. The buffer is wiped when it is dropped and when it grows.
/// Buffers of hyper and of the kernel are not wiped.
pub async fn body(
    incoming: &mut Incoming,
    max: usize,
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, BodyTrouble> {
    let announced = incoming.size_hint();
    let max_u64 = u64::try_from(max).unwrap_or(u64::MAX);
    if announced.lower() > max_u64 {
        return Err(BodyTrouble::TooLarge);
    }
    let whole = announced.exact().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut read = Zeroizing::new(Vec::with_capacity(whole.min(MAX_RESERVED)));
    let reading = async {
        while let Some(piece) = incoming.frame().await {
            let piece = piece.map_err(|_| BodyTrouble::Broken)?;
            let Ok(piece) = piece.into_data() else { continue };
            let wanted = read.len().saturating_add(piece.len());
            if wanted > max {
                return Err(BodyTrouble::TooLarge);
            }
            if wanted > read.capacity() {
                // A Vec that grows by itself would not wipe its old memory.
                let capacity = wanted.max(read.capacity().saturating_mul(2)).min(max);
                let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
                larger.extend_from_slice(&read);
                read = larger;
            }
            read.extend_from_slice(&piece);
        }
        Ok(read)
    };
    tokio::time::timeout(patience, reading).await.unwrap_or(Err(BodyTrouble::Slow))
}

/// Limit on the bytes of a body that are read and discarded before a refusal: the longest upload. Many clients read
/// the answer only after they have sent the whole body.
const DRAINED: u64 = 8 * 1024 * 1024;
/// Limit on the time for discarding a body, so that a slow client does not occupy its place for long.
const DRAINING: Duration = Duration::from_secs(2);

/// Reads the rest of a body and discards it, within 8 MiB and 2 s. A body that is announced as longer is not read.
pub async fn drain(incoming: &mut Incoming) {
    if incoming.is_end_stream() || incoming.size_hint().lower() > DRAINED {
        return;
    }
    let discarding = async {
        let mut discarded = 0_u64;
        while discarded <= DRAINED
            && let Some(Ok(piece)) = incoming.frame().await
        {
            let length = piece.data_ref().map_or(0, Bytes::len);
            discarded = discarded.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
    };
    let _ = tokio::time::timeout(DRAINING, discarding).await;
}

/// Limit on the bytes that are reserved for a body before it arrives. A client could otherwise reserve memory with a
/// head alone.
const MAX_RESERVED: usize = 64 * 1024;
