//! Bodies into the spool, piece by piece, with a limit on silence.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::gate::answer::Refusal;
use crate::gate::multipart::{Event, Multipart};
use crate::gate::reason::Reason;
use crate::gate::spool::{Spool, Spooled};

/// Bytes of a JSON body: there is no honest reason for more.
pub(super) const JSON_BYTES: usize = 1 << 20;

/// What a client sends.
pub(super) struct Incoming {
    stream: Pin<Box<BodyDataStream>>,
    silence: Duration,
}

impl Incoming {
    /// The body, of which a piece must come every `silence`.
    pub(super) fn new(body: Body, silence: Duration) -> Self {
        Self { stream: Box::pin(body.into_data_stream()), silence }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        match tokio::time::timeout(self.silence, self.stream.next()).await {
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(None) => Ok(None),
            Ok(Some(Err(error))) => Err(bad(format!("the body ended early: {error}"))),
            Err(_) => Err(Reason::SlowBody.into()),
        }
    }

    /// All of a short body.
    pub(super) async fn short(mut self) -> Result<Vec<u8>, Refusal> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
            if all.len() > JSON_BYTES {
                let message = format!("{} Of JSON it may have {JSON_BYTES} bytes.", Reason::TooLarge.meaning());
                return Err(Refusal::new(Reason::TooLarge, message));
            }
        }
        Ok(all)
    }

    /// The body as it is.
    pub(super) async fn whole(mut self, spool: &Spool) -> Result<Spooled, Refusal> {
        let mut writer = spool.begin()?;
        while let Some(piece) = self.next().await? {
            writer.write(&piece).await?;
        }
        writer.finish().await
    }

    /// The one file of a form, and its name.
    pub(super) async fn form(mut self, mut form: Multipart, spool: &Spool) -> Result<(String, Spooled), Refusal> {
        let wrong = |why: &str| bad(format!("multipart/form-data: {why}"));
        let mut file = None;
        let mut in_file = false;
        while let Some(piece) = self.next().await? {
            form.push(&piece);
            while let Some(event) = form.next().map_err(wrong)? {
                match event {
                    Event::Part(Some(name)) => {
                        if file.is_some() {
                            return Err(wrong("there are two files; send each by itself"));
                        }
                        file = Some((name, spool.begin()?));
                        in_file = true;
                    }
                    Event::Part(None) => in_file = false,
                    Event::Data(data) => match &mut file {
                        Some((_, writer)) if in_file => writer.write(&data).await?,
                        _ => {}
                    },
                    Event::End => {}
                }
            }
        }
        if !form.is_over() {
            return Err(wrong("it ended early"));
        }
        let (name, writer) = file.ok_or_else(|| wrong("there is no file in it"))?;
        Ok((name, writer.finish().await?))
    }
}

pub(super) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(Reason::BadRequest, message)
}

/// A header's value, when it is text.
pub(super) fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// What the header says of the body, before any of it is read.
pub(super) fn check(headers: &HeaderMap, spool: &Spool) -> Result<(), Refusal> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Reason::Encoded.into());
    }
    let length = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    length.map_or(Ok(()), |length| spool.would_take(length))
}
