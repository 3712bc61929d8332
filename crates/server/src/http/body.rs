//! Bodies of requests: read whole, within limits of size, of time, and of the memory that all of them take together.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use portcullis_model::error::ApiError;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::ports::Port;
use super::reply::{self, Response};

/// The largest body of a request: 5 MiB.
pub const MAX_BODY: usize = 5 * 1024 * 1024;

/// How much of a body that is too large is read and thrown away before the answer: 32 MiB.
const MAX_DISCARDED: u64 = 32 * 1024 * 1024;

/// How much all bodies of a port may take together while their requests run, in KiB: 64 MiB. What is parsed of a body takes
/// a multiple of it.
const ROOM: usize = 64 * 1024;

/// How much room is made for a body at first, whatever it announces.
const FIRST_PIECE: usize = 64 * 1024;

/// Why a request's body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than a request may be.
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The connection broke, or its framing is wrong.
    #[error("the body did not arrive whole")]
    Broken,
    /// Other bodies take all the room that there is.
    #[error("the server is busy with other requests")]
    Busy,
}

impl BodyError {
    /// The answer. The connection cannot be used again, since the rest of the body may still be under way.
    #[must_use]
    pub fn response(self, port: Port) -> Response {
        let mut error = ApiError::new(
            match self {
                // What the admin port's clients know, for whatever is wrong with a body.
                Self::TooLarge if port == Port::Admin => 400,
                Self::TooLarge => 413,
                Self::TooSlow => 408,
                Self::Broken => 400,
                Self::Busy => 503,
            },
            self.to_string(),
        );
        if self == Self::Busy {
            error = error.retry_after(1);
        }
        let mut response = reply::error(&error);
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        response
    }
}

/// The room that the bodies of a port share.
pub struct Bodies {
    /// One permit for each KiB.
    room: Semaphore,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

/// A body. Its room is free again when this is dropped, so it is kept as long as the request runs.
#[derive(Debug)]
pub struct Whole<'b> {
    /// The bytes.
    pub bytes: Vec<u8>,
    held: Option<SemaphorePermit<'b>>,
}

impl Bodies {
    /// Room of this many KiB.
    #[must_use]
    pub fn with_room(kib: usize) -> Self {
        Self { room: Semaphore::new(kib) }
    }

    /// Reads a body to its end. `patience` is how long it may take to arrive.
    ///
    /// # Errors
    /// If it is too large, too slow or broken, or if there is no room for it.
    pub async fn read<B>(&self, body: B, patience: Duration) -> Result<Whole<'_>, BodyError>
    where
        B: Body<Data = Bytes> + Send,
    {
        if body.is_end_stream() {
            return Ok(Whole { bytes: Vec::new(), held: None });
        }
        tokio::time::timeout(patience, self.read_all(body)).await.unwrap_or(Err(BodyError::TooSlow))
    }

    /// Reads to the end. What is over the limit is thrown away, up to a second limit: a client that is still sending when
    /// the connection closes never sees why.
    async fn read_all<B>(&self, body: B) -> Result<Whole<'_>, BodyError>
    where
        B: Body<Data = Bytes> + Send,
    {
        let mut body = std::pin::pin!(body);
        let announced = body.size_hint().lower();
        if announced > MAX_DISCARDED {
            return Err(BodyError::TooLarge);
        }
        let first = usize::try_from(announced).unwrap_or(FIRST_PIECE).min(FIRST_PIECE);
        let mut whole = Whole { bytes: Vec::with_capacity(first), held: None };
        let mut discarded = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if discarded == 0 && whole.bytes.len() + data.len() <= MAX_BODY {
                self.make_room(&mut whole, data.len())?;
                whole.bytes.extend_from_slice(&data);
                continue;
            }
            whole = Whole { bytes: Vec::new(), held: None };
            discarded += data.len() as u64;
            if discarded > MAX_DISCARDED {
                break;
            }
        }
        if discarded > 0 { Err(BodyError::TooLarge) } else { Ok(whole) }
    }

    fn make_room<'b>(&'b self, whole: &mut Whole<'b>, more: usize) -> Result<(), BodyError> {
        let needed = (whole.bytes.len() + more).div_ceil(1024);
        let has = whole.held.as_ref().map_or(0, SemaphorePermit::num_permits);
        if needed <= has {
            return Ok(());
        }
        let missing = u32::try_from(needed - has).map_err(|_| BodyError::TooLarge)?;
        let got = self.room.try_acquire_many(missing).map_err(|_| BodyError::Busy)?;
        match &mut whole.held {
            Some(held) => held.merge(got),
            None => whole.held = Some(got),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn body(size: usize) -> Full<Bytes> {
        Full::new(Bytes::from(vec![b' '; size]))
    }

    #[tokio::test]
    async fn bodies_share_the_room_and_give_it_back() {
        let (bodies, patience) = (Bodies::with_room(4), Duration::from_secs(1));
        let first = bodies.read(body(2049), patience).await.unwrap();
        assert_eq!(bodies.read(body(1025), patience).await.unwrap_err(), BodyError::Busy);
        let second = bodies.read(body(1024), patience).await.unwrap();
        assert_eq!(bodies.read(body(0), patience).await.unwrap().bytes.len(), 0, "nothing takes no room");
        drop((first, second));
        assert_eq!(bodies.read(body(4096), patience).await.unwrap().bytes.len(), 4096);
        let refused = BodyError::Busy.response(Port::Public);
        assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
    }

    #[tokio::test]
    async fn what_is_thrown_away_takes_no_room() {
        let bodies = Bodies::default();
        assert_eq!(bodies.read(body(MAX_BODY + 1), Duration::from_secs(1)).await.unwrap_err(), BodyError::TooLarge);
        assert_eq!(bodies.room.available_permits(), ROOM);
    }
}
