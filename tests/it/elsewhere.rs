//! Somebody else's S3 server over a directory whose folders are buckets, in this
//! process.

use std::path::Path;

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

/// The access key of the server, and its secret.
pub const KEY: (&str, &str) = ("key", "secret");

/// A server, for as long as its threads are kept; with its address. Without
/// `signed` it takes requests from everybody.
pub fn serve(root: &Path, signed: bool) -> (tokio::runtime::Runtime, String) {
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).expect("a directory"));
    if signed {
        service.set_auth(SimpleAuth::from_single(KEY.0, KEY.1));
    }
    let service = service.build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Or each answer waits for the client to own up to its first half.
            stream.set_nodelay(true).ok();
            let service = service.clone();
            tokio::spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                http.serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
    });
    (runtime, endpoint)
}
