//! Generated code of package `logtally.v1`.

#![allow(missing_docs, clippy::pedantic, unused_qualifications)]

tonic::include_proto!("logtally.v1");
