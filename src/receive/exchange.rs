//! A request to its answer, whichever way it is spoken.

use super::fault::{Draws, Fate, Injected, count};
use super::http::{self, Form, Response};
use super::refusal::Refusal;
use super::{Arrival, Complaint, Options, SLOTS, WELCOME, grpc};
use crate::clock::now;
use crate::seats::{Seat, Seats};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, Request};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use parking_lot::Mutex;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

/// For a request's body.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all connections share.
pub struct Exchange {
    options: Options,
    arrivals: mpsc::Sender<Arrival>,
    slots: Seats,
    books: Books,
}

/// What became of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// All that could be read.
    pub requests: u64,
    /// On purpose.
    pub injected: Injected,
    /// For what was wrong with them, or with whoever takes them.
    pub refused: u64,
    /// Why the last one was.
    pub last_refusal: String,
}

/// The account, read while it goes on.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<Account>>);

impl Books {
    pub fn account(&self) -> Account {
        self.0.lock().clone()
    }
}

#[derive(Clone, Copy)]
enum Spoken {
    Grpc,
    Http(Form),
}

impl Exchange {
    pub fn new(options: Options, arrivals: mpsc::Sender<Arrival>) -> Exchange {
        Exchange { options, arrivals, slots: Seats::new(SLOTS as u32, WELCOME), books: Books::default() }
    }

    pub fn books(&self) -> Books {
        self.books.clone()
    }

    /// The answer to a request on a connection with that seat; `cut` tells the connection that it is to be cut, instead of an
    /// answer.
    pub async fn answer(&self, request: Request<Incoming>, seat: &Arc<Seat>, cut: &Notify) -> Response {
        let (head, body) = request.into_parts();
        let spoken = if grpc::is_spoken(&head.headers) {
            Spoken::Grpc
        } else {
            // Who says nothing that is known is answered in what can be read.
            Spoken::Http(Form::of(&head.headers).unwrap_or(Form::Json))
        };
        seat.moved();
        let result = match check(&head, &spoken) {
            Ok(()) => self.exchange(head, spoken, Reader { body, seat }, cut).await,
            Err(refusal) => Err(self.refused(refusal)),
        };
        match (spoken, result) {
            (Spoken::Grpc, Ok(answer)) => grpc::accepted(&answer),
            (Spoken::Grpc, Err(refusal)) => grpc::refused(&refusal),
            (Spoken::Http(form), Ok(answer)) => http::accepted(form, &answer),
            (Spoken::Http(form), Err(refusal)) => http::refused(form, &refusal),
        }
    }

    async fn exchange(
        &self,
        head: Parts,
        spoken: Spoken,
        reader: Reader<'_>,
        cut: &Notify,
    ) -> Result<ExportTraceServiceResponse, Refusal> {
        let seat = reader.seat;
        let (draws, result, _busy) = {
            let (body, slot) = self.read(reader).await.map_err(|refusal| self.refused(refusal))?;
            let busy = (seat.busy(), slot.busy());
            let message = self.message(head, spoken, body).await.map_err(|refusal| self.refused(refusal))?;
            let mut draws = self.options.faults.draw(self.number());
            let result = self.take(message, &mut draws).await;
            (draws, result, busy.0)
        };
        if let Some(delay) = draws.delay {
            sleep(delay).await;
        }
        if draws.fate == Fate::Reset && result.is_ok() {
            cut.notify_one();
            std::future::pending::<()>().await;
        }
        result
    }

    /// A whole body, and the slot that is kept for it: not before some of it is there, and no longer than it goes on while others
    /// wait for a slot.
    async fn read(&self, mut reader: Reader<'_>) -> Result<(Bytes, Arc<Seat>), Refusal> {
        let until = Instant::now() + PATIENCE;
        let too_slow = |_| Refusal::too_slow(PATIENCE);
        let first = timeout_at(until, reader.next()).await.map_err(too_slow)??;
        let slot = {
            let _waits = reader.seat.busy();
            self.slots.take().await
        };
        let most = self.options.most_bytes;
        let read = async {
            let (mut kept, mut total, mut next) = (vec![], 0, first);
            kept.reserve((reader.body.size_hint().lower() as usize).min(most));
            while let Some(data) = next {
                slot.moved();
                total += data.len();
                // What is too much is read and forgotten: a client that still sends does not hear its answer.
                if total > most {
                    kept = vec![];
                } else {
                    kept.extend_from_slice(&data);
                }
                next = reader.next().await?;
            }
            if total > most { Err(Refusal::too_large(most)) } else { Ok(Bytes::from(kept)) }
        };
        // Its time begins when its slot is there.
        let until = Instant::now() + PATIENCE;
        let body = tokio::select! {
            biased;
            read = timeout_at(until, read) => read.map_err(too_slow)??,
            () = slot.asked() => return Err(Refusal::unavailable("the request stalled, and others wait", None)),
        };
        Ok((body, slot))
    }

