//! tonic, unmodified, against lib/rpc: `rpc-interop PORT AGING_PORT`.  On the second port the server
//! ends every connection after a short while (GOAWAY).

mod messages;

use std::time::{Duration, Instant};

use messages::*;
use tokio_stream::StreamExt;
use tonic::client::Grpc;
use tonic::codec::{CompressionEncoding, ProstCodec};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

const SIZES: [i32; 4] = [31415, 9, 2653, 58979];

fn path(method: &str) -> PathAndQuery {
    format!("/grpc.testing.TestService/{method}").parse().unwrap()
}

/// One client, and the four kinds of calls.
#[derive(Clone)]
struct Client(Grpc<Channel>);

impl Client {
    async fn connect(port: &str) -> Client {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        Client(Grpc::new(endpoint.connect().await.expect("connect")).max_decoding_message_size(64 << 20))
    }
    fn compressed(self) -> Client {
        let gzip = CompressionEncoding::Gzip;
        Client(self.0.send_compressed(gzip).accept_compressed(gzip))
    }
    async fn unary<Q, R>(&mut self, method: &str, request: Request<Q>) -> Result<Response<R>, Status>
    where
        Q: prost::Message + Default + 'static,
        R: prost::Message + Default + 'static,
    {
        self.0.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
        self.0.unary(request, path(method), ProstCodec::default()).await
    }
    async fn simple(&mut self, request: SimpleRequest) -> Result<Response<SimpleResponse>, Status> {
        self.unary("UnaryCall", Request::new(request)).await
    }
    async fn input(&mut self, sizes: &[i32]) -> Result<Response<InputResponse>, Status> {
        self.0.ready().await.unwrap();
        let requests: Vec<InputRequest> =
            sizes.iter().map(|&n| InputRequest { payload: Payload::of(n as usize) }).collect();
        let stream = Request::new(tokio_stream::iter(requests));
        self.0.client_streaming(stream, path("StreamingInputCall"), ProstCodec::default()).await
    }
    async fn output(&mut self, request: OutputRequest) -> Result<Streaming<OutputResponse>, Status> {
        self.0.ready().await.unwrap();
        let codec = ProstCodec::default();
        let response =
            self.0.server_streaming(Request::new(request), path("StreamingOutputCall"), codec).await?;
        Ok(response.into_inner())
    }
    async fn duplex<S>(&mut self, requests: Request<S>) -> Result<Streaming<OutputResponse>, Status>
    where
        S: tokio_stream::Stream<Item = OutputRequest> + Send + 'static,
    {
        self.0.ready().await.unwrap();
        let codec = ProstCodec::default();
        Ok(self.0.streaming(requests, path("FullDuplexCall"), codec).await?.into_inner())
    }
}

fn body(response: Option<OutputResponse>) -> usize {
    response.expect("a message").payload.expect("a payload").body.len()
}

async fn unary(client: &mut Client, largest: usize) {
    client.unary::<Empty, Empty>("EmptyCall", Request::new(Empty {})).await.expect("empty call");
    for size in [0, 1, 271828, largest] {
        let request = SimpleRequest {
            response_size: size as i32,
            payload: Payload::of(size),
            ..Default::default()
        };
        let response = client.simple(request).await.expect("unary call").into_inner();
        assert_eq!(response.payload.unwrap_or_default().body.len(), size);
    }
}

async fn streams(client: &mut Client) {
    let sum = client.input(&[27182, 8, 1828, 45904]).await.expect("client streaming").into_inner();
    assert_eq!(sum.aggregated_payload_size, 74922);

    let mut answers = client.output(OutputRequest::of(&SIZES, 0)).await.expect("server streaming");
    for size in SIZES {
        assert_eq!(body(answers.message().await.unwrap()), size as usize);
    }
    assert!(answers.message().await.expect("OK at the end").is_none());

    let (send, receive) = tokio::sync::mpsc::channel(1);
    let requests = Request::new(tokio_stream::wrappers::ReceiverStream::new(receive));
    // Response headers come with the first answer, and tonic waits for them.
    send.send(OutputRequest::of(&[SIZES[0]], 0)).await.unwrap();
    let mut answers = client.duplex(requests).await.expect("duplex");
    assert_eq!(body(answers.message().await.unwrap()), SIZES[0] as usize);
    for &size in &SIZES[1..] {
        send.send(OutputRequest::of(&[size], 0)).await.unwrap();
        assert_eq!(body(answers.message().await.unwrap()), size as usize);
    }
    drop(send);
    assert!(answers.message().await.expect("OK at the end").is_none());

    let mut none = client.duplex(Request::new(tokio_stream::empty())).await.expect("empty stream");
    assert!(none.message().await.expect("OK at once").is_none());
}

