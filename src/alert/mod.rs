//! Alerts on their way to people: what one says, the channels it can take, and the outbox that gets it there.
//!
//! Whoever finds that something is worth saying makes an [`AlertMessage`], wraps it in a [`NewAlert`] with its slot,
//! and calls [`enqueue`] inside the transaction that found it; after the commit [`Outbox::ring`] has it delivered at
//! once. One slot gives one message on each channel, however many instances or retries say it. Delivery is at least
//! once, by the owned task [`Delivery`]: the message carries an id by which a receiver can tell a repetition.

mod answer;
pub mod channel;
mod delivery;
pub mod directory;
mod discord;
mod email;
mod mail_api;
mod message;
mod outbox;
mod pagerduty;
mod retry;
mod rules;
mod seal;
mod slack;
mod smtp;
mod smtp_url;
pub mod spike;
mod text;
pub mod watch;
mod webhook;

#[cfg(test)]
mod tests;

pub use answer::{ChannelAnswer, Verdict};
pub use channel::{Channel, ChannelKind, ChannelSettings, FieldProblem};
pub use delivery::Delivery;
pub use directory::{ChannelId, ChannelRecord, Channels};
pub use message::{AlertKind, AlertMessage, issue_link};
pub use outbox::{Enqueued, NewAlert, Outbox, enqueue, enqueue_all};
pub use rules::{
    Findings, Judge, RuleBook, RuleCounters, RuleId, RuleKind, RuleSet, RuleState, Rules, Selection, Setting,
    Tested, check_query,
};
pub use smtp_url::{MailServer, MailTls};
