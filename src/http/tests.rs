//! The routes as a client meets them, over a storage in memory.

mod access;
mod admin;
mod harness;
mod layers;
mod senders;
mod sessions;
mod socket;
