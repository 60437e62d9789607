pub mod check;
pub mod payload;
pub mod traffic;
