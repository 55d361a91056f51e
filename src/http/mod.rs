//! To be written.

pub mod adapter;
pub mod body;
pub mod client_address;
