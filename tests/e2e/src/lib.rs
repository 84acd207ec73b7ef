//! The harness of the whole-system tests: real programs, a real Redis, a real Prometheus, real
//! files, real signals.
//!
//! The tests stand in `tests/`, one file per promise. This crate is never shipped, knows the
//! programs only by their command lines, their pages and their `.proto` files, and shares no code with
//! them: what it expects, it works out by itself ([`recount`]).
//!
//! Waiting is always for a condition, with a deadline ([`wait`]); randomness always comes from one
//! printed seed ([`seed`]).

// A harness reports what went wrong by panicking; saying so at every function would say nothing.
#![allow(clippy::missing_panics_doc)]

pub mod cluster;

pub mod one_process;

pub mod program;

pub mod configuration;

pub mod binaries;

pub mod logs;

pub mod catalogue;

pub mod recount;

pub mod scraper;

pub mod exposition;

pub mod http;

pub mod push_client;

pub mod push_proxy;

pub mod push_wire;

pub mod push_scene;

pub mod tcp_proxy;

pub mod redis_cli;

pub mod seed;

pub mod wait;
