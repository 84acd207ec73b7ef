//! The gRPC listener for pushes.

mod intake;

mod service;

mod status;

use logtally_proto::v1::push_service_server::PushServiceServer;

use self::intake::WithIntake;
use self::service::Service;
use crate::push::Push;

/// The service, to be added to a server.
pub(crate) fn service(
    push: &Push,
) -> impl tower::Service<
    http::Request<tonic::body::Body>,
    Response = http::Response<tonic::body::Body>,
    Error = std::convert::Infallible,
    Future: Send + 'static,
> + tonic::server::NamedService
+ Clone
+ Send
+ Sync
+ 'static {
    let limit = usize::MAX;
    // The intake refuses what is too large, before it is read.
    let server = PushServiceServer::new(Service::new(push.clone()))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit);
    WithIntake::new(server, push.budget().clone())
}
