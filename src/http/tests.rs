//! The routes as a client meets them, over a real store.

mod access;
mod admin;
mod harness;
mod layers;
mod senders;
mod sessions;
mod socket;
