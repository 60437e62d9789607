//! A process on a data directory: everything that is built at start, what runs, and how it ends.
mod desk;
mod directory;
mod endpoints;
mod error;
mod fault;
mod gate;
mod housekeeping;
mod land;
mod listeners;
mod metrics;
mod progress;
mod readers;
mod readiness;
mod run;
mod solo;
mod stop;
mod store;
mod stores;
mod supervisor;

pub use desk::Desk;
pub use directory::DataDir;
pub use endpoints::Endpoints;
pub use error::StartError;
pub use metrics::Totals;
pub use run::Node;
pub use solo::Solo;
pub use stop::asked;
