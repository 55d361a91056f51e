//! From a body's bytes to raw events. (To be completed.)

pub mod inflate;
