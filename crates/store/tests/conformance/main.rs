//! One suite over every store: what a store promises, said once, and run against all of them.
//!
//! To add a store, implement [`backend::Backend`] for it in a module of its own and call
//! `conformance!` there. A case may ask for nothing that a backend's hooks do not give; a hook that
//! a store cannot offer is a reason to talk about the promise, not to skip the case.

mod backend;

mod words;

mod cases;

mod memory;

mod embedded;

mod redis;
