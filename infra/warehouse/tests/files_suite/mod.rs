//! What must hold for data files, whatever store they lie in.
mod bench;
mod puts;
mod reads;
mod whole;

pub use bench::Bench;
pub use puts::*;
pub use reads::*;
pub use whole::*;
