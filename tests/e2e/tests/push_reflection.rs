//! A client that has no `.proto` file learns from the ingest what there is, and pushes with that.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use logtally_e2e::cluster::{Cluster, Layout, START};
use logtally_e2e::exposition::series;
use logtally_e2e::push_wire::{call, channel, frame};
use prost::Message;
use prost_types::{FileDescriptorProto, MethodDescriptorProto};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

const SERVICE: &str = "logtally.v1.PushService";

fn start() -> Cluster {
    let layout = Layout { aggregators: 1, ingests: 1, exporters: 1, ..Layout::default() };
    let mut cluster = Cluster::prepare(layout);
    cluster.start();
    cluster
}

async fn ask(port: u16, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut client = ServerReflectionClient::new(channel(port));
    let answers = client.server_reflection_info(tokio_stream::iter([request])).await;
    let answer = answers.expect("reflection").into_inner().message().await.expect("an answer");
    answer.expect("an answer").message_response.expect("a message")
}

async fn file_of(port: u16, symbol: &str) -> FileDescriptorProto {
    match ask(port, MessageRequest::FileContainingSymbol(symbol.to_owned())).await {
        MessageResponse::FileDescriptorResponse(files) => {
            let mut files = files.file_descriptor_proto.iter();
            let file = files.next().expect("a file");
            FileDescriptorProto::decode(&file[..]).expect("a descriptor")
        }
        other => panic!("{other:?}"),
    }
}

/// The number of a field of a message.
fn field(file: &FileDescriptorProto, message: &str, name: &str) -> u32 {
    let message = file.message_type.iter().find(|m| m.name() == message).expect("the message");
    let field = message.field.iter().find(|f| f.name() == name).expect("the field");
    field.number().unsigned_abs()
}

/// A message with one field of bytes or text.
fn one_field(number: u32, content: &[u8]) -> BytesMut {
    const BYTES: u32 = 2;
    let mut message = BytesMut::new();
    message.put_u8((number << 3 | BYTES) as u8);
    message.put_u8(content.len() as u8);
    message.put_slice(content);
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_proto_file_can_push() {
    let cluster = start();
    let port = cluster.ingests[0].port;
    let MessageResponse::ListServicesResponse(list) =
        ask(port, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list of services");
    };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in [SERVICE, "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }

    let file = file_of(port, SERVICE).await;
    let service = file.service.iter().find(|s| s.name() == "PushService").expect("the service");
    let method = |name: &str| -> &MethodDescriptorProto {
        service.method.iter().find(|m| m.name() == name).expect("the method")
    };
    assert_eq!(method("Push").input_type(), ".logtally.v1.PushRequest");
    assert!(method("PushStream").client_streaming() && method("PushStream").server_streaming());
    assert!(method("OpenProducer").input_type().ends_with("OpenProducerRequest"));

    let records = field(&file, "PushRequest", "records");
    let message = one_field(records, b"reflected,job\nreflected,job\n");
    let path = format!("/{SERVICE}/{}", method("Push").name());
    call(channel(port), &path, &[], frame(&message)).await.expect("counted");
    cluster.wait_for_records(2, START);
    assert_eq!(cluster.scrape(0).expect("a page")[&series("reflected", "job")], 2);
}

async fn health(port: u16, service: &str) -> Result<ServingStatus, tonic::Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel(port)).check(request).await?;
    Ok(answer.into_inner().status())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_and_changes_when_the_ingest_leaves() {
    let mut cluster = start();
    let port = cluster.ingests[0].port;
    for service in ["", SERVICE] {
        assert_eq!(health(port, service).await.expect("an answer"), ServingStatus::Serving);
    }
    let unknown = health(port, "no.such.Service").await.expect_err("unknown");
    assert_eq!(unknown.code(), tonic::Code::NotFound);

    let request = HealthCheckRequest { service: SERVICE.to_owned() };
    let mut client = HealthClient::new(channel(port));
    let mut watched = client.watch(request).await.expect("a watch").into_inner();
    let first = watched.message().await.expect("an answer").expect("a status");
    assert_eq!(first.status(), ServingStatus::Serving);
    let leaving = tokio::spawn(async move {
        let next = tokio::time::timeout(Duration::from_secs(10), watched.message()).await;
        next.expect("in time").expect("an answer").map(|answer| answer.status())
    });
    assert_eq!(cluster.ingests[0].program.terminate().code(), Some(0));
    let told = leaving.await.expect("a watch");
    assert_eq!(told, Some(ServingStatus::NotServing), "it says so before it goes");
}
