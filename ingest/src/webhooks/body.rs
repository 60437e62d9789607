//! Reading a body under limits (`security.md` §9.1): what is too long is refused before it is buffered.
//!
//! A signature covers a whole body, so that anybody can have one buffered. [`Room`] bounds all of them together.
use crate::settings::IngestSettings;
use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The bytes that all bodies may have together, from when they come until the post is answered.
pub(super) struct Room(Semaphore);

/// A body and its place in the [`Room`].
pub(super) struct Held<'a> {
    pub bytes: Vec<u8>,
    _place: SemaphorePermit<'a>,
}

impl Room {
    pub fn new(bytes: usize) -> Self {
        Self(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)))
    }

    /// Place for bytes that have come. What a body only promises takes none, or promises alone would fill the room.
    fn place(&self, bytes: usize) -> Result<SemaphorePermit<'_>, StatusCode> {
        // Waiting would hold a connection for a post that the platform sends again anyway.
        u32::try_from(bytes)
            .ok()
            .and_then(|bytes| self.0.try_acquire_many(bytes).ok())
            .ok_or(StatusCode::SERVICE_UNAVAILABLE)
    }
}

/// Looks at the headers alone.
pub(super) fn check_headers(headers: &HeaderMap, settings: &IngestSettings) -> Result<(), StatusCode> {
    let length: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if length > settings.header_max {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    // The signature covers the bytes as sent; no platform compresses, and what expands is a way to be flooded.
    let plain = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Ok(())
}

/// The body's bytes as they came.
pub(super) async fn read<'a>(body: Body, room: &'a Room, settings: &IngestSettings) -> Result<Held<'a>, StatusCode> {
    if body.size_hint().lower() > settings.body_max as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let read = tokio::time::timeout(settings.read_timeout, collect(body, room, settings.body_max)).await;
    read.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

async fn collect(mut body: Body, room: &Room, max: usize) -> Result<Held<'_>, StatusCode> {
    let (mut bytes, mut place) = (Vec::new(), room.place(0)?);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        place.merge(room.place(data.len())?);
        bytes.extend_from_slice(&data);
    }
    Ok(Held { bytes, _place: place })
}
