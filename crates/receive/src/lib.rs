//! Pushed records: from a message to an acknowledgement.
//!
//! A message is admitted ([`budget`]), counted by the rules of a push input ([`block`]), put in its
//! place behind the messages before it ([`pushed`]) and committed by the aggregator that works for its
//! source ([`hub`]). The listeners ([`grpc`], [`http`]) only translate.
//!
//! This crate never sees files or the store.

mod block;

mod budget;

mod directory;

mod error;

mod groups;

mod grpc;

mod http;

mod hub;

mod listeners;

mod message;

mod metrics;

mod opening;

mod push;

mod pushed;

mod pushing;

pub use self::listeners::Listeners;
pub use self::push::Push;
pub use self::pushing::Pushing;