    /// What is compressed or in JSON is read on a thread of its own: that takes its time.
    async fn message(&self, head: Parts, spoken: Spoken, body: Bytes) -> Result<Bytes, Refusal> {
        let most = self.options.most_bytes;
        let read = move || match spoken {
            Spoken::Grpc => grpc::message(&head.headers, body, most),
            Spoken::Http(form) => http::message(&head.headers, form, body, most),
        };
        spawn_blocking(read).await.unwrap_or_else(|_| Err(Refusal::unavailable("the receiver is ending", None)))
    }

    /// Of a request that has been read, from 0.
    fn number(&self) -> u64 {
        let mut account = self.books.0.lock();
        account.requests += 1;
        account.requests - 1
    }

    /// Let happen to a request what is drawn for it.
    async fn take(&self, mut message: Bytes, draws: &mut Draws) -> Result<ExportTraceServiceResponse, Refusal> {
        let faults = &self.options.faults;
        if !faults.looks_into(draws) {
            self.hand_over(message).await?;
            return Ok(ExportTraceServiceResponse::default());
        }
        let seen = count(&message).and_then(|spans| Ok((spans, draws.reject(&message)?)));
        let (spans, part) = seen.map_err(|e| self.refused(Refusal::damaged(e.to_string())))?;
        let rejected = part.as_ref().map_or(0, |(_, rejected)| *rejected);
        if let Some((taken, _)) = part {
            message = taken.into();
        }
        match draws.fate {
            Fate::Unavailable | Fate::Dropped => {}
            Fate::Taken | Fate::Reset => self.hand_over(message).await?,
        }
        let mut account = self.books.0.lock();
        let injected = &mut account.injected;
        if draws.delay.is_some() {
            injected.delayed.add(spans);
        }
        match draws.fate {
            Fate::Unavailable => injected.unavailable.add(spans),
            Fate::Dropped => injected.dropped.add(spans),
            Fate::Reset => injected.reset.add(spans),
            Fate::Taken if rejected > 0 => injected.rejected.add(rejected),
            Fate::Taken => {}
        }
        if draws.fate == Fate::Unavailable {
            let wait = Some(faults.retry_after).filter(|wait| !wait.is_zero());
            return Err(Refusal::unavailable("unavailable on purpose", wait));
        }
        let partial_success = (rejected > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: rejected as i64,
            error_message: "rejected on purpose".into(),
        });
        Ok(ExportTraceServiceResponse { partial_success })
    }

    async fn hand_over(&self, body: Bytes) -> Result<(), Refusal> {
        let ending = || Refusal::unavailable("the receiver is ending", None);
        let (reply, replied) = oneshot::channel();
        let arrival = Arrival { body, at: now(), reply };
        self.arrivals.send(arrival).await.map_err(|_| ending())?;
        match replied.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Complaint::Damaged(message))) => Err(self.refused(Refusal::damaged(message))),
            Ok(Err(Complaint::NotNow(message))) => Err(self.refused(Refusal::unavailable(message, None))),
            Err(_) => Err(ending()),
        }
    }

    /// Counts it.
    fn refused(&self, refusal: Refusal) -> Refusal {
        let mut account = self.books.0.lock();
        account.refused += 1;
        account.last_refusal.clone_from(&refusal.message);
        refusal
    }
}

/// Whether a request is one for traces, as far as its head tells.
fn check(head: &Parts, spoken: &Spoken) -> Result<(), Refusal> {
    let path = match spoken {
        Spoken::Grpc => grpc::EXPORT,
        Spoken::Http(_) => http::PATH,
    };
    if head.uri.path() != path {
        return Err(Refusal::no_such_path(format!("traces are taken at {path}, nothing else is")));
    }
    if head.method != Method::POST {
        return Err(Refusal::method());
    }
    if matches!(spoken, Spoken::Http(_)) && Form::of(&head.headers).is_none() {
        return Err(Refusal::unsupported("a request is application/x-protobuf or application/json"));
    }
    Ok(())
}

/// A body on its way, on the connection that has this seat.
struct Reader<'r> {
    body: Incoming,
    seat: &'r Arc<Seat>,
}

impl Reader<'_> {
    /// `None`: it has ended.
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|e| Refusal::damaged(format!("the body is cut off: {e}")))?;
            self.seat.moved();
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}
