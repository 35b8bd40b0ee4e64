//! Limits on the memory of all bodies and responses together, from any number of connections.

use crate::web::response::{self, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use hyper::{StatusCode, header};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The maximum length of a body in bytes, which is a scenario in the playground.
pub const BODY: usize = 1 << 20;
/// The maximum number of bytes of all bodies at a time.
const BODIES: usize = 32 << 20;
/// The maximum number of bytes of all responses that are being sent.
const RESPONSES: usize = 256 << 20;
/// The length in bytes up to which a body or response always has room, in as many connections as there are.
const SMALL: usize = 16 << 10;

/// The memory for bodies and responses.
pub struct Room {
    bodies: Arc<Semaphore>,
    responses: Arc<Semaphore>,
}

/// A body, with the permit for the memory that it takes.
pub struct Read {
    pub bytes: Bytes,
    pub held: Option<OwnedSemaphorePermit>,
}

impl Default for Room {
    fn default() -> Room {
        let room = |bytes| Arc::new(Semaphore::new(bytes));
        Room { bodies: room(BODIES), responses: room(RESPONSES) }
    }
}

impl Room {
    /// Reads a body, unless its announced length is too large.
    ///
    /// # Errors
    /// The body is too long or breaks off, or there is no room for it.
    pub async fn read<B: Body<Data = Bytes> + Unpin>(&self, mut body: B) -> Result<Read, StatusCode> {
        if body.size_hint().lower() > BODY as u64 {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let (mut bytes, mut held) = (vec![], None);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
            if bytes.len() + data.len() > BODY {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            bytes.extend_from_slice(&data);
            take(&self.bodies, &mut held, bytes.len())?;
        }
        Ok(Read { bytes: bytes.into(), held })
    }

    /// Takes room for a response until it is sent. If there is none, the response is replaced by one that says so.
    pub fn hold(&self, response: Response) -> (Response, Option<OwnedSemaphorePermit>) {
        let mut held = None;
        let length = response.body().size_hint().exact().unwrap_or(0);
        if take(&self.responses, &mut held, length as usize).is_ok() {
            return (response, held);
        }
        let line = "Others are being sent too much at the moment: try again in a few seconds.";
        let mut busy = response::text(StatusCode::SERVICE_UNAVAILABLE, line);
        busy.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("2"));
        (busy, None)
    }
}

/// Extends `held` as far as `length` needs.
fn take(room: &Arc<Semaphore>, held: &mut Option<OwnedSemaphorePermit>, length: usize) -> Result<(), StatusCode> {
    let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let more = length.saturating_sub(SMALL).saturating_sub(has);
    if more == 0 {
        return Ok(());
    }
    let more = u32::try_from(more).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let permit = room.clone().try_acquire_many_owned(more).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    match held {
        Some(held) => held.merge(permit),
        None => *held = Some(permit),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    fn body(length: usize) -> Full<Bytes> {
        Full::new(vec![b'x'; length].into())
    }

    #[tokio::test]
    async fn bodies_are_limited_each_and_together() {
        let room = Room::default();
        assert_eq!(room.read(body(BODY + 1)).await.err(), Some(StatusCode::PAYLOAD_TOO_LARGE));
        let mut held = vec![];
        let full = loop {
            match room.read(body(BODY)).await {
                Ok(read) => held.push(read),
                Err(status) => break status,
            }
        };
        assert_eq!((full, held.len()), (StatusCode::SERVICE_UNAVAILABLE, BODIES / (BODY - SMALL)));
        assert!(room.read(body(SMALL)).await.is_ok(), "what is small always has room");
        held.pop();
        assert!(room.read(body(BODY)).await.is_ok());
    }

    #[test]
    fn responses_have_room_until_they_are_sent() {
        let room = Room::default();
        let answer = |length: usize| response::with(StatusCode::OK, "text/plain", vec![b'x'; length]);
        let (first, held) = room.hold(answer(RESPONSES + SMALL));
        assert_eq!((first.status(), held.is_some()), (StatusCode::OK, true));
        assert_eq!(room.hold(answer(2 * SMALL)).0.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(room.hold(answer(SMALL)).0.status(), StatusCode::OK);
        drop(held);
        assert_eq!(room.hold(answer(2 * SMALL)).0.status(), StatusCode::OK);
    }
}
