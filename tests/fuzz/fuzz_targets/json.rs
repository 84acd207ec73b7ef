//! Holds both readings of a format against each other; see `logtally_recount::agree`.
//!
//! `cargo +nightly fuzz run json`. The ordinary tests run the same check on generated input.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logtally_recount::agree::check_json(data));
