//! Generated code of package `logtally.v1`.

#![allow(missing_docs, clippy::pedantic, unreachable_pub, unused_qualifications)]

tonic::include_proto!("logtally.v1");
