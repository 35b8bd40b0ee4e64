//! The way of a request to its answer, in either protocol.

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

/// The time allowed for a request's body.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all connections share.
pub struct Exchange {
    options: Options,
    arrivals: mpsc::Sender<Arrival>,
    slots: Seats,
    books: Books,
}

/// Counts of what became of the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The number of requests that could be read.
    pub requests: u64,
    /// The faults that were injected.
    pub injected: Injected,
    /// The number of requests refused because something was wrong with them, or with the consumer.
    pub refused: u64,
    /// The reason for the last refusal.
    pub last_refusal: String,
}

/// A handle on the account, which can be read while requests come in.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<Account>>);

impl Books {
    pub fn account(&self) -> Account {
        self.0.lock().clone()
    }
}

/// The protocol of a request.
#[derive(Clone, Copy)]
enum Protocol {
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

    /// Answers a request on the connection that has `seat`. Instead of an answer, `cut` may tell the connection to close
    /// abruptly.
    pub async fn answer(&self, request: Request<Incoming>, seat: &Arc<Seat>, cut: &Notify) -> Response {
        let (head, body) = request.into_parts();
        let protocol = if grpc::is_spoken(&head.headers) {
            Protocol::Grpc
        } else {
            // A request in an unknown form is answered in a form that most clients can read.
            Protocol::Http(Form::of(&head.headers).unwrap_or(Form::Json))
        };
        seat.moved();
        let result = match check(&head, &protocol) {
            Ok(()) => self.exchange(head, protocol, Reader { body, seat }, cut).await,
            Err(refusal) => Err(self.refused(refusal)),
        };
        match (protocol, result) {
            (Protocol::Grpc, Ok(answer)) => grpc::accepted(&answer),
            (Protocol::Grpc, Err(refusal)) => grpc::refused(&refusal),
            (Protocol::Http(form), Ok(answer)) => http::accepted(form, &answer),
            (Protocol::Http(form), Err(refusal)) => http::refused(form, &refusal),
        }
    }

    async fn exchange(
        &self,
        head: Parts,
        protocol: Protocol,
        reader: Reader<'_>,
        cut: &Notify,
    ) -> Result<ExportTraceServiceResponse, Refusal> {
        let seat = reader.seat;
        let (draws, result, _busy) = {
            let (body, slot) = self.read(reader).await.map_err(|refusal| self.refused(refusal))?;
            let busy = (seat.busy(), slot.busy());
            let message = self.message(head, protocol, body).await.map_err(|refusal| self.refused(refusal))?;
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

    /// Reads a whole body, and returns it with the slot that it takes. The slot is taken when a part of the body has come,
    /// and given up if the body stalls while others wait for a slot.
    async fn read(&self, mut reader: Reader<'_>) -> Result<(Bytes, Arc<Seat>), Refusal> {
        let until = Instant::now() + PATIENCE;
        let too_slow = |_| Refusal::too_slow(PATIENCE);
        let first = timeout_at(until, reader.next()).await.map_err(too_slow)??;
        let slot = {
            let _waits = reader.seat.busy();
            self.slots.take().await
        };
        let most = self.options.max_bytes;
        let read = async {
            let (mut kept, mut total, mut next) = (vec![], 0, first);
            kept.reserve((reader.body.size_hint().lower() as usize).min(most));
            while let Some(data) = next {
                slot.moved();
                total += data.len();
                // The remainder of a body that is too large is read and dropped, because a client that still sends would
                // not see the answer.
                if total > most {
                    kept = vec![];
                } else {
                    kept.extend_from_slice(&data);
                }
                next = reader.next().await?;
            }
            if total > most { Err(Refusal::too_large(most)) } else { Ok(Bytes::from(kept)) }
        };
        // The time allowed begins when the slot is there.
        let until = Instant::now() + PATIENCE;
        let body = tokio::select! {
            biased;
            read = timeout_at(until, read) => read.map_err(too_slow)??,
            () = slot.asked() => return Err(Refusal::unavailable("the request stalled, and others wait", None)),
        };
        Ok((body, slot))
    }

    /// Decodes a body. Decompression and JSON take time, so they run on a thread of their own.
    async fn message(&self, head: Parts, protocol: Protocol, body: Bytes) -> Result<Bytes, Refusal> {
        let most = self.options.max_bytes;
        let read = move || match protocol {
            Protocol::Grpc => grpc::message(&head.headers, body, most),
            Protocol::Http(form) => http::message(&head.headers, form, body, most),
        };
        spawn_blocking(read).await.unwrap_or_else(|_| Err(Refusal::unavailable("the receiver is ending", None)))
    }

    /// Returns the number of the next request, counting from 0.
    fn number(&self) -> u64 {
        let mut account = self.books.0.lock();
        account.requests += 1;
        account.requests - 1
    }

    /// Applies the fault that was drawn for a request.
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
        let arrival = Arrival { body, time: now(), reply };
        self.arrivals.send(arrival).await.map_err(|_| ending())?;
        match replied.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Complaint::Damaged(message))) => Err(self.refused(Refusal::damaged(message))),
            Ok(Err(Complaint::NotNow(message))) => Err(self.refused(Refusal::unavailable(message, None))),
            Err(_) => Err(ending()),
        }
    }

    /// Counts a refusal.
    fn refused(&self, refusal: Refusal) -> Refusal {
        let mut account = self.books.0.lock();
        account.refused += 1;
        account.last_refusal.clone_from(&refusal.message);
        refusal
    }
}

/// Checks, as far as the head of a request tells, that it is an export of traces.
fn check(head: &Parts, protocol: &Protocol) -> Result<(), Refusal> {
    let path = match protocol {
        Protocol::Grpc => grpc::EXPORT,
        Protocol::Http(_) => http::PATH,
    };
    if head.uri.path() != path {
        return Err(Refusal::no_such_path(format!("traces are accepted at {path}, and nothing else is")));
    }
    if head.method != Method::POST {
        return Err(Refusal::method());
    }
    if matches!(protocol, Protocol::Http(_)) && Form::of(&head.headers).is_none() {
        return Err(Refusal::unsupported("a request must be application/x-protobuf or application/json"));
    }
    Ok(())
}

/// A body that is being read, on the connection that has `seat`.
struct Reader<'r> {
    body: Incoming,
    seat: &'r Arc<Seat>,
}

impl Reader<'_> {
    /// Returns the next part of the body; `None` at its end.
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
