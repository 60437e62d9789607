//! Webhook payloads in the platforms' true shapes.
pub mod facebook;
pub mod line;
pub mod sign;
