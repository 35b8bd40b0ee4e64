//! Memory for what comes and goes: so many bytes of bodies and of responses at a time, from however many connections.

use crate::web::response::{self, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use hyper::{StatusCode, header};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most bytes of a body: a scenario in the playground.
pub const BODY: usize = 1 << 20;
/// Bytes of all bodies at a time.
const BODIES: usize = 32 << 20;
/// Bytes of all responses that are being sent.
const RESPONSES: usize = 256 << 20;
/// What is no longer than this always has room: as often as there are connections.
const SMALL: usize = 16 << 10;

pub struct Room {
    bodies: Arc<Semaphore>,
    responses: Arc<Semaphore>,
}

/// A body, with the room that it takes.
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
    /// Reads a body, unless it says that it is too long.
    ///
    /// # Errors
    /// It is too long, breaks off, or there is no room for it.
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

    /// Room for a response until it is sent. Where there is none, another response takes its place that says so.
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

/// Makes `held` as large as `length` needs.
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
    async fn bodies_have_bounds_each_and_together() {
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
