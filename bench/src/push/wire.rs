//! The messages of both sides.

#![allow(missing_docs, clippy::pedantic, unused_qualifications)]

tonic::include_proto!("logtally.bench");
