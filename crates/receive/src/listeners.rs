//! The listeners for pushes, over gRPC and HTTP.

use std::time::Duration;

use logtally_core::limits::PUSH_STREAM_DRAIN_MAX;
use logtally_proto::v1::push_service_server::SERVICE_NAME;
use logtally_service::{BindError, Context, ListenAddress, bind};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;

use crate::push::Push;

/// Streams of one connection: a client may have one per producer.
const STREAMS_MAX: u32 = 1024;

/// Flow-control windows (bytes): what the system keeps of one stream, and of one connection, before
/// there is room for it.
const WINDOWS: (u32, u32) = (128 << 10, 512 << 10);

/// A silent client is asked for a sign of life after this time, and given up after the same again.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Where pushes are taken.
#[derive(Debug, Default)]
pub struct Listeners {
    grpc: Option<TcpListener>,
    http: Option<TcpListener>,
}

impl Listeners {
    /// Binds the addresses that are given.
    pub async fn bind(
        grpc: Option<&ListenAddress>,
        http: Option<&ListenAddress>,
    ) -> Result<Self, BindError> {
        let mut listeners = Self::default();
        if let Some(address) = grpc {
            listeners.grpc = Some(bind("--grpc.listen-address", address).await?);
        }
        if let Some(address) = http {
            listeners.http = Some(bind("--push.listen-address", address).await?);
        }
        Ok(listeners)
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.grpc.is_none() && self.http.is_none()
    }

    /// Takes pushes until the context's shutdown.
    pub async fn serve(self, push: Push, context: Context) -> anyhow::Result<()> {
        let grpc = async {
            match self.grpc {
                Some(listener) => serve_grpc(listener, &push, &context).await,
                None => Ok(()),
            }
        };
        let http = async {
            if let Some(listener) = self.http {
                crate::http::serve(listener, push.clone(), &context).await;
            }
        };
        tokio::join!(grpc, http).0
    }
}

/// Takes pushes over gRPC, with health and reflection, until the context's shutdown.
async fn serve_grpc(listener: TcpListener, push: &Push, context: &Context) -> anyhow::Result<()> {
    let (health, health_service) = tonic_health::server::health_reporter();
    for service in ["", SERVICE_NAME] {
        health.set_service_status(service, ServingStatus::Serving).await;
    }
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(logtally_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(SERVICE_NAME)
        .with_service_name(tonic_health::pb::health_server::SERVICE_NAME)
        .build_v1()?;
    let shutdown = context.shutdown.clone();
    // An answer is written at once: waiting for more would only delay it.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .add_service(crate::grpc::service(push))
        .add_service(health_service)
        .add_service(reflection)
        .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
    let late = async {
        shutdown.cancelled().await;
        for service in ["", SERVICE_NAME] {
            health.set_service_status(service, ServingStatus::NotServing).await;
        }
        tokio::time::sleep(PUSH_STREAM_DRAIN_MAX).await;
    };
    tokio::select! {
        result = server => result?,
        () = late => tracing::warn!("stopped before all streams had ended; their clients go on elsewhere"),
    }
    Ok(())
}
