//! `weighin gate`.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args as ClapArgs;
use tokio::sync::mpsc;
use weighin::gate::{Config, Gate, Hub, Mlflow, Prefixes, Tls, Tokens, Word, secret};
use weighin::report::ExitCode;

use crate::cli::sandbox::SandboxArgs;
use crate::cli::{policy, terminal};

/// Serve scans by HTTP: may this model be admitted?
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  weighin gate                                    on this machine, at http://127.0.0.1:8080/
  curl --fail -T model.pt 'http://127.0.0.1:8080/v1/scan?name=model.pt' -X POST
  weighin gate --listen 0.0.0.0:8443 --tokens tokens --tls-cert cert.pem --tls-key key.pem

Only what is allowed is answered with 200. A first SIGINT or SIGTERM lets
requests in progress end, a second ends the gate at once. SIGHUP has tokens and
certificates read again.")]
pub(super) struct Args {
    /// Where to listen. Other machines can ask only with --tokens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Who may ask: a file with a name and a bearer token on each line.
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Certificates in PEM, the server's own first.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Their private key in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Read objects below this prefix when they are asked for by URI, such as
    /// `s3://bucket/models/`; repeatable.
    #[arg(long, value_name = "PREFIX")]
    uri_prefix: Vec<String>,
    #[command(flatten)]
    webhooks: Webhooks,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    sandbox: SandboxArgs,
    #[command(flatten)]
    policy: policy::PolicyArgs,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Webhooks")]
struct Webhooks {
    /// An MLflow tracking server whose webhooks are heard.
    #[arg(long, value_name = "URL", requires = "mlflow_secret")]
    mlflow: Option<String>,
    /// A file with the secret that signs them.
    #[arg(long, value_name = "FILE", requires = "mlflow")]
    mlflow_secret: Option<PathBuf>,
    /// A file with the `Authorization` header for the tracking server.
    #[arg(long, value_name = "FILE", requires = "mlflow")]
    mlflow_authorization: Option<PathBuf>,
    /// A Hugging Face Hub, or a mirror of it, whose webhooks are heard.
    #[arg(long, value_name = "URL", requires = "hub_secret")]
    hub: Option<String>,
    /// A file with the secret that they carry.
    #[arg(long, value_name = "FILE", requires = "hub")]
    hub_secret: Option<PathBuf>,
    /// A file with the `Authorization` header for the Hub.
    #[arg(long, value_name = "FILE", requires = "hub")]
    hub_authorization: Option<PathBuf>,
    /// A host that the Hub may redirect to; repeatable.
    #[arg(long, value_name = "HOST", requires = "hub")]
    hub_redirect: Vec<String>,
    /// Time for all files that one webhook names.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    delivery_seconds: u64,
}

impl Webhooks {
    fn apply(&self, config: &mut Config) -> anyhow::Result<()> {
        config.delivery = Duration::from_secs(self.delivery_seconds);
        let read = |file: &Option<PathBuf>| file.as_deref().map(secret).transpose();
        if let (Some(root), Some(signed)) = (&self.mlflow, read(&self.mlflow_secret)?) {
            let authorization = read(&self.mlflow_authorization)?;
            config.mlflow = Some(Mlflow::new(root, signed, authorization.as_deref(), config.silence)?);
        }
        if let (Some(root), Some(carried)) = (&self.hub, read(&self.hub_secret)?) {
            let authorization = read(&self.hub_authorization)?;
            config.hub = Some(Hub::new(root, carried, authorization.as_deref(), &self.hub_redirect, config.silence)?);
        }
        Ok(())
    }
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Bounds")]
struct Bounds {
    /// Bytes of one body; more is refused with 413.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 30)]
    max_body: u64,
    /// Bytes of all bodies that are held at a time, and of what scans unpack;
    /// more is refused with 507.
    #[arg(long, value_name = "BYTES", default_value_t = 32 << 30)]
    spool_bytes: u64,
    /// The directory that holds them; the system's for temporary files.
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    /// Requests in progress; more are refused with 503.
    #[arg(long, value_name = "N", default_value_t = 256)]
    queue: usize,
    /// Requests that one client may make in a second; more are refused with
    /// 429. 0 is any number.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rate: u32,
    /// Connections that are open at a time.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    connections: usize,
    /// Threads that scan; 0 is one per core.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Time for one request; what takes longer is refused with 504.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    request_seconds: u64,
    /// Time without a byte, after which a body is refused with 408.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    silence_seconds: u64,
    /// Time for requests in progress when the gate ends.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    drain_seconds: u64,
    /// Bytes of answers that can be asked for again.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    kept_bytes: usize,
}

impl Args {
    fn config(&self) -> anyhow::Result<Config> {
        let bounds = &self.bounds;
        let mut config = Config::default();
        config.max_body = bounds.max_body;
        config.spool_bytes = bounds.spool_bytes;
        config.spool.clone_from(&bounds.spool);
        config.queue = bounds.queue;
        config.rate = bounds.rate;
        config.connections = bounds.connections;
        config.threads = bounds.threads;
        config.request = Duration::from_secs(bounds.request_seconds);
        config.silence = Duration::from_secs(bounds.silence_seconds);
        config.drain = Duration::from_secs(bounds.drain_seconds);
        config.kept_bytes = bounds.kept_bytes;
        config.sandbox = self.sandbox.wish();
        config.tokens = self.tokens.as_deref().map(Tokens::load).transpose()?;
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            config.tls = Some(Tls::load(cert, key)?);
        }
        config.uris = Prefixes::new(&self.uri_prefix)?;
        self.webhooks.apply(&mut config)?;
        Ok(config)
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let policy = args.policy.policy(&[])?;
    let listener = TcpListener::bind(args.listen).with_context(|| format!("listening at {}", args.listen))?;
    let gate = Gate::new(args.config()?, policy, Box::new(terminal::complain))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    let served = runtime.block_on(async {
        let words = signals().context("listening to signals")?;
        gate.serve(listener, words).await.map_err(anyhow::Error::from)
    });
    // What a second signal has interrupted is hardly waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served.map(|()| ExitCode::Clean)
}

/// What signals say.
fn signals() -> std::io::Result<mpsc::Receiver<Word>> {
    let (tell, told) = mpsc::channel(2);
    let mut asked = asked()?;
    tokio::spawn(async move {
        while let Some(word) = asked.next().await {
            if tell.send(word).await.is_err() {
                break;
            }
        }
    });
    Ok(told)
}

/// SIGTERM and SIGINT, and SIGHUP.
#[cfg(unix)]
struct Asked([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
fn asked() -> std::io::Result<Asked> {
    use tokio::signal::unix::{SignalKind, signal};

    Ok(Asked([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?]))
}

#[cfg(unix)]
impl Asked {
    async fn next(&mut self) -> Option<Word> {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            came = terminate.recv() => came.map(|()| Word::End),
            came = interrupt.recv() => came.map(|()| Word::End),
            came = hangup.recv() => came.map(|()| Word::Reload),
        }
    }
}

/// Control-C: all that other systems have.
#[cfg(not(unix))]
struct Asked;

#[cfg(not(unix))]
fn asked() -> std::io::Result<Asked> {
    Ok(Asked)
}

#[cfg(not(unix))]
impl Asked {
    async fn next(&mut self) -> Option<Word> {
        tokio::signal::ctrl_c().await.ok().map(|()| Word::End)
    }
}
