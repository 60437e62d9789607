//! Pure data contracts of ChatMai: ids, instants, events and their wire form, sealed records, Arrow schemas and
//! the fold that turns events into conversations. Nothing here does I/O; clocks and randomness are injected
//! through [`clock`].
pub mod amendment;
pub mod clock;
pub mod columns;
pub mod conversation;
pub mod event;
pub mod ids;
pub mod kind;
pub mod log;
pub mod partition;
pub mod record;
pub mod time;
pub mod wire;
