//! Places where crash tests step in: every edge of a commit. In production they are nothing.
use std::sync::Arc;

/// Steps in at a named place, or does nothing.
pub trait Faults: Send + Sync + 'static {
    /// Called when the process comes to `point`.
    fn at(&self, point: &'static str);
}

/// Faults, shared.
pub type SharedFaults = Arc<dyn Faults>;

/// Never steps in.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn at(&self, _point: &'static str) {}
}

/// Every point there is, in the order in which a process comes to them.
pub const POINTS: &[&str] = &[
    "land/read",
    "land/before-write",
    "land/after-write",
    "land/before-commit",
    "land/after-commit",
    "derive/after-write",
    "derive/after-commit",
    "compact/after-write",
    "compact/after-commit",
    "fold/after-write",
    "fold/after-commit",
    "expire/after-rehome",
    "expire/after-keys",
    "expire/after-rows",
    "expire/after-objects",
    "purge/after-objects",
    "scrub/after-orphan",
];
