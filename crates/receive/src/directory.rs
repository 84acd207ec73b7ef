//! Groups of pushed metrics, as the aggregators know them: any of them answers for all groups.

use std::sync::Arc;
use std::time::Duration;

use logtally_core::limits::GROUPS_BYTES_MAX;
use logtally_core::push::Group;
use logtally_proto::v1;
use logtally_proto::v1::group_service_client::GroupServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::error::PushError;
use logtally_session::uplink::Peer;

/// How long an aggregator may take: it looks through a partition.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Asks aggregators about groups.
#[derive(Clone)]
pub(crate) struct Directory {
    peers: Arc<[Peer]>,
}

impl Directory {
    /// Asks these aggregators, the first one that is reachable.
    pub(super) fn new(peers: &[Peer]) -> Self {
        Self { peers: peers.into() }
    }

    /// All groups.
    pub(crate) async fn list(&self) -> Result<Vec<v1::PushedGroup>, PushError> {
        let ask = |mut client: Client| async move {
            client.list_groups(request(v1::ListGroupsRequest {})).await
        };
        Ok(self.ask(ask).await?.groups)
    }

    /// Forgets all series of a group. Returns how many there were.
    pub(crate) async fn delete(&self, group: &Group) -> Result<u64, PushError> {
        let label = |(name, value): &(String, String)| v1::Label {
            name: name.clone(),
            value: value.clone(),
        };
        let labels: Vec<v1::Label> = group.labels().iter().map(label).collect();
        let ask = |mut client: Client| {
            let labels = labels.clone();
            async move { client.delete_group(request(v1::DeleteGroupRequest { labels })).await }
        };
        Ok(self.ask(ask).await?.series)
    }

    async fn ask<T, F>(&self, question: impl Fn(Client) -> F) -> Result<T, PushError>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        for peer in &*self.peers {
            let channel = match peer.connect().await {
                Ok(channel) => channel,
                Err(error) => {
                    tracing::warn!(aggregator = peer.name(), error, "cannot ask the aggregator");
                    continue;
                }
            };
            let client =
                GroupServiceClient::new(channel).max_decoding_message_size(GROUPS_BYTES_MAX);
            match question(client).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(error) if error.code() == Code::InvalidArgument => {
                    return Err(PushError::invalid("labels", error.message()));
                }
                Err(error) => {
                    let error = error.message();
                    tracing::warn!(aggregator = peer.name(), error, "the aggregator cannot answer");
                }
            }
        }
        Err(PushError::NoAggregator)
    }
}

type Client = GroupServiceClient<Channel>;

fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ANSWER_MAX);
    request
}
