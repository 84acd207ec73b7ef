//! Holds patched gzip against text that is compressed anew; see `logtally_patchgzip::check`.
//!
//! `cargo +nightly fuzz run patchgzip`. The ordinary tests run the same check on generated input.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logtally_patchgzip::check::check(data));
