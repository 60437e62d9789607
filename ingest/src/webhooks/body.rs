//! Reading a body under limits (`security.md` §9.1): what is too long is refused before it is buffered.
use crate::settings::IngestSettings;
use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::BodyExt;

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
pub(super) async fn read(body: Body, settings: &IngestSettings) -> Result<Vec<u8>, StatusCode> {
    if body.size_hint().lower() > settings.body_max as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    tokio::time::timeout(settings.read_timeout, collect(body, settings.body_max))
        .await
        .unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

async fn collect(mut body: Body, max: usize) -> Result<Vec<u8>, StatusCode> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
