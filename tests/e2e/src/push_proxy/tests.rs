//! The proxy and the plain client against each other, with the smallest thing between them and nothing
//! that keeps the contract: a set of numbers. The real service is what the whole-system tests are for.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use logtally_proto::v1::Guarantee;

use super::*;
use crate::push_client::Producer;

const WITHIN: Duration = Duration::from_secs(20);

/// Counts how often each message arrived, and acknowledges those that follow each other.
#[derive(Clone, Default)]
struct Numbers(Arc<Mutex<BTreeMap<u64, u64>>>);

impl Numbers {
    async fn start(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let serving = Server::builder()
            .add_service(PushServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        port
    }

    fn arrivals(&self) -> BTreeMap<u64, u64> {
        self.0.lock().expect("the numbers").clone()
    }

    fn take(&self, message: &PushRequest) -> Result<PushResponse, Status> {
        let mut seen = self.0.lock().expect("the numbers");
        let last = seen.last_key_value().map_or(0, |(number, _)| *number);
        if message.sequence > last + 1 {
            return Err(Status::out_of_range("a gap"));
        }
        let times = seen.entry(message.sequence).or_default();
        *times += 1;
        Ok(PushResponse {
            sequence: message.sequence,
            guarantee: Guarantee::ExactlyOnce.into(),
            messages: 1,
            duplicates: u64::from(*times > 1),
            ..PushResponse::default()
        })
    }
}

#[tonic::async_trait]
impl PushService for Numbers {
    async fn open_producer(
        &self,
        _: Request<OpenProducerRequest>,
    ) -> Result<Response<OpenProducerResponse>, Status> {
        Ok(Response::new(OpenProducerResponse { epoch: 1, ..Default::default() }))
    }

    async fn push(&self, request: Request<PushRequest>) -> Result<Response<PushResponse>, Status> {
        self.take(&request.into_inner()).map(Response::new)
    }

    type PushStreamStream = ReceiverStream<Result<PushResponse, Status>>;

    async fn push_stream(
        &self,
        request: Request<Streaming<PushRequest>>,
    ) -> Result<Response<Self::PushStreamStream>, Status> {
        let (to, answers) = mpsc::channel(1);
        let (mut from, numbers) = (request.into_inner(), self.clone());
        tokio::spawn(async move {
            let mut acknowledged = 0;
            while let Ok(Some(message)) = from.message().await {
                let answer = numbers.take(&message);
                // A duplicate within the stream is acknowledged already.
                let again = message.sequence <= acknowledged;
                acknowledged = acknowledged.max(message.sequence);
                if (!again || answer.is_err()) && to.send(answer).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

fn bodies(count: usize) -> Vec<Bytes> {
    (0..count).map(|i| Bytes::from(format!("host{i},job\n"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_in_the_end_and_every_fault_happens() {
    let numbers = Numbers::default();
    let upstream = numbers.start().await;
    let mut rng = StdRng::seed_from_u64(1);
    let rates = Rates { longest: Duration::from_millis(2), mute_stream: 0.05, ..Rates::BAD };
    let proxy = PushProxy::start(&[upstream, upstream], rates, &mut rng).await;
    let mut producer = Producer::new("p", &[proxy.port()]);
    producer.attempt = Duration::from_millis(200);
    producer.open(WITHIN).await.expect("opened");
    for records in bodies(150) {
        producer.push(&records, None, WITHIN).await.expect("acknowledged");
    }
    producer.stream(&bodies(150), WITHIN).await.expect("acknowledged");

    let arrivals = numbers.arrivals();
    assert_eq!(arrivals.len(), 300);
    assert!(arrivals.values().any(|times| *times > 1), "some came twice");
    proxy.is_busy().expect("every fault");
    assert_eq!(producer.account.acknowledged, 300);
    assert!(producer.account.duplicates > 0 && producer.account.failures() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_network_changes_nothing() {
    let numbers = Numbers::default();
    let upstream = numbers.start().await;
    let proxy = PushProxy::start(&[upstream], Rates::NONE, &mut StdRng::seed_from_u64(1)).await;
    let mut producer = Producer::new("p", &[proxy.port()]);
    producer.open(WITHIN).await.expect("opened");
    let begun = Instant::now();
    producer.stream(&bodies(100), WITHIN).await.expect("acknowledged");
    assert!(begun.elapsed() < WITHIN);
    assert_eq!(numbers.arrivals().values().sum::<u64>(), 100);
    assert_eq!(producer.account.failures(), 0, "{:?}", proxy.did());
}
