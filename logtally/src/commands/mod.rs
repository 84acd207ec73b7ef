//! The commands beside `run` and `healthcheck`, a module each. They look, compare, try out, repair and
//! push; a store is only ever changed by its documented compare-and-set calls, and only after `--yes`,
//! or by an ingest that is pushed to.

pub(crate) mod config_file;

pub(crate) mod check;

pub(crate) mod explain;

pub(crate) mod samples;

pub(crate) mod sources;

pub(crate) mod series;

pub(crate) mod forget;

pub(crate) mod doctor;

pub(crate) mod verify;

pub(crate) mod push;

pub(crate) mod completions;

pub(crate) mod healthcheck;