async fn metadata(client: &mut Client) {
    let mut request = Request::new(SimpleRequest::default());
    let trailer = MetadataValue::from_bytes(&[0xab, 0, 0xff]);
    request.metadata_mut().insert("x-grpc-test-echo-initial", "initial value".parse().unwrap());
    request.metadata_mut().insert_bin("x-grpc-test-echo-trailing-bin", trailer.clone());
    let response: Response<SimpleResponse> = client.unary("UnaryCall", request).await.unwrap();
    assert_eq!(response.metadata().get("x-grpc-test-echo-initial").unwrap(), "initial value");
    assert_eq!(response.metadata().get_bin("x-grpc-test-echo-trailing-bin").unwrap(), &trailer);
}

/// Errors: after headers, without them (trailers-only), and with a text that headers cannot hold.
async fn errors(client: &mut Client) {
    let text = "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";
    let wanted = || Some(EchoStatus { code: 2, message: text.to_owned() });
    let request = SimpleRequest { response_status: wanted(), ..Default::default() };
    let error = client.simple(request).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Unknown, text));

    let request = OutputRequest { response_status: wanted(), ..OutputRequest::of(&[5], 0) };
    let mut answers = client.output(request).await.unwrap();
    assert_eq!(body(answers.message().await.unwrap()), 5);
    assert_eq!(answers.message().await.unwrap_err().message(), text);

    let missing = client.unary::<Empty, Empty>("UnimplementedCall", Request::new(Empty {})).await;
    assert_eq!(missing.unwrap_err().code(), Code::Unimplemented);
}

async fn deadline(client: &mut Client) {
    let (_keep_open, receive) = tokio::sync::mpsc::channel(1);
    let mut request = Request::new(tokio_stream::wrappers::ReceiverStream::new(receive));
    request.set_timeout(Duration::from_millis(50));
    let start = Instant::now();
    let code = match client.duplex(request).await {
        Err(status) => status.code(),
        Ok(mut answers) => answers.message().await.unwrap_err().code(),
    };
    // Whoever is first, the client's own timer or the server's.
    assert!(code == Code::DeadlineExceeded || code == Code::Cancelled, "{code}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

async fn cancel(client: &mut Client) {
    for _ in 0..100 {
        let mut answers = client.output(OutputRequest::of(&[1000; 50], 2000)).await.unwrap();
        assert_eq!(body(answers.message().await.unwrap()), 1000);
        drop(answers);
    }
    unary(client, 100).await;
}

async fn many_at_once(client: &Client) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let mut client = client.clone();
        tasks.spawn(async move {
            let request = SimpleRequest { response_size: 1000, ..Default::default() };
            client.simple(request).await.expect("one of many");
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
}

/// Connections end all the time, and no call fails of it.
async fn goaway(port: &str) {
    let mut client = Client::connect(port).await;
    let start = Instant::now();
    let mut calls = 0;
    while start.elapsed() < Duration::from_secs(2) {
        let answers = client.output(OutputRequest::of(&[10, 10], 1000)).await.expect("a call");
        let sizes: Vec<_> = answers.map(|a| body(Some(a.expect("a message")))).collect().await;
        assert_eq!(sizes, [10, 10]);
        calls += 1;
    }
    assert!(calls > 20, "{calls} calls");
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let plain = Client::connect(&arguments[1]).await;
    // Zeros beyond 4 MiB are a bomb when they come compressed.
    for (mut client, largest) in [(plain.clone(), 20 << 20), (plain.compressed(), 4 << 20)] {
        unary(&mut client, largest - 1000).await;
        streams(&mut client).await;
        metadata(&mut client).await;
        errors(&mut client).await;
        deadline(&mut client).await;
        cancel(&mut client).await;
        many_at_once(&client).await;
    }
    goaway(&arguments[2]).await;
}
